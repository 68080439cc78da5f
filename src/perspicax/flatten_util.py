"""Pytrees as vectors: `jax.flatten_util`."""
from perspicax.api.flattening import ravel_pytree as ravel_pytree

__all__ = ["ravel_pytree"]
