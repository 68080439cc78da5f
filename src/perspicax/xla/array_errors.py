"""What can go wrong when an array becomes something else: a Python number, an index, a key of a dict, a NumPy array."""
from __future__ import annotations

from perspicax.diagnose.errors import PerspicaxError
from perspicax.diagnose.report import Edit, Fix, Place, Report


class ArrayConversionError(PerspicaxError, TypeError):
    """An array was used as something that it is not.

    Attributes:
        wanted: what as: "int", "float", "complex", "index", "hash", "len", "iter", or, of a key array, any of these and
            "array", "bool", "list", "item", "dlpack".
        type_text: the type of the array.
        key: whether it is an array of random keys.
    """

    wanted: str
    type_text: str
    key: bool = False

    @property
    def report(self) -> Report:
        if self.key and self.wanted != "hash":
            as_what = _WORDS.get(self.wanted, self.wanted)
            return Report(says=f"{_a(self.type_text)} was used as {as_what}.",
                          why="random keys are no numbers, so that nobody computes with them by mistake",
                          fixes=(Fix("take the numbers that a key consists of", code="jax.random.key_data(key)"),))
        match self.wanted:
            case "hash":
                return Report(says=f"{_a(self.type_text)} was used where Python needs a hash: as a key of a dict, in a set, "
                                   "as a static argument.",
                              why="a hash is the same for equal values, but arrays are compared element by element",
                              fixes=(*_listed(self.position), Fix("use a Python number", code="x.item()"),
                                     Fix("the bytes", code="x.tobytes()")))
            case "len" | "iter":
                what = "has no length" if self.wanted == "len" else "cannot be iterated over"
                return Report(says=f"{_a(self.type_text)} {what}.", why="it is a scalar: an array without axes",
                              fixes=(Fix("make a vector of it", code="x[None]"),))
            case "index":
                return Report(says=f"{_a(self.type_text)} was used as an index or a size.",
                              why="Python's lists and ranges take integers: of arrays, those of an integer dtype and without "
                                  "axes",
                              fixes=(Fix("convert a number", code="int(x)"), Fix("index by a device array", code="y[x]")))
        return Report(says=f"{_a(self.type_text)} was converted to {_WORDS.get(self.wanted, self.wanted)}.",
                      why="only an array without axes is one number",
                      fixes=(Fix("take one element", code=f"{self.wanted}(x[0])"),
                             Fix("convert all of them", code="x.tolist()")))


def _a(type_text: str) -> str:
    return f"{'An' if type_text[:1] in 'aeiou' else 'A'} {type_text}"


def _listed(position: Place) -> tuple[Fix, ...]:
    """`set(labels.tolist())` for `set(labels)`."""
    from perspicax.diagnose.source import operands_at  # only a printed error needs it

    found = operands_at(position)
    if found.operation not in ("set", "frozenset", "Counter") or len(found) != 1:
        return ()
    return (Fix("take Python numbers out of it first", edits=(Edit(found[0].span, f"{found[0].grouped}.tolist()"),)),)


_WORDS = {"int": "an int", "float": "a float", "complex": "a complex number", "bool": "a truth value", "index": "an index",
          "array": "a NumPy array", "list": "a list of numbers", "item": "a Python number",
          "dlpack": "an array for another library", "round": "a number"}


class RankLimitError(PerspicaxError, ValueError):
    """An array has more axes than NumPy's can have, and is needed in NumPy.

    Attributes:
        type_text: its type.
        rank: its number of axes.
    """

    type_text: str
    rank: int

    @property
    def report(self) -> Report:
        return Report(says=f"An array with {self.rank} axes cannot become a NumPy array: {self.type_text}.",
                      why="NumPy's arrays have at most 64 axes; printing, saving and reading values go through NumPy",
                      fixes=(Fix("merge axes first", code="x.reshape(-1)"),))


class MemoryLayoutError(PerspicaxError, ValueError):
    """A NumPy array was asked for that shares memory, but in another dtype.

    Attributes:
        found: the dtype of the array.
        wanted: the dtype asked for.
    """

    found: str
    wanted: str

    @property
    def report(self) -> Report:
        return Report(says=f"A NumPy array of dtype {self.wanted} cannot share the memory of an array of dtype {self.found}.",
                      why="`copy=False` insists on sharing, and another dtype needs memory of its own",
                      fixes=(Fix("let it be copied", code=f"np.asarray(x, dtype={self.wanted!r})"),))


class NonAddressableArrayError(PerspicaxError, RuntimeError):
    """The values of an array were asked for that lies over several processes.

    Attributes:
        type_text: its type.
        sharding: how its sharding shows.
    """

    type_text: str
    sharding: str

    @property
    def report(self) -> Report:
        return Report(says=f"The values of an array {self.type_text} cannot be read in this process: other processes have "
                           "parts of it.", why=f"its sharding is {self.sharding}",
                      fixes=(Fix("look at the parts that are here", code="[shard.data for shard in x.addressable_shards]"),
                             Fix("collect all parts, in all processes",
                                 code="multihost_utils.process_allgather(x, tiled=True)"),
                             Fix("compute what is wanted, and let each device have all of it",
                                 code="jax.jit(f, out_shardings=NamedSharding(mesh, P()))(x)")))


class NotADeviceError(PerspicaxError, ValueError, TypeError, AttributeError):  # JAX raises one or the other
    """What should be a device, or a sharding, is neither.

    Attributes:
        value: how it shows.
    """

    value: str

    @property
    def report(self) -> Report:
        return Report(says=f"{self.value} is neither a device nor a sharding.",
                      why="devices are objects, not numbers or names; a sharding says how an array lies on several of them",
                      fixes=(Fix("take one of the devices that there are", code="jax.devices()[0]"),))
