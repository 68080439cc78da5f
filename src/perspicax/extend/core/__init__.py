"""Primitives and jaxprs, for libraries on top: `jax.extend.core`."""
from perspicax.api.user_primitives import Primitive as Primitive
from perspicax.core.avals import AbstractToken as AbstractToken
from perspicax.core.effects import NO_EFFECTS as no_effects
from perspicax.core.effects import Effect as Effect
from perspicax.core.effects import Effects as Effects
from perspicax.core.inspection import concrete_or_error as concrete_or_error
from perspicax.core.inspection import find_top_trace as find_top_trace
from perspicax.core.inspection import gensym as gensym
from perspicax.core.inspection import get_opaque_trace_state as get_opaque_trace_state
from perspicax.core.inspection import jaxpr_as_fun as jaxpr_as_fun
from perspicax.core.inspection import jaxprs_in_params as jaxprs_in_params
from perspicax.core.inspection import mapped_aval as mapped_aval
from perspicax.core.inspection import new_jaxpr_eqn as new_jaxpr_eqn
from perspicax.core.inspection import primal_dtype_to_tangent_dtype as primal_dtype_to_tangent_dtype
from perspicax.core.inspection import set_current_trace as set_current_trace
from perspicax.core.inspection import subjaxprs as subjaxprs
from perspicax.core.inspection import take_current_trace as take_current_trace
from perspicax.core.inspection import tracing as unsafe_am_i_under_a_jit_DO_NOT_USE
from perspicax.core.inspection import unmapped_aval as unmapped_aval
from perspicax.core.jaxpr import ClosedJaxpr as ClosedJaxpr
from perspicax.core.jaxpr import DebugInfo as DebugInfo
from perspicax.core.jaxpr import DropVar as DropVar
from perspicax.core.jaxpr import Jaxpr as Jaxpr
from perspicax.core.jaxpr import JaxprEqn as JaxprEqn
from perspicax.core.jaxpr import Literal as Literal
from perspicax.core.jaxpr import Var as Var
from perspicax.core.tracer import valid_jaxtype as valid_jaxtype
from perspicax.diagnose.facade import on_demand as _on_demand

__getattr__, __dir__ = _on_demand(__name__, modules=("primitives",), absent=(
    "CallPrimitive", "InconclusiveDimensionOperation", "JaxprTypeError", "Token", "TraceTag", "array_types", "call_impl",
    "check_jaxpr", "nonempty_axis_env_DO_NOT_USE", "unsafe_am_i_under_a_vmap_DO_NOT_USE",
    "unsafe_get_axis_names_DO_NOT_USE"))

__all__ = [
    "AbstractToken", "ClosedJaxpr", "DebugInfo", "DropVar", "Effect", "Effects", "Jaxpr", "JaxprEqn", "Literal",
    "Primitive", "Var", "concrete_or_error", "find_top_trace", "gensym", "get_opaque_trace_state", "jaxpr_as_fun",
    "jaxprs_in_params", "mapped_aval", "new_jaxpr_eqn", "no_effects", "primal_dtype_to_tangent_dtype",
    "set_current_trace", "subjaxprs", "take_current_trace", "unmapped_aval", "unsafe_am_i_under_a_jit_DO_NOT_USE",
    "valid_jaxtype",
]
