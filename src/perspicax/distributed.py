"""Programs of several processes: `jax.distributed`."""
from perspicax.api.distributed import initialize as initialize
from perspicax.api.distributed import is_initialized as is_initialized
from perspicax.api.distributed import shutdown as shutdown

__all__ = ["initialize", "is_initialized", "shutdown"]
