"""Errors of random numbers: keys, seeds, shapes and dtypes that do not fit."""
from __future__ import annotations

import importlib
import re
from typing import Any

from perspicax.diagnose.errors import PerspicaxError, ReportedError
from perspicax.diagnose.place import Place
from perspicax.diagnose.report import Fix, Label, Report
from perspicax.diagnose.source import operands_at

NOWHERE = 99  # no call has so many arguments


def written(error: PerspicaxError, index: int, keyword: str) -> tuple[str, Place]:
    """An argument of the failed call as the user wrote it, and where: by its place, else by its keyword.

    A literal (`-1`, `None`) names nothing: then it is called by the parameter's name.
    """
    found = operands_at(error.position) if error.position is not None else None
    if found is not None:
        named = found.keyword(keyword)
        index += found.receiver  # a module that the user has under a name of his own
        if named is None and index < len(found):
            named = found[index]
        if named is not None:
            text = named.text
            return (f"`{text}`" if any(part.isidentifier() and not _is_literal(part) for part in _parts(text))
                    else f"The argument `{keyword}`"), named.span
    return f"The argument `{keyword}`", None


def _position(function: str, argument: str) -> int:
    """Which positional argument of a public function this is."""
    import inspect  # here and below: only a printed error needs it

    public = getattr(importlib.import_module("perspicax.random"), function, None)  # whoever prints an error has it loaded
    names = [] if public is None else list(inspect.signature(public).parameters)
    return names.index(argument) if argument in names else NOWHERE


def _written_keys(error: PerspicaxError, function: str) -> tuple[str, Place]:
    """`written`, of the keys that a function takes as its first argument."""
    return written(error, 0, {"key_data": "keys", "key_impl": "keys", "wrap_key_data": "key_bits_array"}.get(function, "key"))


def _code(name: str, otherwise: str) -> str:
    """An argument for the code of a fix: as the user named it."""
    return name.strip("`") if name.startswith("`") else otherwise


def _parts(text: str) -> list[str]:
    """The words of an expression outside of quotes."""
    return re.findall(r"[A-Za-z_]\w*", re.sub(r"'[^']*'|\"[^\"]*\"", "", text))


def _is_literal(word: str) -> bool:
    """Whether a word is a literal and no name."""
    return word in ("None", "True", "False", "e", "j")


def _labels(span: Place, text: str) -> tuple[Label, ...]:
    return () if span is None else (Label(span, text),)


class KeyTypeError(PerspicaxError, TypeError):
    """Something was given as a random key that is none."""

    function: str
    value_type: str

    @property
    def report(self) -> Report:
        name, span = _written_keys(self, self.function)
        if self.function == "wrap_key_data":
            return Report(says=f"{name} is {article(self.value_type)}, which `wrap_key_data` cannot wrap.",
                          labels=_labels(span, self.value_type), why="the words of keys are a uint32 array",
                          fixes=(Fix("make an array of them", code=f"jnp.asarray({_code(name, 'words')}, jnp.uint32)"),)
                          if self.value_type in ("list", "tuple") else ())
        return Report(says=f"{name} is no random key: `{self.function}` was given {article(self.value_type)}.",
                      labels=_labels(span, self.value_type),
                      why="a key is made of a seed, and of other keys by `split` and `fold_in`",
                      fixes=(Fix("make a key of a seed, once, where the program begins", code="key = jax.random.key(0)"),))


class KeyWordsError(PerspicaxError, TypeError):
    """An array was given as the words of random keys that cannot be that.

    Attributes:
        fits: another generator, of whose keys they may be the words.
    """

    function: str
    type_text: str
    key_shape: tuple[int, ...]
    generator: str
    fits: str = ""

    @property
    def report(self) -> Report:
        name, span = _written_keys(self, self.function)
        size = ", ".join(map(str, self.key_shape))
        wraps = self.function == "wrap_key_data"
        why = f"keys of {self.generator} without a dtype of their own are uint32 arrays whose last axes are [{size}]"
        if wraps and self.type_text.startswith("key<"):
            why = f"keys are no words: `wrap_key_data` takes uint32 arrays whose last axes are [{size}]"
        says = (f"{name} is {self.type_text}, which `wrap_key_data` cannot wrap as keys of {self.generator}." if wraps else
                f"{name} is no random key: `{self.function}` was given {self.type_text}.")
        return Report(says=says, labels=_labels(span, self.type_text), why=why, fixes=self._fixes(_code(name, "words")))

    def _fixes(self, words: str) -> tuple[Fix, ...]:
        if self.fits:
            return (Fix(f"where these are words of keys of {self.fits}, say so",
                        code=f'jax.random.wrap_key_data({words}, impl="{self.fits}")'),)
        if self.type_text == "uint32[]":
            return (Fix("where `vmap` took one key apart, give it a key for each element",
                        code="keys = jax.random.split(key, n)"),)
        if self.function == "wrap_key_data":
            return ()
        return (Fix("make a key of a seed", code="key = jax.random.key(0)"),)


