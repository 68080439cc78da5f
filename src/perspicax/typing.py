"""Types for annotations: `jax.typing`."""
from perspicax.api.types import ArrayLike as ArrayLike
from perspicax.api.types import DTypeLike as DTypeLike

__all__ = ["ArrayLike", "DTypeLike"]
