"""Layers as functions of a scope: `flax.core.nn`. The modules of `flax.linen` are the usual way to write a model."""
from perspicax.flax.core.nn.attention import dot_product_attention as dot_product_attention
from perspicax.flax.core.nn.attention import multi_head_dot_product_attention as multi_head_dot_product_attention
from perspicax.flax.core.nn.linear import Embedding as Embedding
from perspicax.flax.core.nn.linear import conv as conv
from perspicax.flax.core.nn.linear import conv_transpose as conv_transpose
from perspicax.flax.core.nn.linear import dense as dense
from perspicax.flax.core.nn.linear import dense_general as dense_general
from perspicax.flax.core.nn.linear import embedding as embedding
from perspicax.flax.core.nn.normalization import batch_norm as batch_norm
from perspicax.flax.core.nn.normalization import group_norm as group_norm
from perspicax.flax.core.nn.normalization import layer_norm as layer_norm
from perspicax.flax.core.nn.stochastic import dropout as dropout
from perspicax.flax.linen import initializers as initializers
from perspicax.flax.linen.activation import celu as celu
from perspicax.flax.linen.activation import elu as elu
from perspicax.flax.linen.activation import gelu as gelu
from perspicax.flax.linen.activation import glu as glu
from perspicax.flax.linen.activation import leaky_relu as leaky_relu
from perspicax.flax.linen.activation import log_sigmoid as log_sigmoid
from perspicax.flax.linen.activation import log_softmax as log_softmax
from perspicax.flax.linen.activation import relu as relu
from perspicax.flax.linen.activation import sigmoid as sigmoid
from perspicax.flax.linen.activation import silu as silu
from perspicax.flax.linen.activation import soft_sign as soft_sign
from perspicax.flax.linen.activation import softmax as softmax
from perspicax.flax.linen.activation import softplus as softplus
from perspicax.flax.linen.activation import swish as swish
from perspicax.flax.linen.activation import tanh as tanh
from perspicax.flax.linen.pooling import avg_pool as avg_pool
from perspicax.flax.linen.pooling import max_pool as max_pool

__all__ = [
    "Embedding", "avg_pool", "batch_norm", "celu", "conv", "conv_transpose", "dense", "dense_general",
    "dot_product_attention", "dropout", "elu", "embedding", "gelu", "glu", "group_norm", "initializers", "layer_norm",
    "leaky_relu", "log_sigmoid", "log_softmax", "max_pool", "multi_head_dot_product_attention", "relu", "sigmoid", "silu",
    "soft_sign", "softmax", "softplus", "swish", "tanh",
]
