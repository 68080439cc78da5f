"""Activation functions: those of `jax.nn`, and one that has a parameter."""
from __future__ import annotations

from typing import Any

import perspicax.numpy as jnp
from perspicax.flax.linen.module import Module, compact
from perspicax.flax.typing import Array, Dtype
from perspicax.nn import (
    celu,
    elu,
    gelu,
    glu,
    hard_sigmoid,
    hard_silu,
    hard_swish,
    hard_tanh,
    leaky_relu,
    log_sigmoid,
    log_softmax,
    logsumexp,
    one_hot,
    relu,
    relu6,
    selu,
    sigmoid,
    silu,
    soft_sign,
    softmax,
    softplus,
    standardize,
    swish,
)
from perspicax.numpy import tanh

__all__ = [
    "PReLU", "celu", "elu", "gelu", "glu", "hard_sigmoid", "hard_silu", "hard_swish", "hard_tanh", "leaky_relu",
    "log_sigmoid", "log_softmax", "logsumexp", "normalize", "one_hot", "relu", "relu6", "selu", "sigmoid", "silu",
    "soft_sign", "softmax", "softplus", "standardize", "swish", "tanh",
]

normalize = standardize


class PReLU(Module):
    """A rectifier with a slope for negative inputs that is learnt: `x` or `negative_slope * x`.

    Attributes:
        param_dtype: the dtype of the parameter.
        negative_slope_init: its first value.

    Parameters: `negative_slope`, a scalar.

    He, Zhang, Ren and Sun, Delving Deep into Rectifiers (2015).
    """

    param_dtype: Dtype = jnp.float32
    negative_slope_init: float = 0.01

    @compact
    def __call__(self, inputs: Array) -> Array:
        """Apply the layer.

        Args:
            inputs: a real array of any shape.

        Returns:
            An array of the same shape and dtype.
        """
        def first(_: Any) -> Any:
            return jnp.asarray(self.negative_slope_init, self.param_dtype)

        slope: Any = self.param("negative_slope", first)
        return jnp.where(inputs >= 0, inputs, jnp.asarray(slope, jnp.result_type(inputs)) * inputs)
