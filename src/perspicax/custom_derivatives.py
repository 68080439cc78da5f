"""Derivatives of the user's own: `jax.custom_derivatives`."""
from perspicax.diagnose.facade import on_demand as _on_demand
from perspicax.transform.custom import CustomVJPPrimal as CustomVJPPrimal
from perspicax.transform.custom import SymbolicZero as SymbolicZero
from perspicax.transform.custom import custom_jvp as custom_jvp
from perspicax.transform.custom import custom_vjp as custom_vjp
from perspicax.transform.custom_primitives import custom_jvp_call as custom_jvp_call_p
from perspicax.transform.custom_primitives import custom_vjp_call as custom_vjp_call_p

__getattr__, __dir__ = _on_demand(__name__, absent=(
    "closure_convert", "custom_gradient", "custom_vjp_primal_tree_values", "linear_call",
    "remat_opt_p", "zero_from_primal"))

__all__ = ["CustomVJPPrimal", "SymbolicZero", "custom_jvp", "custom_jvp_call_p", "custom_vjp", "custom_vjp_call_p"]
