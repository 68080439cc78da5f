"""What finds the bugs that run silently; each on or off by the configuration.

`with perspicax.sanitize("keys,bounds"): ...` turns sanitizers on for a block.
"""
from perspicax.diagnose.facade import on_demand as _on_demand
from perspicax.sanitize.context import sanitizing as sanitizing

__getattr__, __dir__ = _on_demand(__name__, names={
    **dict.fromkeys(("DiscardedUpdate", "Finding", "KeyReuse", "LeakedTracer", "NonFinite", "OutOfBoundsIndex", "Recompilation",
                     "SideEffect", "SuspiciousBroadcast"), "perspicax.sanitize.findings"),
    **dict.fromkeys(("DtypePromotion", "DtypeTruncation", "IntegerOverflow"), "perspicax.sanitize.precision_findings"),
})

__all__ = [
    "DiscardedUpdate", "DtypePromotion", "DtypeTruncation", "Finding", "IntegerOverflow", "KeyReuse", "LeakedTracer",
    "NonFinite", "OutOfBoundsIndex", "Recompilation", "SideEffect", "SuspiciousBroadcast", "sanitizing",
]
