"""Products with a kernel, convolutions and tables of vectors, as functions of a scope.

Each is the module of Linen of that name, with the scope in the place of one of its own: parameters lie in it directly.
"""
from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import perspicax.numpy as jnp
from perspicax import lax
from perspicax.flax.core.scope import Scope
from perspicax.flax.linen import initializers
from perspicax.flax.linen.dense import Dense, DenseGeneral
from perspicax.flax.linen.layer_errors import LayerInputError, LayerOptionError, described
from perspicax.flax.traceback_util import api_boundary
from perspicax.flax.typing import Array, Dtype, Initializer, PaddingLike, PrecisionLike

__all__ = ["Embedding", "conv", "conv_transpose", "dense", "dense_general", "embedding"]

default_kernel_init = initializers.lecun_normal()
default_embed_init = initializers.variance_scaling(1.0, "fan_in", "normal", out_axis=0)


@api_boundary
def dense(scope: Scope, inputs: Array, features: int, bias: bool = True, dtype: Dtype = jnp.float32,
          precision: PrecisionLike = None, kernel_init: Initializer = default_kernel_init,
          bias_init: Initializer = initializers.zeros) -> Array:
    """A matrix product over the last axis, plus a bias.

    Args:
        scope: holds the parameters `kernel`, `[n, features]`, and `bias`, `[features]`.
        inputs: an array `[..., n]`.
        features: how many outputs there are.
        bias: whether a bias is added.
        dtype: the dtype of the computation.
        precision: of the product, as in `lax.dot_general`.
        kernel_init: the initializer of the kernel.
        bias_init: the initializer of the bias.

    Returns:
        An array `[..., features]`.

    Raises:
        ScopeParamShapeError: the parameters were made for another number of inputs.
    """
    layer: Any = Dense
    return layer(features, use_bias=bias, dtype=dtype, precision=precision, kernel_init=kernel_init, bias_init=bias_init,
                 parent=scope)(inputs)


@api_boundary
def dense_general(scope: Scope, inputs: Array, features: int | Sequence[int], axis: int | Sequence[int] = -1,
                  batch_dims: Sequence[int] = (), bias: bool = True, dtype: Dtype = jnp.float32,
                  kernel_init: Initializer = default_kernel_init, bias_init: Initializer = initializers.zeros,
                  precision: PrecisionLike = None) -> Array:
    """A product over any axes of the inputs, plus a bias.

    Args:
        scope: holds the parameters `kernel`, of batch axes, summed axes and `features`, and `bias`.
        inputs: an array that has the axes `axis` and `batch_dims`.
        features: the shape of the outputs, an int or a sequence.
        axis: the axis or axes that are summed over.
        batch_dims: axes that inputs and kernel share, which must be the first ones; they begin with equal parameters.
        bias: whether a bias is added.
        dtype: the dtype of the computation.
        kernel_init: the initializer of the kernel; it is called with the shape of a matrix.
        bias_init: the initializer of the bias; it is called with one axis.
        precision: of the product, as in `lax.dot_general`.

    Returns:
        An array: batch axes, then the other axes of the inputs, then `features`.

    Raises:
        LayerOptionError: `batch_dims` are not the first axes.
        LayerInputError: the inputs lack an axis.
        ScopeParamShapeError: the parameters were made for other inputs.
    """
    copies = math.prod([jnp.shape(inputs)[i] for i in batch_dims if i < jnp.ndim(inputs)])
    if copies > 1:
        kernel_init, bias_init = _repeated(kernel_init, copies), _repeated(bias_init, copies)
    layer: Any = DenseGeneral
    inputs, axis = _in_order(inputs, axis)
    return layer(features, axis=axis, batch_dims=batch_dims, use_bias=bias, dtype=dtype, kernel_init=kernel_init,
                 bias_init=bias_init, precision=precision, parent=scope)(inputs)


