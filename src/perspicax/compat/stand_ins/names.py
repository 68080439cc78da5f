"""Single private names of JAX that libraries mention when they are imported."""
from typing import Any

from perspicax.core.config import local
from perspicax.experimental.checkify import JaxRuntimeError as JaxException

Out = Any  # in `jax._src.checkify`, a type variable for annotations



def trace_state_clean() -> bool:
    """Whether no transformation is under way: libraries ask before they keep a function for later."""
    return local.trace.base


__all__ = ["JaxException", "Out", "trace_state_clean"]
