"""Staging: `jax.interpreters.partial_eval`."""
from perspicax.core.trace import JaxprTracer as DynamicJaxprTracer
from perspicax.diagnose.facade import on_demand as _on_demand

__getattr__, __dir__ = _on_demand(__name__, absent=(
    "JaxprTracer", "PartialVal", "Val", "custom_partial_eval_rules", "dce_jaxpr", "dce_jaxpr_call_rule",
    "dce_jaxpr_closed_call_rule", "dce_jaxpr_consts", "dce_rules", "partial_eval_jaxpr_custom_rules",
    "trace_to_jaxpr_dynamic", "trace_to_jaxpr_nounits"))

__all__ = ["DynamicJaxprTracer"]
