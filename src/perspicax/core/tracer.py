"""Tracers: what a user's function holds in place of values while it is traced.

A tracer knows its trace and its type; only tracers refer to traces, so that a trace's reference count tells whether a
tracer survives it. Asking a tracer for a value raises the report of that question.
"""
from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, NoReturn

import numpy as np

from perspicax.core import dtypes
from perspicax.core.array import Array
from perspicax.core.attribute_errors import ArrayAttributeError
from perspicax.core.avals import AbstractValue, ShapedArray
from perspicax.core.config import enable_x64
from perspicax.core.errors import NotAnArrayError
from perspicax.diagnose.boundary import public_methods, trim

if TYPE_CHECKING:
    from perspicax.core.trace import Trace


_ONLY_WITH_VALUES = frozenset(("sharding", "format", "device", "copy_to_host_async", "block_until_ready", "is_ready"))


@public_methods("__bool__", "__int__", "__float__", "__complex__", "__index__", "__array__", "tolist", "item", "tobytes",
                "__format__", "__hash__", "__reduce__", "devices", "delete", "is_deleted", "unsafe_buffer_pointer",
                "on_device_size_in_bytes", "__dlpack__")
class Tracer(Array):
    """A placeholder for a value, in a function that is being transformed."""

    __slots__ = ("_trace",)
    _trace: Trace

    def concrete(self) -> Any:
        """The value, where the trace knows it (eager differentiation); else `None`."""
        return None

    def number(self) -> Any:
        """The value, where nothing is lost by computing on with a number that is taken out of it; else `None`.

        What is being differentiated answers to questions about it (`if`, an index, `item`), but becomes no float, also where it
        is known: the derivative would be gone without a word.
        """
        return self.concrete()

    hides = True
    """Whether the trace makes the value unknown; if not, the value is as known as `inner()` is."""

    def inner(self) -> Any:
        """The value of the enclosing trace that this one stands for; `None` where there is none."""
        return None

    def __repr__(self) -> str:
        return f"Tracer({self.aval})"

    def __getattr__(self, name: str) -> Any:
        """Python asks here for what a tracer does not have. Arrays with values need no such method: it would slow down
        NumPy, which asks them for protocols in vain."""
        if name.startswith("_") or name == "aval":
            raise AttributeError(f"a traced array has no attribute {name!r}", name=name)
        try:
            raise ArrayAttributeError(attribute=name, type_text=self.aval.str_short(), place=name in _ONLY_WITH_VALUES)
        except ArrayAttributeError as error:
            trim(error)
            raise

    def _ask(self, kind: str) -> Any:
        """What a trace without values answers to `bool`, `int`, `__array__`, …: the report of that question."""
        raise _question_error(self, kind)

    def __bool__(self) -> bool:
        value = self.concrete()
        return bool(value) if value is not None else self._ask("bool")

    def __int__(self) -> int:
        value = self.concrete()
        return int(value) if value is not None else self._ask("int")

    def __float__(self) -> float:
        value = self.number()
        return float(value) if value is not None else self._ask("float")

    def __complex__(self) -> complex:
        value = self.number()
        return complex(value) if value is not None else self._ask("complex")

    def __index__(self) -> int:
        value = self.concrete()
        return value.__index__() if value is not None else self._ask("index")

    def __array__(self, *args: Any, **kwargs: Any) -> np.ndarray:
        return self._ask("array")

    def tolist(self) -> Any:
        value = self.number()
        return _known(value).tolist() if value is not None else self._ask("tolist")

    def item(self, *args: Any) -> Any:
        value = self.concrete()
        return _known(value).item(*args) if value is not None else self._ask("item")

    def tobytes(self, order: Any = "C") -> bytes:
        return self._ask("tobytes")

    def __format__(self, spec: str) -> str:
        if not spec:
            return repr(self)
        value = self.number()
        return format(value, spec) if value is not None else self._ask("format")

    def __hash__(self) -> int:
        raise _question_error(self, "hash")

    def __reduce__(self) -> NoReturn:
        raise _question_error(self, "pickle")

    # -- where it is: nowhere

    def _without_value(self, question: str) -> NoReturn:
        raise _question_error(self, question)

    def devices(self) -> set:
        """The devices that hold it: a traced value is on none."""
        self._without_value("place")

    def delete(self) -> None:
        """Free its memory: a traced value has none."""
        self._without_value("place")

    def is_deleted(self) -> bool:
        """Whether its memory is freed: a traced value has none."""
        self._without_value("place")

    def unsafe_buffer_pointer(self) -> int:
        """Address of its memory: a traced value has none."""
        self._without_value("place")

    def on_device_size_in_bytes(self) -> int:
        """Bytes of its memory: a traced value has none."""
        self._without_value("place")

    def __dlpack__(self, **_: Any) -> Any:
        self._without_value("place")


