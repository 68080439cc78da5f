"""Normalization as functions of a scope: of each feature over the batch, of each example over its features."""
from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import perspicax.numpy as jnp
from perspicax import lax
from perspicax.flax.core.scope import Scope
from perspicax.flax.linen import initializers
from perspicax.flax.linen.layer_errors import LayerInputError, LayerOptionError, described
from perspicax.flax.linen.moments import moments
from perspicax.flax.traceback_util import api_boundary
from perspicax.flax.typing import Array, Axes, Dtype, Initializer

__all__ = ["batch_norm", "group_norm", "layer_norm"]


@api_boundary
def batch_norm(scope: Scope, x: Array, use_running_average: bool = False, axis: Axes = -1, momentum: float = 0.99,
               epsilon: float = 1e-5, dtype: Dtype = jnp.float32, bias: bool = True, scale: bool = True,
               bias_init: Initializer = initializers.zeros, scale_init: Initializer = initializers.ones,
               axis_name: str | None = None, axis_index_groups: Any = None, kind: str = "batch_stats") -> Array:
    """Normalize each feature over the batch, and remember mean and variance for later.

    Args:
        scope: holds the parameters `scale` and `bias`, and `mean` and `var` in the collection `kind`.
        x: an array.
        use_running_average: whether the remembered mean and variance are used; otherwise the batch's are, and are
            remembered, except by the call that makes the variables.
        axis: the feature axis, or axes; all others are averaged.
        momentum: the share of what was remembered that stays at each call.
        epsilon: added to the variance.
        dtype: the dtype of the result.
        bias: whether a bias is added.
        scale: whether there is a scale.
        bias_init: the initializer of the bias.
        scale_init: the initializer of the scale.
        axis_name: a mapped axis over which is averaged too, except by the call that makes the variables.
        axis_index_groups: the groups of devices of that axis, each averaged for itself.
        kind: the collection of `mean` and `var`, which must be mutable where they are remembered.

    Returns:
        An array of the same shape.

    Raises:
        LayerInputError: the input lacks a feature axis.
        ModifyScopeVariableError: mean and variance are to be remembered, and `kind` is not mutable.

    Ioffe and Szegedy, Batch Normalization (2015).
    """
    x = jnp.asarray(x, jnp.float32)
    features = _from_front("batch_norm", x, axis)
    averaged = tuple([axis for axis in range(jnp.ndim(x)) if axis not in features])
    shape = tuple([jnp.shape(x)[axis] for axis in features])
    made_here = not scope.has_variable(kind, "mean")
    known_mean = scope.variable(kind, "mean", lambda: jnp.zeros(shape, jnp.float32))
    known_var = scope.variable(kind, "var", lambda: jnp.ones(shape, jnp.float32))
    if use_running_average:
        mean, var = known_mean.value, known_var.value
    else:
        mean, var = moments(x, averaged, jnp.float32, axis_name=None if made_here else axis_name,
                            axis_index_groups=axis_index_groups)
        if not made_here:
            known_mean.value = momentum * known_mean.value + (1 - momentum) * mean
            known_var.value = momentum * known_var.value + (1 - momentum) * var
    spread = tuple([size if axis in features else 1 for axis, size in enumerate(jnp.shape(x))])
    factor: Any = lax.rsqrt(jnp.reshape(var, spread) + epsilon)
    if scale:
        factor *= jnp.reshape(scope.param("scale", scale_init, shape), spread)
    y: Any = (x - jnp.reshape(mean, spread)) * factor
    if bias:
        y += jnp.reshape(scope.param("bias", bias_init, shape), spread)
    return jnp.asarray(y, dtype)


