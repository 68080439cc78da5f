"""Differentiation and vectorisation as users call them: the transformations, with trimmed tracebacks."""
from __future__ import annotations

from collections.abc import Callable
from typing import Any

from perspicax.api.wrapping import application, public, transformation
from perspicax.transform import grad as _grad
from perspicax.transform import vmap as _vmap

__all__ = ["grad", "jvp", "linear_transpose", "linearize", "value_and_grad", "vjp", "vmap"]

grad = transformation(_grad.grad)
value_and_grad = transformation(_grad.value_and_grad)
vmap = transformation(_vmap.vmap)
jvp = application(_grad.jvp)
vjp = application(_grad.vjp)
linearize = application(_grad.linearize)


def _linear_transpose(fun: Callable[..., Any], *primals: Any, reduce_axes: Any = ()) -> Callable[..., Any]:
    return public(_grad.linear_transpose(fun, *primals, reduce_axes=reduce_axes))


_linear_transpose.__name__ = _linear_transpose.__qualname__ = "linear_transpose"
_linear_transpose.__doc__ = _grad.linear_transpose.__doc__
linear_transpose = application(_linear_transpose)