def _known(value: Any) -> Any:
    """A value that a trace knows, with the methods of arrays: it may be a Python number."""
    return value if hasattr(value, "item") else np.asarray(value)


_question_errors: list[Callable[[Tracer, str], Exception]] = []


def set_question_error(make: Callable[[Tracer, str], Exception]) -> None:
    """Install the maker of the error that a tracer raises when asked for its value."""
    _question_errors[:] = [make]


def _question_error(tracer: Tracer, kind: str) -> Exception:
    return _question_errors[0](tracer, kind)


# -- types of anything that may be an operand. One dict, keyed on the class: the rooms that define classes add theirs.

typers: dict[type, Callable[[Any], AbstractValue]] = {}


def get_aval(x: Any) -> Any:
    """The type of a value: array, tracer, NumPy array or scalar, Python scalar.

    Raises:
        NotAnArrayError: `x` is none of these.
    """
    typer = typers.get(type(x))
    if typer is not None:
        return typer(x)
    if isinstance(x, Tracer):
        return x.aval
    for cls in type(x).__mro__:
        typer = typers.get(cls)
        if typer is not None:
            return typer(x)
    if hasattr(x, "__jax_array__"):
        return get_aval(x.__jax_array__())
    raise NotAnArrayError(value_type=type(x).__name__, value=repr(x)[:60])


def wide_constants(args: Sequence[Any]) -> list[ShapedArray | None] | None:
    """For operands that do not fit together: the types of those NumPy constants among them that fit as they are.

    Rules write constants as NumPy values of their operand's dtype, which are cut down to 32 bits while 64 are switched
    off. An array that was made before has 64 all the same, and the constants beside it shall have them, too. `None` where
    that is not the case.
    """
    wide = {x.aval.dtype for x in args if isinstance(x, Array) and not x.aval.extended}
    found = [ShapedArray(x.shape, x.dtype) if isinstance(x, (np.ndarray, np.generic)) and x.dtype in wide
             and dtypes.canonicalize_dtype(x.dtype) != x.dtype else None for x in args]
    return found if any(a is not None for a in found) else None


def valid_jaxtype(x: Any) -> bool:
    """Whether `x` may be an operand."""
    try:
        get_aval(x)
    except TypeError:
        return False
    return True


def _type_numpy(x: np.ndarray) -> ShapedArray:
    if x.shape:
        return ShapedArray(x.shape, dtypes.canonicalize_dtype(dtypes.check_numeric(x.dtype)))
    kept = _scalars_with_64 if enable_x64.value else _scalars_without_64  # rules write many constants of few types
    found = kept.get(x.dtype)
    if found is None:
        found = kept[x.dtype] = ShapedArray((), dtypes.canonicalize_dtype(dtypes.check_numeric(x.dtype)))
    return found


_scalars_with_64: dict[Any, ShapedArray] = {}
_scalars_without_64: dict[Any, ShapedArray] = {}


def _type_python(x: Any) -> ShapedArray:
    kind = type(x)
    if kind not in _PYTHON_NUMBERS:  # a subclass: an enumeration, a unit
        kind = next(k for k in _PYTHON_NUMBERS if isinstance(x, k))
    return ShapedArray((), dtypes.python_scalar_dtype(kind, x), kind is not bool)


_PYTHON_NUMBERS = (bool, int, float, complex)


typers[np.ndarray] = _type_numpy
typers[np.generic] = _type_numpy  # type: ignore[index, assignment]
for _scalar in (np.bool_, np.int8, np.int16, np.int32, np.int64, np.uint8, np.uint16, np.uint32, np.uint64, np.float16,
                np.float32, np.float64, np.complex64, np.complex128, dtypes.bfloat16.type):
    typers[_scalar] = _type_numpy  # type: ignore[assignment]
for _scalar in _PYTHON_NUMBERS:
    typers[_scalar] = _type_python
