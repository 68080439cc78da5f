"""Functions that neural networks are made of: `jax.nn`."""

from perspicax.diagnose.facade import on_demand as _on_demand
from perspicax.nn.activations import (
    celu,
    elu,
    gelu,
    glu,
    hard_sigmoid,
    hard_silu,
    hard_swish,
    hard_tanh,
    identity,
    leaky_relu,
    log1mexp,
    log_sigmoid,
    mish,
    relu,
    relu6,
    selu,
    sigmoid,
    silu,
    soft_sign,
    softplus,
    sparse_plus,
    sparse_sigmoid,
    squareplus,
    swish,
    tanh,
)
from perspicax.nn.normalizing import log_softmax, logmeanexp, one_hot, softmax, standardize
from perspicax.numpy.log_sums import logsumexp

__getattr__, __dir__ = _on_demand(__name__, modules=("initializers",), names={
    "dot_product_attention": "perspicax.nn.attention", "get_scaled_dot_general_config": "perspicax.nn.block_scaled",
    "scaled_dot_general": "perspicax.nn.block_scaled", "scaled_matmul": "perspicax.nn.block_scaled",
})

__all__ = [
    "celu", "dot_product_attention", "elu", "gelu", "get_scaled_dot_general_config", "glu", "hard_sigmoid", "hard_silu",
    "hard_swish", "hard_tanh", "identity", "initializers", "leaky_relu", "log1mexp", "log_sigmoid", "log_softmax",
    "logmeanexp", "logsumexp", "mish", "one_hot", "relu", "relu6", "scaled_dot_general", "scaled_matmul", "selu",
    "sigmoid", "silu", "soft_sign", "softmax", "softplus", "sparse_plus", "sparse_sigmoid", "squareplus", "standardize",
    "swish", "tanh",
]