class KeyBatchError(PerspicaxError, ValueError):
    """Several keys were given where one is expected."""

    function: str
    type_text: str

    @property
    def report(self) -> Report:
        name, span = written(self, 0, "key")
        plain = _code(name, "keys")
        makes_keys = self.function in ("split", "fold_in")
        why = "makes new keys of one key" if makes_keys else "draws all its samples from one key"
        return Report(says=f"{name} is {self.type_text}, several keys, but `{self.function}` takes one.",
                      labels=_labels(span, self.type_text), why=f"`{self.function}` {why}",
                      fixes=(Fix("do so with each key, side by side" if makes_keys else "draw from each key, side by side",
                                 code=f"jax.vmap(lambda k: jax.random.{self.function}(k, ...))({plain})"),
                             Fix("take one of them", code=f"{plain}[0]")))


class KeySeedError(PerspicaxError, TypeError, ValueError):  # JAX raises one or the other, by what is given
    """A seed, or the number to fold into a key, is no integer, or not a single one."""

    function: str
    type_text: str
    kind: str  # "dtype", "shape" or "key"

    @property
    def report(self) -> Report:
        if self.function == "fold_in":
            return self._folded()
        name, span = written(self, 0, "seed")
        why = {"dtype": "a seed is an integer", "shape": "one seed makes one key",
               "key": "a key is not a seed: `split` and `fold_in` make keys of a key"}[self.kind]
        fixes: tuple[Fix, ...] = ()
        if self.kind == "shape":
            fixes = (Fix("make a key of each seed",
                         code=f"jax.vmap(jax.random.{self.function})({_code(name, 'seeds')})"),)
        elif "float" in self.type_text:
            fixes = (Fix("make it an integer first", code=f"jax.random.{self.function}(int({_code(name, 'seed')}))"),)
        return Report(says=f"{name} is no seed: `{self.function}` was given {article(self.type_text)}.",
                      labels=_labels(span, self.type_text), why=why, fixes=fixes)

    def _folded(self) -> Report:
        name, span = written(self, 1, "data")
        fixes: tuple[Fix, ...] = ()
        if self.kind == "shape":
            fixes = (Fix("make a key of each number",
                         code=f"jax.vmap(lambda i: jax.random.fold_in(key, i))({_code(name, 'data')})"),)
        elif self.type_text == "str":
            fixes = (Fix("fold in a number that stands for the text", code=f"zlib.crc32({_code(name, 'text')}.encode())"),)
        return Report(says=f"{name} cannot be folded into a key: it is {article(self.type_text)}.",
                      labels=_labels(span, self.type_text), why="`fold_in` takes one key and one integer", fixes=fixes)


class SeedRangeError(PerspicaxError, OverflowError):
    """A seed, or the number to fold into a key, is out of range."""

    function: str
    argument: str
    value: str
    low: int
    high: int

    @property
    def report(self) -> Report:
        index = 0 if self.argument == "seed" else 1
        name, span = written(self, index, self.argument)
        return Report(says=f"{name} is {self.value}, which `{self.function}` does not take.",
                      labels=_labels(span, self.value),
                      why=f"it must be at least {self.low} and at most {self.high}")


class UnknownGeneratorError(PerspicaxError, ValueError, TypeError):
    """A generator of random numbers was asked for that is not there."""

    given: str
    known: tuple[str, ...]

    @property
    def report(self) -> Report:
        names = ", ".join(f'"{n}"' for n in self.known)
        there = f"there {'is' if len(self.known) == 1 else 'are'} {names}"
        from difflib import get_close_matches

        _, span = written(self, NOWHERE, "impl")
        near = get_close_matches(self.given.strip("'"), self.known, 1)
        return Report(says=f"{self.given} names no generator of random numbers.", labels=_labels(span, "no generator"),
                      why=there, fixes=tuple([Fix("did you mean", code=f'"{name}"') for name in near]))


class GeneratorError(PerspicaxError, NotImplementedError):
    """A distribution is there for one generator only, and the key is of another."""

    function: str
    generator: str
    known: str

    @property
    def report(self) -> Report:
        name, span = written(self, 0, "key")
        return Report(says=f"{name} is a key of {self.generator}, and `{self.function}` is there for {self.known} only.",
                      labels=_labels(span, f"a key of {self.generator}"),
                      why=f"the samples of `{self.function}` are defined by the streams of {self.known}",
                      fixes=(Fix("make a key of that generator",
                                 code=f'key = jax.random.key(0, impl="{self.known}")'),))


