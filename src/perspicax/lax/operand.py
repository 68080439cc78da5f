"""What the functions of lax take: arrays, NumPy arrays, numbers, and objects that say `__jax_array__`."""
from __future__ import annotations

import operator
from collections.abc import Iterable
from typing import Any

import numpy as np

from perspicax.core.array import Array
from perspicax.core.errors import NotAnArrayError
from perspicax.core.tracer import get_aval, typers
from perspicax.lax.errors import OperationShapeError

_NUMBERS = frozenset((float, int, bool, complex))
_AS_THEY_ARE = (np.ndarray, np.generic, int, float, complex)


def operand(x: Any) -> Any:
    """`x` as primitives take it.

    Raises:
        NotAnArrayError: it is none of these.
    """
    if isinstance(x, Array) or type(x) in _NUMBERS:  # the trace looks at the value of a number itself
        return x
    if type(x) in typers or isinstance(x, _AS_THEY_ARE):
        get_aval(x)
        return x
    if hasattr(x, "__jax_array__"):
        return operand(x.__jax_array__())
    raise NotAnArrayError(value_type=type(x).__name__, value=repr(x)[:60])


def integer(value: Any, operation: str, parameter: str) -> int:
    """A parameter that is a plain integer.

    Raises:
        OperationShapeError: it is none.
        TracerIntegerConversionError: it is traced.
    """
    try:
        return operator.index(value)
    except TypeError as error:
        if type(error) is not TypeError:  # a traced one has its own report
            raise
        raise OperationShapeError(says=f"`{operation}` was given {parameter}={value!r}.",
                                  why=f"`{parameter}` is an integer") from None


def integers(values: Iterable[Any], operation: str, parameter: str) -> tuple[int, ...]:
    """A parameter that is a sequence of plain integers; raises as `integer` does."""
    try:
        return tuple([operator.index(value) for value in values])
    except TypeError as error:
        if type(error) is not TypeError:
            raise
        raise OperationShapeError(says=f"`{operation}` was given {parameter}={values!r}.",
                                  why=f"`{parameter}` is a sequence of integers") from None


def shape_of(x: Any) -> tuple[int, ...]:
    """The shape of an operand."""
    return get_aval(x).shape  # type: ignore[attr-defined]
