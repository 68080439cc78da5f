"""What goes with rules of the user's own, as users call it: with trimmed tracebacks."""
from __future__ import annotations

from perspicax.api import sequential as _sequential
from perspicax.api.wrapping import application, public
from perspicax.transform import closures as _closures
from perspicax.transform import symbolic_zeros as _zeros

__all__ = [
    "closure_convert", "custom_gradient", "custom_vjp_primal_tree_values", "sequential_vmap", "zero_from_primal",
]

closure_convert = application(_closures.closure_convert)
custom_gradient = application(_closures.custom_gradient)
sequential_vmap = application(_sequential.sequential_vmap)
custom_vjp_primal_tree_values = public(_zeros.custom_vjp_primal_tree_values)
zero_from_primal = public(_zeros.zero_from_primal)
