"""`jax.experimental.pjit`: the older name of `jit`."""
from perspicax.api.jit import pjit as pjit

__all__ = ["pjit"]
