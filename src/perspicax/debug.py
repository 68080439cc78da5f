"""`jax.debug`: looking at the values of a running program."""
from perspicax.api.debugger import breakpoint as breakpoint
from perspicax.api.sharding_display import inspect_array_sharding as inspect_array_sharding
from perspicax.api.sharding_display import visualize_array_sharding as visualize_array_sharding
from perspicax.api.sharding_display import visualize_sharding as visualize_sharding
from perspicax.lax.debug_callback import DebugEffect as DebugEffect
from perspicax.lax.debug_callback import OrderedDebugEffect as OrderedDebugEffect
from perspicax.lax.debug_callback import callback as callback
from perspicax.lax.debug_callback import log as log
from perspicax.lax.debug_callback import print as print

__all__ = ["DebugEffect", "OrderedDebugEffect", "breakpoint", "callback", "inspect_array_sharding", "log", "print",
           "visualize_array_sharding", "visualize_sharding"]
