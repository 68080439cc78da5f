"""`jax.memory`: the memories of a device, as places for `device_put`."""
from __future__ import annotations

from types import SimpleNamespace

from perspicax.lax.placement import MemorySpace

__all__ = ["memory"]

memory = SimpleNamespace(Space=MemorySpace)
"""A namespace, as in JAX."""
