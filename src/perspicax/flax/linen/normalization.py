"""Layers that bring their inputs to mean 0 and variance 1: `flax.linen.normalization`."""
from __future__ import annotations

from typing import Any

import perspicax.numpy as jnp
from perspicax.diagnose.facade import on_demand
from perspicax.diagnose.report import Fix
from perspicax.flax.linen import initializers
from perspicax.flax.linen.layer_errors import LayerInputError, LayerOptionError, described, layer_at
from perspicax.flax.linen.module import Module, compact, merge_param, nowrap
from perspicax.flax.linen.moments import axes_of, moments, normalized
from perspicax.flax.typing import Array, Axes, Dtype, Initializer

__all__ = ["BatchNorm", "GroupNorm", "InstanceNorm", "LayerNorm", "RMSNorm", "SpectralNorm", "WeightNorm"]  # noqa: F822 (the last two are fetched)

# They stand on the lifted transformations, which few models with a normalization load.
__getattr__, __dir__ = on_demand(__name__, names=dict.fromkeys(("SpectralNorm", "WeightNorm"),
                                                               "perspicax.flax.linen.weight_norms"))


def _statistics(module: Any, x: Any, axes: tuple[int, ...], mask: Any, use_mean: bool = True) -> tuple[Any, Any]:
    """The moments that the fields of a layer ask for."""
    return moments(x, axes, module.dtype, axis_name=module.axis_name, axis_index_groups=module.axis_index_groups,
                   use_mean=use_mean, use_fast_variance=module.use_fast_variance, mask=mask,
                   force_float32_reductions=module.force_float32_reductions)


class BatchNorm(Module):
    """Normalize each feature over the batch, and remember mean and variance for later.

    Attributes:
        use_running_average: whether the remembered mean and variance are used, as when a model is evaluated; otherwise
            those of the batch are, and are remembered. May be given at the call instead.
        axis: the feature axis, or axes; all others are averaged.
        momentum: the share of what was remembered that stays at each call.
        epsilon: added to the variance.
        dtype: the dtype of the result; by default what input and parameters promote to.
        param_dtype: the dtype of the parameters.
        use_bias: whether a bias is added.
        use_scale: whether there is a scale.
        bias_init: the initializer of the bias.
        scale_init: the initializer of the scale.
        axis_name: a mapped axis over which is averaged too, except by `init`.
        axis_index_groups: the groups of devices of that axis, each averaged for itself.
        use_fast_variance: whether the variance is computed in one pass, which loses digits where the mean is large.
        force_float32_reductions: whether narrower dtypes are averaged in float32.

    Parameters: `scale` and `bias`, of the shape of the feature axes. Collection `batch_stats`: `mean` and `var`, likewise,
    float32; it must be mutable where the batch's own are used.

    Ioffe and Szegedy, Batch Normalization (2015).
    """

    use_running_average: bool | None = None
    axis: int = -1
    momentum: float = 0.99
    epsilon: float = 1e-5
    dtype: Dtype | None = None
    param_dtype: Dtype = jnp.float32
    use_bias: bool = True
    use_scale: bool = True
    bias_init: Initializer = initializers.zeros
    scale_init: Initializer = initializers.ones
    axis_name: str | None = None
    axis_index_groups: Any = None
    use_fast_variance: bool = True
    force_float32_reductions: bool = True

    @compact
    def __call__(self, x: Array, use_running_average: bool | None = None, *, mask: Array | None = None) -> Array:
        """Apply the layer.

        Args:
            x: an array.
            use_running_average: as the field, one of which must be given.
            mask: which elements count for mean and variance; of a shape that broadcasts to that of `x`.

        Returns:
            An array of the same shape.

        Raises:
            MergeParamError: `use_running_average` was given twice, or not at all.
            ModifyScopeVariableError: mean and variance are to be remembered, and `batch_stats` is not mutable.
        """
        remembered = merge_param("use_running_average", self.use_running_average, use_running_average)
        features = axes_of(self, x, self.axis)
        reduced = tuple([axis for axis in range(jnp.ndim(x)) if axis not in features])
        shape = tuple([jnp.shape(x)[axis] for axis in features])
        ra_mean: Any = self.variable("batch_stats", "mean", lambda s: jnp.zeros(s, jnp.float32), shape)
        ra_var: Any = self.variable("batch_stats", "var", lambda s: jnp.ones(s, jnp.float32), shape)
        if remembered:
            mean, var = ra_mean.value, ra_var.value
        else:
            mean, var = moments(
                x, reduced, self.dtype, axis_name=None if self.is_initializing() else self.axis_name,
                axis_index_groups=self.axis_index_groups, use_fast_variance=self.use_fast_variance, mask=mask,
                force_float32_reductions=self.force_float32_reductions)
            if not self.is_initializing():
                ra_mean.value = self.momentum * ra_mean.value + (1 - self.momentum) * mean
                ra_var.value = self.momentum * ra_var.value + (1 - self.momentum) * var
        return normalized(self, x, mean, var, reduced, features, self.bias_init if self.use_bias else None)