@api_boundary
def layer_norm(scope: Scope, x: Array, epsilon: float = 1e-6, dtype: Dtype = jnp.float32, bias: bool = True,
               scale: bool = True, bias_init: Initializer = initializers.zeros,
               scale_init: Initializer = initializers.ones) -> Array:
    """Normalize each example over its last axis.

    Args:
        scope: holds the parameters `scale` and `bias`, `[n]`.
        x: an array `[..., n]`.
        epsilon: added to the variance.
        dtype: the dtype of scale and bias in the computation.
        bias: whether a bias is added.
        scale: whether there is a scale.
        bias_init: the initializer of the bias.
        scale_init: the initializer of the scale.

    Returns:
        An array of the same shape, of the dtype that `x` and `dtype` promote to.

    Raises:
        LayerInputError: the input has no axis.

    Ba, Kiros and Hinton, Layer Normalization (2016).
    """
    (last,) = _from_front("layer_norm", x, -1)
    size = jnp.shape(x)[last]
    mean, var = [jnp.expand_dims(value, last) for value in moments(x, (last,), None, force_float32_reductions=False)]
    factor: Any = lax.rsqrt(var + epsilon)
    if scale:
        factor = factor * jnp.asarray(scope.param("scale", scale_init, (size,)), dtype)
    y: Any = (x - mean) * factor
    return y + jnp.asarray(scope.param("bias", bias_init, (size,)), dtype) if bias else y


@api_boundary
def group_norm(scope: Scope, x: Array, num_groups: int | None = 32, group_size: int | None = None, epsilon: float = 1e-6,
               dtype: Dtype = jnp.float32, bias: bool = True, scale: bool = True,
               bias_init: Initializer = initializers.zeros, scale_init: Initializer = initializers.ones) -> Array:
    """Normalize each example over groups of channels and all places.

    Args:
        scope: holds the parameters `scale` and `bias`, `[1, ..., channels]` with an axis for each one of the input.
        x: an array `[batch, ..., channels]`.
        num_groups: into how many groups the channels are divided; or `None`.
        group_size: how many channels a group has; one of the two is given.
        epsilon: added to the variance.
        dtype: the dtype of the result.
        bias: whether a bias is added.
        scale: whether there is a scale.
        bias_init: the initializer of the bias.
        scale_init: the initializer of the scale.

    Returns:
        An array of the same shape.

    Raises:
        LayerOptionError: both `num_groups` and `group_size` were given, or neither.
        LayerInputError: the channels cannot be divided so.

    Wu and He, Group Normalization (2018).
    """
    x = jnp.asarray(x, jnp.float32)
    shape = jnp.shape(x)
    groups = _groups(x, shape[-1], num_groups, group_size)
    grouped = jnp.reshape(x, (*shape[:-1], groups, shape[-1] // groups))
    averaged = (*range(1, len(shape) - 1), len(shape))
    mean, var = [jnp.expand_dims(value, averaged) for value in moments(grouped, averaged, jnp.float32)]
    y: Any = jnp.reshape((grouped - mean) * lax.rsqrt(var + epsilon), shape)
    own = (*[1] * (len(shape) - 1), shape[-1])
    if scale:
        y *= scope.param("scale", scale_init, own)
    if bias:
        y += scope.param("bias", bias_init, own)
    return jnp.asarray(y, dtype)


def _groups(x: Any, channels: int, num_groups: int | None, group_size: int | None) -> int:
    if (num_groups is None) == (group_size is None):
        raise LayerOptionError(says="`group_norm` takes either `num_groups` or `group_size`; "
                                    f"{'neither was' if num_groups is None else 'both were'} given.",
                               why="one follows from the other; `num_groups` is 32 where it is not given")
    divisor = group_size if num_groups is None else num_groups
    if not divisor or divisor < 1 or channels % divisor:
        asked = f"{num_groups} groups" if group_size is None else f"groups of {group_size}"
        raise LayerInputError(says=f"`group_norm` was to divide the {channels} channels of {described(x)} into {asked}.",
                              why="each group has the same number of channels")
    return channels // divisor if num_groups is None else divisor


def _from_front(function: str, x: Any, axis: Axes) -> tuple[int, ...]:
    asked: Sequence[int] = (axis,) if isinstance(axis, int) else tuple(axis)
    ndim = jnp.ndim(x)
    found = tuple([each + ndim if each < 0 else each for each in asked])
    for each, given in zip(found, asked, strict=True):
        if not 0 <= each < ndim:
            raise LayerInputError(says=f"The input of `{function}` is {described(x)}; it has no axis {given}.",
                                  why="the axis has a scale of its own")
    return found
