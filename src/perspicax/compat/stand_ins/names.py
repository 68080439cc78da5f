"""Single private names of JAX that libraries mention when they are imported."""
from typing import Any

from perspicax.experimental.checkify import JaxRuntimeError as JaxException

Out = Any  # in `jax._src.checkify`, a type variable for annotations

__all__ = ["JaxException", "Out"]
