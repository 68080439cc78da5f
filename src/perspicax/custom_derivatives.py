"""Derivatives of the user's own: `jax.custom_derivatives`."""
from perspicax.api.custom_rules import closure_convert as closure_convert
from perspicax.api.custom_rules import custom_gradient as custom_gradient
from perspicax.api.custom_rules import custom_vjp_primal_tree_values as custom_vjp_primal_tree_values
from perspicax.api.custom_rules import zero_from_primal as zero_from_primal
from perspicax.api.linear import linear_call as linear_call
from perspicax.diagnose.facade import on_demand as _on_demand
from perspicax.transform.custom import custom_jvp as custom_jvp
from perspicax.transform.custom import custom_vjp as custom_vjp
from perspicax.transform.custom_primitives import custom_jvp_call as custom_jvp_call_p
from perspicax.transform.custom_primitives import custom_vjp_call as custom_vjp_call_p
from perspicax.transform.symbolic_zeros import CustomVJPPrimal as CustomVJPPrimal
from perspicax.transform.symbolic_zeros import SymbolicZero as SymbolicZero

__getattr__, __dir__ = _on_demand(__name__, absent=("remat_opt_p",))

__all__ = [
    "CustomVJPPrimal", "SymbolicZero", "closure_convert", "custom_gradient", "custom_jvp", "custom_jvp_call_p",
    "custom_vjp", "custom_vjp_call_p", "custom_vjp_primal_tree_values", "linear_call", "zero_from_primal",
]
