"""Linear functions and their transpositions as users call them, with trimmed tracebacks."""
from __future__ import annotations

from collections.abc import Callable
from typing import Any

from perspicax.api.wrapping import application, public
from perspicax.transform import linear_call as _call
from perspicax.transform import linear_transpose as _transpose

__all__ = ["linear_call", "linear_transpose"]

linear_call = application(_call.linear_call)


def _linear_transpose(fun: Callable[..., Any], *primals: Any, reduce_axes: Any = ()) -> Callable[..., Any]:
    return public(_transpose.linear_transpose(fun, *primals, reduce_axes=reduce_axes))


_linear_transpose.__name__ = _linear_transpose.__qualname__ = "linear_transpose"
_linear_transpose.__doc__ = _transpose.linear_transpose.__doc__
linear_transpose = application(_linear_transpose)
