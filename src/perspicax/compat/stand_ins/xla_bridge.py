"""Stands for `jax._src.xla_bridge`: chex asks whether a client was made, before it sets the number of CPU devices."""
from perspicax.xla.client import _clients as _backends

__all__ = ["_backends"]
