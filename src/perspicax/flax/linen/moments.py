"""Mean and variance, and what normalization layers do with them."""
from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import perspicax.lax as lax
import perspicax.numpy as jnp
from perspicax.flax.linen.dtypes import canonicalize_dtype
from perspicax.flax.linen.layer_errors import LayerInputError, described, layer_at, parameter
from perspicax.flax.typing import Array, Axes, Dtype, Initializer

__all__ = ["axes_of", "moments", "normalized"]


def axes_of(module: Any, x: Any, axes: Axes) -> tuple[int, ...]:
    """The axes of a field, counted from the front and in their order there, which is that of the parameters' axes.

    Args:
        module: the layer, for reports.
        x: its input.
        axes: the field: one axis or several.

    Raises:
        LayerInputError: the input lacks one.
    """
    ndim = jnp.ndim(x)
    several = (axes,) if isinstance(axes, int) else tuple(axes)
    found = tuple([axis if axis >= 0 else axis + ndim for axis in several])
    for axis, asked in zip(found, several, strict=True):
        if not 0 <= axis < ndim:
            raise LayerInputError(says=f"The input of {layer_at(module)} is {described(x)}; it has no axis {asked}.",
                                  why="the layer's fields name the axes that are averaged, and those that have a scale of "
                                      "their own")
    return tuple(sorted(found))


def moments(x: Array, axes: Sequence[int], dtype: Dtype | None, *, axis_name: str | None = None, axis_index_groups: Any = None,
            use_mean: bool = True, use_fast_variance: bool = True, mask: Array | None = None,
            force_float32_reductions: bool = True) -> tuple[Any, Any]:
    """The mean and the variance.

    Args:
        x: an array.
        axes: those to average, counted from the front.
        dtype: the dtype of the computation; `None` for that of `x`.
        axis_name: a mapped axis over which is averaged too.
        axis_index_groups: the groups of devices of that axis, each averaged for itself.
        use_mean: whether the variance is that around the mean; otherwise the mean of the squares, and the mean is 0.
        use_fast_variance: whether it is the mean of the squares less the square of the mean. That takes one pass over the
            data, and loses digits where the mean is large.
        mask: which elements count.
        force_float32_reductions: whether narrower dtypes are averaged in float32.

    Returns:
        Mean and variance, without `axes`.
    """
    wide: Any = jnp.result_type(x) if dtype is None else dtype
    if force_float32_reductions:
        wide = jnp.promote_types(wide, jnp.float32)
    x = jnp.asarray(x, wide)

    def means(*values: Any) -> list[Any]:
        local = [jnp.mean(value, axes, where=mask) for value in values]
        if axis_name is None:
            return local
        stacked = lax.pmean(jnp.stack(local), axis_name, axis_index_groups=axis_index_groups)  # one message, not two
        return [stacked[i] for i in range(len(local))]

    if not use_mean:
        (var,) = means(_squared(x))
        return jnp.zeros_like(var), var
    if use_fast_variance:
        mean, squares = means(x, _squared(x))
        return mean, jnp.maximum(0.0, squares - _squared(mean))  # rounding may make it negative
    (mean,) = means(x)
    (var,) = means(_squared(x - jnp.expand_dims(mean, axes)))
    return mean, var


def _squared(x: Any) -> Any:
    """The square of the absolute value."""
    if jnp.iscomplexobj(x):
        return lax.square(lax.real(x)) + lax.square(lax.imag(x))
    return lax.square(x)


def normalized(module: Any, x: Array, mean: Array, var: Array, reduced: Sequence[int], features: Sequence[int],
               bias_init: Initializer | None) -> Any:
    """The input, shifted and scaled to mean 0 and variance 1, then scaled and shifted by parameters.

    Args:
        module: the layer. Its fields `epsilon`, `dtype`, `param_dtype`, `use_scale`, `scale_init` hold.
        x: its input.
        mean: the mean, without the axes `reduced`.
        var: the variance, likewise.
        reduced: the axes that were averaged, counted from the front.
        features: the axes that have a scale and a shift of their own.
        bias_init: the initializer of the shift; `None` if there is none.

    Returns:
        An array of the shape of `x`.
    """
    shape = jnp.shape(x)
    sizes = [shape[axis] for axis in features]
    spread = [size if axis in features else 1 for axis, size in enumerate(shape)]
    origins = [f"axis {axis} of the inputs" for axis in features]
    used = [x]
    y = x - jnp.expand_dims(mean, tuple(reduced))
    factor = lax.rsqrt(jnp.expand_dims(var, tuple(reduced)) + module.epsilon)
    if module.use_scale:
        scale = parameter(module, "scale", module.scale_init, sizes, module.param_dtype, origins)
        used.append(scale)
        factor *= jnp.reshape(scale, spread)
    y *= factor
    if bias_init is not None:
        bias = parameter(module, "bias", bias_init, sizes, module.param_dtype, origins)
        used.append(bias)
        y += jnp.reshape(bias, spread)
    return jnp.asarray(y, canonicalize_dtype(*used, dtype=module.dtype))
