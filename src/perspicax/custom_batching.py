"""Batching rules of the user's own: `jax.custom_batching`."""
from perspicax.api.custom_rules import sequential_vmap as sequential_vmap
from perspicax.transform.custom_vmap import custom_vmap as custom_vmap

__all__ = ["custom_vmap", "sequential_vmap"]