class LayerNorm(Module):
    """Normalize each example over its features.

    Attributes:
        epsilon: added to the variance.
        dtype: the dtype of the result; by default what input and parameters promote to.
        param_dtype: the dtype of the parameters.
        use_bias: whether a bias is added.
        use_scale: whether there is a scale.
        bias_init: the initializer of the bias.
        scale_init: the initializer of the scale.
        reduction_axes: the axes that are averaged.
        feature_axes: the axes that have a scale and a bias of their own.
        axis_name: a mapped axis over which is averaged too.
        axis_index_groups: the groups of devices of that axis, each averaged for itself.
        use_fast_variance: whether the variance is computed in one pass, which loses digits where the mean is large.
        force_float32_reductions: whether narrower dtypes are averaged in float32.

    Parameters: `scale` and `bias`, of the shape of `feature_axes`.

    Ba, Kiros and Hinton, Layer Normalization (2016).
    """

    epsilon: float = 1e-6
    dtype: Dtype | None = None
    param_dtype: Dtype = jnp.float32
    use_bias: bool = True
    use_scale: bool = True
    bias_init: Initializer = initializers.zeros
    scale_init: Initializer = initializers.ones
    reduction_axes: Axes = -1
    feature_axes: Axes = -1
    axis_name: str | None = None
    axis_index_groups: Any = None
    use_fast_variance: bool = True
    force_float32_reductions: bool = True

    @compact
    def __call__(self, x: Array, *, mask: Array | None = None) -> Array:
        """Apply the layer.

        Args:
            x: an array.
            mask: which elements count for mean and variance; of a shape that broadcasts to that of `x`.

        Returns:
            An array of the same shape.
        """
        reduced, features = axes_of(self, x, self.reduction_axes), axes_of(self, x, self.feature_axes)
        mean, var = _statistics(self, x, reduced, mask)
        return normalized(self, x, mean, var, reduced, features, self.bias_init if self.use_bias else None)


class RMSNorm(Module):
    """Divide each example by the root of the mean square of its features.

    Attributes:
        epsilon: added to the mean square.
        dtype: the dtype of the result; by default what input and parameters promote to.
        param_dtype: the dtype of the parameters.
        use_scale: whether there is a scale.
        scale_init: the initializer of the scale.
        reduction_axes: the axes that are averaged.
        feature_axes: the axes that have a scale of their own.
        axis_name: a mapped axis over which is averaged too.
        axis_index_groups: the groups of devices of that axis, each averaged for itself.
        use_fast_variance: has no effect, since no mean is subtracted.
        force_float32_reductions: whether narrower dtypes are averaged in float32.

    Parameters: `scale`, of the shape of `feature_axes`.

    Zhang and Sennrich, Root Mean Square Layer Normalization (2019).
    """

    epsilon: float = 1e-6
    dtype: Dtype | None = None
    param_dtype: Dtype = jnp.float32
    use_scale: bool = True
    scale_init: Initializer = initializers.ones
    reduction_axes: Axes = -1
    feature_axes: Axes = -1
    axis_name: str | None = None
    axis_index_groups: Any = None
    use_fast_variance: bool = True
    force_float32_reductions: bool = True

    @compact
    def __call__(self, x: Array, *, mask: Array | None = None) -> Array:
        """Apply the layer.

        Args:
            x: an array.
            mask: which elements count for the mean; of a shape that broadcasts to that of `x`.

        Returns:
            An array of the same shape.
        """
        reduced, features = axes_of(self, x, self.reduction_axes), axes_of(self, x, self.feature_axes)
        mean, var = _statistics(self, x, reduced, mask, use_mean=False)
        return normalized(self, x, mean, var, reduced, features, None)


