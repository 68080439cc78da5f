"""The language: values' types, primitives, jaxprs and traces. As a module of the public API, it is `jax.core`."""

from perspicax.diagnose.facade import on_demand as _on_demand

__all__ = [
    "AbstractValue", "Atom", "ShapedArray", "Trace", "Tracer", "ensure_compile_time_eval", "eval_context", "eval_jaxpr",
    "max_dim", "min_dim",
]

# Fetched on first use: the files of this room import each other, and every one of them runs this file first.
__getattr__, __dir__ = _on_demand(__name__, names={
    "AbstractValue": "perspicax.core.avals",
    "Atom": "perspicax.core.jaxpr",
    "Effect": "perspicax.core.effects",
    "DeferringTrace": "perspicax.core.deferral",
    "MeetingDType": "perspicax.core.dtypes",
    "ShapedArray": "perspicax.core.avals",
    "Trace": "perspicax.core.trace",
    "Tracer": "perspicax.core.tracer",
    "at_once": "perspicax.core.deferral",
    "concrete_or_error": "perspicax.core.inspection",
    "deferring": "perspicax.core.deferral",
    "ensure_compile_time_eval": "perspicax.core.folding",
    "eval_context": "perspicax.core.folding",
    "eval_jaxpr": "perspicax.core.inspection",
    "find_top_trace": "perspicax.core.inspection",
    "get_opaque_trace_state": "perspicax.core.inspection",
    "max_dim": "perspicax.core.inspection",
    "min_dim": "perspicax.core.inspection",
    "pytype_aval_mappings": "perspicax.core.tracer:typers",
    "settled": "perspicax.core.deferral",
    "stand_in": "perspicax.core.deferral",
}, listed=__all__)  # what else is there belongs to the library itself