class GeneratorResultError(PerspicaxError, TypeError, ValueError):
    """A function of a generator of the user's own returned something else than it has to."""

    generator: str
    function: str
    got: str
    wanted: str

    @property
    def report(self) -> Report:
        return Report(says=f"`{self.function}` of the generator {self.generator} returned {self.got}.",
                      why=f"it has to return {self.wanted}: the words of a key are uint32")


class SampleDTypeError(PerspicaxError, ValueError, TypeError):  # JAX raises one or the other, by function
    """Samples, or a parameter of a distribution, have a dtype that the distribution does not have."""

    function: str
    dtype: str
    takes: str
    argument: str = "dtype"

    @property
    def report(self) -> Report:
        name, span = written(self, _position(self.function, self.argument), self.argument)
        if self.argument == "dtype":
            return Report(says=f"`{self.function}` cannot make samples of dtype {self.dtype}.",
                          labels=_labels(span, self.dtype), why=f"its samples are {self.takes}")
        return Report(says=f"{name} of `{self.function}` is of dtype {self.dtype}.", labels=_labels(span, self.dtype),
                      why=f"it must be {self.takes}")


class SampleShapeError(PerspicaxError, ValueError, TypeError):  # JAX raises one or the other, by function
    """The parameters of a distribution do not broadcast to the shape that is asked for."""

    function: str
    shape: tuple[int, ...] | None  # none was asked for: what the parameters broadcast to
    parameters: tuple[tuple[str, tuple[int, ...]], ...]

    @property
    def report(self) -> Report:
        rows = " and ".join(f"{_ticked(name)} has shape {shape}" for name, shape in self.parameters if shape)
        labels = [label for name, shape in self.parameters if shape for label in self._labels(name.partition(" ")[0], shape)]
        if self.shape is None:
            return Report(says=f"The parameters of `{self.function}` do not broadcast: {rows}.", labels=tuple(labels),
                          why="axes are matched from the right; they must be equal, or one of them 1")
        return Report(says=f"`{self.function}` cannot make samples of shape {self.shape}: {rows}.", labels=tuple(labels),
                      why="the parameters broadcast to the shape of the samples: axes are matched from the right, and a "
                          "parameter's is 1 or that of the samples")

    def _labels(self, argument: str, shape: tuple[int, ...]) -> tuple[Label, ...]:
        return _labels(written(self, _position(self.function, argument), argument)[1], f"`{argument}`, {shape}")


def _ticked(name: str) -> str:
    """A parameter, or words about one that begin with it: `cov` without its last two axes."""
    first, space, others = name.partition(" ")
    return f"`{first}`{space}{others}"


class ParameterTypeError(PerspicaxError, TypeError, ValueError):
    """A parameter of a distribution is neither an array nor a number."""

    function: str
    argument: str
    value_type: str

    @property
    def report(self) -> Report:
        name, span = written(self, _position(self.function, self.argument), self.argument)
        return Report(says=f"{name} of `{self.function}` is {article(self.value_type)}.", labels=_labels(span, self.value_type),
                      why=f"`{self.argument}` is a number, or an array of numbers",
                      fixes=(Fix("make an array of it", code=f"jnp.asarray({_code(name, self.argument)})"),)
                      if self.value_type in ("list", "tuple") else ())


class KeyCountError(PerspicaxError, TypeError, ValueError):
    """The number of keys to split into is no integer, negative, or no shape."""

    given: str
    negative: bool = False

    @property
    def report(self) -> Report:
        name, span = written(self, 1, "num")
        why = "there are no fewer than 0 keys" if self.negative else "`num` is an integer, or a tuple of integers"
        return Report(says=f"{name} is {self.given}: `split` cannot make so many keys.", labels=_labels(span, self.given),
                      why=why)


class SamplingError(ReportedError, ValueError, TypeError):
    """The arguments of a sampling function do not go together."""


class SamplingIndexError(SamplingError, IndexError):
    """An axis was named that the array does not have."""


def article(value_type: str) -> str:
    """A class by name, with its article; an array type and None as they are."""
    if "[" in value_type:
        return value_type
    if value_type == "NoneType":
        return "None"
    return f"{'an' if value_type[:1].lower() in 'aeiou' else 'a'} {value_type}"


def value_type_of(x: Any) -> str:
    """What to call a value in a report: its array type, or its class."""
    aval = getattr(x, "aval", None)
    if aval is not None:
        return aval.str_short()
    if hasattr(x, "dtype") and hasattr(x, "shape"):
        return f"{x.dtype}[{','.join(map(str, x.shape))}]"
    return type(x).__name__
