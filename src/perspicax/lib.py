"""`jax.lib`: the version of jaxlib."""
from perspicax.binding.runtime import VERSION as __version__

__all__ = ["__version__"]