def _in_order(inputs: Array, axis: int | Sequence[int]) -> tuple[Array, int | Sequence[int]]:
    """The inputs with the axes to sum in the order of their names, which is that of the kernel's axes here."""
    ndim = jnp.ndim(inputs)
    axes = [a % ndim for a in axis if -ndim <= a < ndim] if isinstance(axis, Sequence) else []
    places = sorted(axes)
    if axes == places or len(set(axes)) != len(tuple(axis)):  # type: ignore[arg-type]
        return inputs, axis  # as they stand; what is wrong with the axes the layer tells
    order = list(range(ndim))
    for place, a in zip(places, axes):
        order[place] = a
    return jnp.transpose(inputs, order), tuple(places)


def _repeated(init_fn: Initializer, copies: int) -> Initializer:
    """An initializer that makes the same values for each entry of the batch axes, which come first."""
    def init(key: Any, shape: Sequence[int], dtype: Any = jnp.float32) -> Any:
        return jnp.concatenate([init_fn(key, (shape[0] // copies, *shape[1:]), dtype)] * copies)

    return init


@api_boundary
def conv(scope: Scope, inputs: Array, features: int, kernel_size: Sequence[int], strides: Sequence[int] | None = None,
         padding: PaddingLike = "SAME", input_dilation: Sequence[int] | None = None,
         kernel_dilation: Sequence[int] | None = None, feature_group_count: int = 1, bias: bool = True,
         dtype: Dtype = jnp.float32, precision: PrecisionLike = None, kernel_init: Initializer = default_kernel_init,
         bias_init: Initializer = initializers.zeros) -> Array:
    """A convolution, plus a bias.

    Args:
        scope: holds the parameters `kernel`, `[*kernel_size, channels / groups, features]`, and `bias`, `[features]`.
        inputs: an array `[batch, *spatial, channels]`.
        features: how many output channels there are.
        kernel_size: the shape of the window.
        strides: how far the window moves, for each spatial axis; 1 by default.
        padding: `"SAME"`, `"VALID"` (both for inputs that are not dilated), or pairs (low, high).
        input_dilation: the distance that inputs are moved apart, for each spatial axis.
        kernel_dilation: the distance that entries of the kernel are moved apart.
        feature_group_count: into how many groups the channels are divided.
        bias: whether a bias is added.
        dtype: the dtype of the computation.
        precision: of the convolution, as in `lax.conv_general_dilated`.
        kernel_init: the initializer of the kernel.
        bias_init: the initializer of the bias.

    Returns:
        An array `[batch, *spatial, features]`.

    Raises:
        LayerInputError: the inputs have another number of axes.
        LayerOptionError: the channels cannot be divided so.
        ScopeParamShapeError: the parameters were made for another number of channels.
    """
    x = _checked_images("conv", inputs, kernel_size, dtype)
    if x.shape[-1] % feature_group_count:
        raise LayerOptionError(says=f"`conv` was to divide {x.shape[-1]} channels into {feature_group_count} groups.",
                               why="each group has the same number of channels")
    kernel = scope.param("kernel", kernel_init, (*kernel_size, x.shape[-1] // feature_group_count, features))
    y = lax.conv_general_dilated(
        x, jnp.asarray(kernel, dtype), _ones(strides, kernel_size), padding, lhs_dilation=input_dilation,
        rhs_dilation=kernel_dilation, dimension_numbers=_layout(x.ndim), feature_group_count=feature_group_count,
        precision=precision)
    return _with_bias(scope, y, features, bias, bias_init, dtype)


@api_boundary
def conv_transpose(scope: Scope, inputs: Array, features: int, kernel_size: Sequence[int],
                   strides: Sequence[int] | None = None, padding: PaddingLike = "SAME",
                   kernel_dilation: Sequence[int] | None = None, bias: bool = True, dtype: Dtype = jnp.float32,
                   precision: PrecisionLike = None, kernel_init: Initializer = default_kernel_init,
                   bias_init: Initializer = initializers.zeros) -> Array:
    """A transposed convolution, plus a bias.

    Args:
        scope: holds the parameters `kernel`, `[*kernel_size, channels, features]`, and `bias`, `[features]`.
        inputs: an array `[batch, *spatial, channels]`.
        features: how many output channels there are.
        kernel_size: the shape of the window.
        strides: by how much the spatial axes grow; 1 by default.
        padding: `"SAME"`, `"VALID"`, or pairs (low, high).
        kernel_dilation: the distance that entries of the kernel are moved apart.
        bias: whether a bias is added.
        dtype: the dtype of the computation.
        precision: of the convolution, as in `lax.conv_transpose`.
        kernel_init: the initializer of the kernel.
        bias_init: the initializer of the bias.

    Returns:
        An array `[batch, *spatial, features]`.

    Raises:
        LayerInputError: the inputs have another number of axes.
        ScopeParamShapeError: the parameters were made for another number of channels.
    """
    x = _checked_images("conv_transpose", inputs, kernel_size, dtype)
    kernel = scope.param("kernel", kernel_init, (*kernel_size, x.shape[-1], features))
    y = lax.conv_transpose(x, jnp.asarray(kernel, dtype), _ones(strides, kernel_size), padding,
                           rhs_dilation=kernel_dilation, precision=precision)
    return _with_bias(scope, y, features, bias, bias_init, dtype)


def _checked_images(function: str, inputs: Array, kernel_size: Sequence[int], dtype: Dtype) -> Any:
    x: Any = jnp.asarray(inputs, dtype)
    if x.ndim != len(kernel_size) + 2:
        raise LayerInputError(says=f"The input of `{function}` is {described(inputs)}, and `kernel_size` has "
                                   f"{len(kernel_size)} axes.",
                              why="the axes of the input are the batch, one for each axis of the kernel, and channels")
    return x


def _ones(strides: Sequence[int] | None, kernel_size: Sequence[int]) -> Sequence[int]:
    return strides or (1,) * len(kernel_size)


def _layout(ndim: int) -> lax.ConvDimensionNumbers:
    """Channels last, and the kernel's in the last two axes."""
    spatial = range(1, ndim - 1)
    return lax.ConvDimensionNumbers((0, ndim - 1, *spatial), (ndim - 1, ndim - 2, *range(ndim - 2)), (0, ndim - 1, *spatial))


def _with_bias(scope: Scope, y: Any, features: int, bias: bool, bias_init: Initializer, dtype: Dtype) -> Any:
    return y + jnp.asarray(scope.param("bias", bias_init, (features,)), dtype) if bias else y


@dataclass
class Embedding:
    """A table of vectors.

    Attributes:
        table: an array `[number of vectors, features]`.
    """

    table: Any

    def lookup(self, inputs: Array) -> Array:
        """Pick vectors.

        Args:
            inputs: integers of any shape `[...]`.

        Returns:
            An array `[..., features]`.

        Raises:
            LayerInputError: the inputs are not integers.
        """
        if not jnp.issubdtype(jnp.result_type(inputs), jnp.integer):
            raise LayerInputError(says=f"The inputs of `Embedding.lookup` are {described(inputs)}; they must be integers.",
                                  why="an input is the number of a row of the table")
        found: Array = self.table[inputs]
        return found

    def attend(self, query: Array) -> Array:
        """The products of a query `[..., features]` with all vectors, `[..., number of vectors]`."""
        return jnp.dot(query, self.table.T)


@api_boundary
def embedding(scope: Scope, num_embeddings: int, features: int, init_fn: Initializer = default_embed_init) -> Embedding:
    """A table of vectors, one for each of some numbers.

    Args:
        scope: holds the parameter `table`, `[num_embeddings, features]`.
        num_embeddings: how many vectors there are.
        features: how long each is.
        init_fn: the initializer of the table.

    Returns:
        The table, whose `lookup` picks vectors and whose `attend` compares with all of them.
    """
    return Embedding(scope.param("table", init_fn, (num_embeddings, features)))
