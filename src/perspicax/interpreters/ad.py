"""Derivative rules of primitives: `jax.interpreters.ad`."""
from perspicax.api.user_primitives import defbilinear as defbilinear
from perspicax.api.user_primitives import defjvp as defjvp
from perspicax.api.user_primitives import defjvp2 as defjvp2
from perspicax.api.user_primitives import deflinear as deflinear
from perspicax.api.user_primitives import deflinear2 as deflinear2
from perspicax.api.user_primitives import get_primitive_transpose as get_primitive_transpose
from perspicax.api.user_primitives import primitive_jvps as primitive_jvps
from perspicax.api.user_primitives import primitive_transposes as primitive_transposes
from perspicax.api.user_primitives import zeros_like_aval as zeros_like_aval
from perspicax.core.trace import Linear as UndefinedPrimal
from perspicax.core.trace import Zero as Zero
from perspicax.core.trace import is_linear as is_undefined_primal
from perspicax.diagnose.facade import on_demand as _on_demand
from perspicax.lax.elementwise import add_any as add_jaxvals
from perspicax.lax.elementwise import add_any_p as add_jaxvals_p
from perspicax.transform.hooks import add_tangents as add_tangents
from perspicax.transform.hooks import instantiate as instantiate_zeros
from perspicax.transform.jvp import JVPTrace as JVPTrace
from perspicax.transform.jvp import JVPTracer as JVPTracer

__getattr__, __dir__ = _on_demand(__name__, absent=("jvp", "linearize"))

__all__ = [
    "JVPTrace", "JVPTracer", "UndefinedPrimal", "Zero", "add_jaxvals", "add_jaxvals_p", "add_tangents", "defbilinear",
    "defjvp", "defjvp2", "deflinear", "deflinear2", "get_primitive_transpose", "instantiate_zeros",
    "is_undefined_primal", "primitive_jvps", "primitive_transposes", "zeros_like_aval",
]
