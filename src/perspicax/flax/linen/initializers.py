"""First values of parameters: those of `jax.nn.initializers`, and two that are made by a call as the others are."""
from __future__ import annotations

from perspicax.nn.initializers import (
    Initializer,
    constant,
    delta_orthogonal,
    glorot_normal,
    glorot_uniform,
    he_normal,
    he_uniform,
    kaiming_normal,
    kaiming_uniform,
    lecun_normal,
    lecun_uniform,
    normal,
    ones,
    orthogonal,
    truncated_normal,
    uniform,
    variance_scaling,
    xavier_normal,
    xavier_uniform,
    zeros,
)

__all__ = [
    "Initializer", "constant", "delta_orthogonal", "glorot_normal", "glorot_uniform", "he_normal", "he_uniform",
    "kaiming_normal", "kaiming_uniform", "lecun_normal", "lecun_uniform", "normal", "ones", "ones_init", "orthogonal",
    "truncated_normal", "uniform", "variance_scaling", "xavier_normal", "xavier_uniform", "zeros", "zeros_init",
]


def zeros_init() -> Initializer:
    """An initializer that fills with 0.

    >>> zeros_init()(perspicax.random.key(0), (2,), jnp.float32)
    Array([0., 0.], dtype=float32)
    """
    return zeros


def ones_init() -> Initializer:
    """An initializer that fills with 1.

    >>> ones_init()(perspicax.random.key(0), (2,), jnp.float32)
    Array([1., 1.], dtype=float32)
    """
    return ones