class GroupNorm(Module):
    """Normalize each example over groups of its channels, together with the spatial axes.

    Attributes:
        num_groups: how many groups there are; `None` if `group_size` is given.
        group_size: how many channels are a group.
        epsilon: added to the variance.
        dtype: the dtype of the result; by default what input and parameters promote to.
        param_dtype: the dtype of the parameters.
        use_bias: whether a bias is added.
        use_scale: whether there is a scale.
        bias_init: the initializer of the bias.
        scale_init: the initializer of the scale.
        reduction_axes: the axes that are averaged, the last one among them; by default all but the first.
        axis_name: a mapped axis over which is averaged too.
        axis_index_groups: the groups of devices of that axis, each averaged for itself.
        use_fast_variance: whether the variance is computed in one pass, which loses digits where the mean is large.
        force_float32_reductions: whether narrower dtypes are averaged in float32.

    Parameters: `scale` and `bias`, of shape `[channels]`.

    Wu and He, Group Normalization (2018).
    """

    num_groups: int | None = 32
    group_size: int | None = None
    epsilon: float = 1e-6
    dtype: Dtype | None = None
    param_dtype: Dtype = jnp.float32
    use_bias: bool = True
    use_scale: bool = True
    bias_init: Initializer = initializers.zeros
    scale_init: Initializer = initializers.ones
    reduction_axes: Axes | None = None
    axis_name: str | None = None
    axis_index_groups: Any = None
    use_fast_variance: bool = True
    force_float32_reductions: bool = True

    @compact
    def __call__(self, x: Array, *, mask: Array | None = None) -> Array:
        """Apply the layer.

        Args:
            x: an array `[batch, ..., channels]`.
            mask: which elements count for mean and variance; of a shape that broadcasts to that of `x`.

        Returns:
            An array of the same shape.

        Raises:
            LayerOptionError: both of `num_groups` and `group_size` are given, or neither; or `reduction_axes` lacks the last.
            LayerInputError: the channels do not divide into the groups.
        """
        last = jnp.ndim(x) - 1
        reduced = (*range(1, last), last) if self.reduction_axes is None else axes_of(self, x, self.reduction_axes)
        if last not in reduced:
            raise LayerOptionError(says=f"`reduction_axes` of {layer_at(self)} lacks the last axis, which has the channels.",
                                   why="the channels of a group are averaged together",
                                   fixes=(Fix(code=f"reduction_axes={(*reduced, last)}"),))
        groups, size = self._groups(x)
        shape = jnp.shape(x)
        if mask is not None:
            mask = jnp.broadcast_to(mask, shape).reshape((*shape[:-1], groups, size))
        inner = tuple([axis for axis in reduced if axis != last])
        mean, var = _statistics(self, jnp.reshape(x, (*shape[:-1], groups, size)), (*inner, last + 1), mask)
        mean, var = jnp.repeat(mean, size, axis=-1), jnp.repeat(var, size, axis=-1)
        return normalized(self, x, mean, var, inner, (last,), self.bias_init if self.use_bias else None)

    @nowrap
    def _groups(self, x: Any) -> tuple[int, int]:
        """How many groups there are, and how many channels each has."""
        channels = jnp.shape(x)[-1]
        if (self.num_groups is None) == (self.group_size is None):
            raise LayerOptionError(
                says=f"{layer_at(self)[0].upper()}{layer_at(self)[1:]} has "
                     f"{'both' if self.group_size is not None else 'neither'} of `num_groups` and `group_size`.",
                why="one of them says how the channels are divided; `num_groups` is 32 unless it is set to `None`",
                fixes=(Fix(code=f"nn.GroupNorm(num_groups=None, group_size={self.group_size or 8})"),))
        wanted = self.group_size if self.num_groups is None else self.num_groups
        if not wanted or channels % wanted:
            field = "group_size" if self.num_groups is None else "num_groups"
            divisors = [n for n in range(1, channels + 1) if channels % n == 0]
            raise LayerInputError(
                says=f"The input of {layer_at(self)} has {channels} channels, which do not divide by `{field}`, {wanted}.",
                why="all groups have the same number of channels",
                fixes=(Fix(f"{channels} channels divide by {', '.join(map(str, divisors[-6:]))}"),),
                notes=(f"the input is {described(x)}",))
        return (channels // wanted, wanted) if self.num_groups is None else (wanted, channels // wanted)


class InstanceNorm(Module):
    """Normalize each channel of each example over the spatial axes.

    Attributes:
        epsilon: added to the variance.
        dtype: the dtype of the result; by default what input and parameters promote to.
        param_dtype: the dtype of the parameters.
        use_bias: whether a bias is added.
        use_scale: whether there is a scale.
        bias_init: the initializer of the bias.
        scale_init: the initializer of the scale.
        feature_axes: the axes of the channels; all others but the first are averaged.
        axis_name: a mapped axis over which is averaged too.
        axis_index_groups: the groups of devices of that axis, each averaged for itself.
        use_fast_variance: whether the variance is computed in one pass, which loses digits where the mean is large.
        force_float32_reductions: whether narrower dtypes are averaged in float32.

    Parameters: `scale` and `bias`, of the shape of `feature_axes`.

    Ulyanov, Vedaldi and Lempitsky, Instance Normalization (2016).
    """

    epsilon: float = 1e-6
    dtype: Dtype | None = None
    param_dtype: Dtype = jnp.float32
    use_bias: bool = True
    use_scale: bool = True
    bias_init: Initializer = initializers.zeros
    scale_init: Initializer = initializers.ones
    feature_axes: Axes = -1
    axis_name: str | None = None
    axis_index_groups: Any = None
    use_fast_variance: bool = True
    force_float32_reductions: bool = True

    @compact
    def __call__(self, x: Array, *, mask: Array | None = None) -> Array:
        """Apply the layer.

        Args:
            x: an array `[batch, ...]`.
            mask: which elements count for mean and variance; of a shape that broadcasts to that of `x`.

        Returns:
            An array of the same shape.

        Raises:
            LayerOptionError: `feature_axes` has the first axis.
        """
        features = axes_of(self, x, self.feature_axes)
        if 0 in features:
            raise LayerOptionError(says=f"`feature_axes` of {layer_at(self)} has the first axis, which is the batch.",
                                   why="each example is normalized for itself")
        reduced = tuple([axis for axis in range(1, jnp.ndim(x)) if axis not in features])
        mean, var = _statistics(self, x, reduced, mask)
        return normalized(self, x, mean, var, reduced, features, self.bias_init if self.use_bias else None)
