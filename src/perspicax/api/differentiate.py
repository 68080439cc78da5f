"""Differentiation and vectorisation as users call them: the transformations, with trimmed tracebacks."""
from __future__ import annotations

from perspicax.api.wrapping import application, transformation
from perspicax.transform import grad as _grad
from perspicax.transform import vmap as _vmap

__all__ = ["grad", "jvp", "linearize", "value_and_grad", "vjp", "vmap"]

grad = transformation(_grad.grad)
value_and_grad = transformation(_grad.value_and_grad)
vmap = transformation(_vmap.vmap)
jvp = application(_grad.jvp)
vjp = application(_grad.vjp)
linearize = application(_grad.linearize)
