"""Arrays of other libraries: `jax.dlpack`."""
from perspicax.api.dlpack import from_dlpack as from_dlpack
from perspicax.api.dlpack import is_supported_dtype as is_supported_dtype

__all__ = ["from_dlpack", "is_supported_dtype"]
