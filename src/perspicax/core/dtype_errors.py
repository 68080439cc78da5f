"""What can go wrong with dtypes: unknown ones, ones that arrays cannot have, ones that do not combine."""
from __future__ import annotations

from perspicax.diagnose.errors import PerspicaxError
from perspicax.diagnose.report import Fix, Report


class UnknownDTypeError(PerspicaxError, TypeError):
    """Something was given as a dtype that names none."""

    given: str
    near: tuple[str, ...] = ()
    is_array: bool = False

    @property
    def report(self) -> Report:
        from perspicax.diagnose.grouping import array_list, shape_tuple  # only a printed error needs it

        grouped = array_list(self.position) if self.is_array else shape_tuple(self.position) if self.given.isdigit() else ()
        if self.is_array:
            return Report(says=f"{self.given} was given where a dtype is expected.",
                          why="a dtype is a type of element; an array only has one",
                          fixes=grouped or (Fix("give the array's dtype", code="x.dtype"),))
        return Report(says=f"{self.given} is not a dtype.",
                      why='a dtype is a name ("float32"), a scalar type (`jnp.float32`), a NumPy dtype, or one of '
                          "`bool`, `int`, `float`, `complex`",
                      fixes=grouped or tuple([Fix("" if i else "did you mean", code=repr(name))
                                              for i, name in enumerate(self.near)]))


class NonNumericDTypeError(PerspicaxError, TypeError):
    """Values of a dtype were given that arrays cannot have: text, objects, dates, or a foreign byte order."""

    dtype: str
    native: str = ""

    @property
    def report(self) -> Report:
        if self.native:
            return Report(says=f"Values of dtype {self.dtype} were given, whose byte order is not this machine's.",
                          why="arrays have the machine's byte order",
                          fixes=(Fix("convert them first", code=f"x.astype({self.native!r})"),))
        return Report(says=f"Values of dtype {self.dtype} were given, which arrays cannot have.",
                      why="arrays hold booleans, integers, floating-point and complex numbers, and random keys",
                      fixes=(Fix("convert the values to numbers first, or leave them outside of arrays"),))


class ExtendedDTypeError(PerspicaxError, ValueError, TypeError):  # JAX raises one or the other, by function
    """A dtype of opaque elements, such as random keys, was given where numbers are expected."""

    dtype: str
    where: str

    @property
    def report(self) -> Report:
        return Report(says=f"`{self.where}` was given the dtype {self.dtype}, whose elements are not numbers.",
                      why="elements of an extended dtype are opaque: they have no width, do not convert and do not "
                          "combine with numbers")


class NotPromotableError(PerspicaxError, ValueError, TypeError):  # JAX raises one or the other, by dtype
    """A dtype was to be combined that takes no part in type promotion."""

    dtype: str

    @property
    def report(self) -> Report:
        if self.dtype.startswith("key<"):
            return Report(says=f"Random keys ({self.dtype}) cannot be combined with what is of another dtype.",
                          why="keys go together with keys of the same generator alone. A key is no number: `split` and "
                              "`fold_in` make keys of keys. What `PRNGKey` makes are the words of keys, uint32 numbers",
                          fixes=(Fix("where the other operand is the words of keys, make keys of them",
                                     code="jax.random.wrap_key_data(words)"),))
        return Report(says=f"The dtype {self.dtype} cannot be combined with others.",
                      why="only booleans, integers, floating-point and complex numbers have a place in the table of "
                          "type promotion")


class TypePromotionError(PerspicaxError, ValueError):
    """Operands have dtypes that are not combined implicitly.

    Attributes:
        dtypes: names of the operands' dtypes; that of a weakly typed one is `int`, `float` or `complex`.
        mode: the value of `jax_numpy_dtype_promotion`.
        common: a dtype that all of them may be converted to.
    """

    dtypes: tuple[str, ...]
    mode: str
    common: str

    @property
    def report(self) -> Report:
        names = " and ".join(self.dtypes)
        convert = Fix("convert one operand explicitly", code=f"x.astype({self.common!r})")
        if self.mode == "strict":
            return Report(
                says=f"The dtypes {names} do not combine: jax_numpy_dtype_promotion is 'strict'.",
                why="in strict mode only a Python scalar combines with another dtype, and only if that dtype can "
                    "represent its kind",
                fixes=(convert, Fix(code='with jax.numpy_dtype_promotion("standard"):', when="to allow it here")))
        return Report(
            says=f"The dtypes {names} do not combine.",
            why="integers of fewer than 8 bits and floats of 8 bits or fewer are never converted implicitly: the "
                "result would lose range or precision unseen",
            fixes=(convert,))


class NoOperandsError(PerspicaxError, ValueError):
    """`result_type` was called without arguments."""

    @property
    def report(self) -> Report:
        return Report(says="`result_type` was given nothing to combine.",
                      why="it needs at least one array, scalar or dtype")


class NotTypedError(PerspicaxError, TypeError):
    """Something without a dtype was given where an array, a scalar or a dtype is expected."""

    value: str
    value_type: str

    @property
    def report(self) -> Report:
        fixes = (Fix("make an array of it first", code="jnp.asarray(x)"),) if self.value_type in ("list", "tuple") \
            else ()
        return Report(says=f"{self.value}, of type `{self.value_type}`, has no dtype.",
                      why="an array, a number or a dtype is expected", fixes=fixes)


class IntegerRangeError(PerspicaxError, OverflowError):
    """A Python integer does not fit the integer type that it becomes."""

    value: str
    dtype: str

    @property
    def report(self) -> Report:
        fix = Fix("allow 64-bit types, at the start of the program", code='jax.config.update("jax_enable_x64", True)')
        bits = int(self.dtype.lstrip("uint"))
        low, high = (0, 2**bits - 1) if self.dtype.startswith("u") else (-2**(bits - 1), 2**(bits - 1) - 1)
        return Report(says=f"The Python integer {self.value} does not fit into {self.dtype}.",
                      why=f"{self.dtype} holds {low} to {high}"
                          + (", and a Python integer becomes int32 while 64-bit types are off (`jax_enable_x64`)"
                             if self.dtype == "int32" else ""),
                      fixes=(fix,) if self.dtype == "int32" else ())


class Explicit64BitDTypeError(PerspicaxError, ValueError):
    """A 64-bit dtype was asked for by name while 64-bit types are off."""

    dtype: str
    where: str

    @property
    def report(self) -> Report:
        return Report(says=f"`{self.where}` was asked for {self.dtype}, but 64-bit types are off.",
                      why="`jax_enable_x64` is off and `jax_explicit_x64_dtypes` is 'error'",
                      fixes=(Fix("allow 64-bit types, at the start of the program",
                                 code='jax.config.update("jax_enable_x64", True)'),))
