"""Staging, and parts of jaxprs: `jax.interpreters.partial_eval`."""
from perspicax.api.partial_evaluation import PartialVal as PartialVal
from perspicax.api.partial_evaluation import dce_jaxpr as dce_jaxpr
from perspicax.api.partial_evaluation import dce_jaxpr_call_rule as dce_jaxpr_call_rule
from perspicax.api.partial_evaluation import dce_jaxpr_closed_call_rule as dce_jaxpr_closed_call_rule
from perspicax.api.partial_evaluation import dce_jaxpr_consts as dce_jaxpr_consts
from perspicax.api.partial_evaluation import dce_rules as dce_rules
from perspicax.api.partial_evaluation import trace_to_jaxpr_dynamic as trace_to_jaxpr_dynamic
from perspicax.api.partial_evaluation import trace_to_jaxpr_nounits as trace_to_jaxpr_nounits
from perspicax.core.trace import JaxprTracer as DynamicJaxprTracer
from perspicax.diagnose.facade import on_demand as _on_demand

__getattr__, __dir__ = _on_demand(__name__, absent=(
    "JaxprTracer", "Val", "custom_partial_eval_rules", "partial_eval_jaxpr_custom_rules"))

__all__ = [
    "DynamicJaxprTracer", "PartialVal", "dce_jaxpr", "dce_jaxpr_call_rule", "dce_jaxpr_closed_call_rule",
    "dce_jaxpr_consts", "dce_rules", "trace_to_jaxpr_dynamic", "trace_to_jaxpr_nounits",
]
