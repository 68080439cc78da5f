"""Layers that draw random numbers when they are applied."""
from __future__ import annotations

from collections.abc import Sequence

import perspicax.lax as lax
import perspicax.numpy as jnp
import perspicax.random as random
from perspicax.flax.linen.module import Module, compact, merge_param
from perspicax.flax.typing import Array, PRNGKey

__all__ = ["Dropout"]


class Dropout(Module):
    """Set inputs to zero at random, and scale the others so that the mean stays.

    Attributes:
        rate: the probability of a zero.
        broadcast_dims: axes along which inputs are dropped together.
        deterministic: whether inputs pass unchanged, as when a model is evaluated. May be given at the call instead.
        rng_collection: the stream of random keys: `rngs={"dropout": key}`.

    Srivastava, Hinton, Krizhevsky, Sutskever and Salakhutdinov, Journal of Machine Learning Research 15 (2014).
    """

    rate: float
    broadcast_dims: Sequence[int] = ()
    deterministic: bool | None = None
    rng_collection: str = "dropout"

    @compact
    def __call__(self, inputs: Array, deterministic: bool | None = None, rng: PRNGKey | None = None) -> Array:
        """Apply the layer.

        Args:
            inputs: an array of any shape.
            deterministic: as the field, one of which must be given.
            rng: a random key; by default one of the stream.

        Returns:
            An array of the same shape and dtype.

        Raises:
            MergeParamError: `deterministic` was given twice, or not at all.
            InvalidRngError: a key is needed, and `rngs` does not have the stream.
        """
        passes = merge_param("deterministic", self.deterministic, deterministic)
        if self.rate == 0.0 or passes:
            return inputs
        if self.rate == 1.0:  # dividing by the chance of being kept would give NaNs
            return jnp.zeros_like(inputs)
        kept = 1.0 - self.rate
        key = self.make_rng(self.rng_collection) if rng is None else rng
        shape = list(jnp.shape(inputs))
        for axis in self.broadcast_dims:
            shape[axis] = 1
        mask = jnp.broadcast_to(random.bernoulli(key, kept, tuple(shape)), jnp.shape(inputs))
        return lax.select(mask, inputs / kept, jnp.zeros_like(inputs))
