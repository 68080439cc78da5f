"""Initializers whose variance follows from how many inputs and outputs a weight connects."""
from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

import perspicax.numpy as jnp
from perspicax.core import dtypes
from perspicax.core.array import Array
from perspicax.core.avals import canonical_shape
from perspicax.diagnose.boundary import public
from perspicax.nn.errors import InitializerError
from perspicax.nn.initializers.filling import Initializer, dtype_of, placed, scaled
from perspicax.numpy.axes import many_axes
from perspicax.random import keys, sampling

MODES = ("fan_in", "fan_out", "fan_avg", "fan_geo_avg")
DISTRIBUTIONS = ("truncated_normal", "normal", "uniform")
# Standard deviation of a standard normal variable between -2 and 2; and the scale by which JAX divides complex ones
# whose absolute value is below 2, sqrt(1 - 5 exp(-4)).
REAL_TRUNCATED, COMPLEX_TRUNCATED = .87962566103423978, .95311164380491208

Axes = int | Sequence[int]


def _fans(shape: tuple[int, ...], in_axis: Axes, out_axis: Axes, batch_axis: Axes) -> tuple[float, float]:
    """How many inputs one output has, and how many outputs one input: what lies in no axis is a receptive field."""
    if len(shape) <= 1:
        raise InitializerError(
            says=f"`variance_scaling` was given the shape {shape}: its numbers of inputs and outputs are not known.",
            why="they are the sizes of `in_axis` and `out_axis`, which are axes -2 and -1 unless they are given; a vector "
                "has one axis alone")
    found = [math.prod([shape[a] for a in many_axes(axes, len(shape), "variance_scaling")])
             for axes in (in_axis, out_axis, batch_axis)]
    inputs, outputs, batch = found
    if 0 in found:
        return float(inputs), float(outputs)
    field = math.prod(shape) / inputs / outputs / batch
    return inputs * field, outputs * field


def variance_scaling(scale: Any, mode: str, distribution: str, in_axis: Axes = -2, out_axis: Axes = -1,
                     batch_axis: Axes = (), dtype: Any = None) -> Initializer:
    """An initializer with mean 0 and variance `scale / n`, where `n` follows from the shape.

    Args:
        scale: number.
        mode: `n` is the number of inputs (`"fan_in"`), of outputs (`"fan_out"`), their mean (`"fan_avg"`) or their
            geometric mean (`"fan_geo_avg"`).
        distribution: `"truncated_normal"` (between -2 and 2 standard deviations), `"normal"` or `"uniform"`.
        in_axis: the axis, or axes, of inputs.
        out_axis: the axis, or axes, of outputs.
        batch_axis: axes that count for neither. What is left is a receptive field, which multiplies both.
        dtype: of the parameter, where the initializer is not given another one; floating or complex.

    The initializer raises:
        InitializerError: mode or distribution is none of these; or the shape has fewer than two axes, or no inputs.
        AxisError: the shape has no such axis.

    >>> variance_scaling(1., "fan_in", "normal")(jax.random.key(0), (3, 4)).shape
    (3, 4)
    """
    @public
    def init(key: Any, shape: Sequence[int], dtype: Any = dtype, out_sharding: Any = None) -> Array:
        chosen = dtype_of(dtype, None)
        sizes = canonical_shape(shape)
        fan_in, fan_out = _fans(sizes, in_axis, out_axis, batch_axis)
        n = {"fan_in": fan_in, "fan_out": fan_out, "fan_avg": (fan_in + fan_out) / 2,
             "fan_geo_avg": math.sqrt(fan_in * fan_out)}.get(mode)
        _check_choice("mode", mode, MODES)
        _check_choice("distribution", distribution, DISTRIBUTIONS)
        if not n:
            raise InitializerError(says=f"`variance_scaling` with mode={mode!r} was given the shape {sizes}.",
                                   why="the variance is `scale / n`, and n is 0 here: an axis has size 0")
        sample = _complex_sample if dtypes.issubdtype(chosen, np.complexfloating) else _sample
        return placed(sample(key, sizes, chosen, distribution, _variance(scale, n, chosen)), out_sharding,
                      "variance_scaling")

    return init


def _check_choice(option: str, given: Any, choices: tuple[str, ...]) -> None:
    if given not in choices:
        raise InitializerError(says=f"`variance_scaling` was given {option}={given!r}.",
                               why=f"it is one of {', '.join(map(repr, choices))}")


def _variance(scale: Any, n: float, dtype: Any) -> Any:
    """`scale / n` in the parameter's dtype; of a Python number a NumPy one, so that no kernel is compiled for it.

    Square roots and quotients are rounded correctly by both.
    """
    if isinstance(scale, Array):
        return jnp.asarray(jnp.true_divide(scale, n), dtype)
    return np.asarray(scale / n, dtype)


def _root(x: Any) -> Any:
    return jnp.sqrt(x) if isinstance(x, Array) else np.sqrt(np.maximum(x, x.dtype.type(0)) if x >= 0 else x * np.nan)


def _divided(x: Any, by: float, dtype: Any) -> Any:
    divisor = np.asarray(by, dtype)
    return jnp.true_divide(x, divisor) if isinstance(x, Array) else (x / divisor).astype(dtype)


def _sample(key: Any, shape: tuple, dtype: Any, distribution: str, variance: Any) -> Any:
    if distribution == "uniform":
        samples = sampling.uniform(key, shape, dtype, -1)
        three = np.asarray(3, dtype)
        width = jnp.multiply(three, variance) if isinstance(variance, Array) else (three * variance).astype(dtype)
        return scaled(samples, _root(width))
    if distribution == "normal":
        return scaled(sampling.normal(key, shape, dtype), _root(variance))
    samples = sampling.truncated_normal(key, -2, 2, shape, dtype)
    return scaled(samples, _divided(_root(variance), REAL_TRUNCATED, dtype))


def _complex_sample(key: Any, shape: tuple, dtype: Any, distribution: str, variance: Any) -> Any:
    """In the complex plane: of a normal distribution, of one cut off at 2, or uniform in the disc of radius sqrt(2)."""
    if distribution == "normal":
        return jnp.multiply(sampling.normal(key, shape, dtype), jnp.sqrt(variance))
    real = dtypes.finfo(dtype).dtype
    radius_key, angle_key = keys.split(key)
    u = sampling.uniform(radius_key, shape, real).astype(dtype)
    if distribution == "uniform":
        radius = jnp.sqrt(jnp.multiply(2, u.astype(real))).astype(dtype)
        scale = jnp.sqrt(variance)
    else:
        mass = jnp.subtract(1, jnp.exp(jnp.asarray(-4, dtype)))  # of the disc of radius 2
        radius = jnp.sqrt(jnp.negative(jnp.log(jnp.subtract(1, jnp.multiply(mass, u)))))
        scale = jnp.true_divide(jnp.sqrt(variance), np.asarray(COMPLEX_TRUNCATED, dtype))
    angle = jnp.multiply(2 * np.pi, sampling.uniform(angle_key, shape, real).astype(dtype))
    return jnp.multiply(jnp.multiply(radius, jnp.exp(jnp.multiply(1j, angle))), scale)


# -- the usual choices of scale, mode and distribution

def glorot_uniform(in_axis: Axes = -2, out_axis: Axes = -1, batch_axis: Axes = (), dtype: Any = None) -> Initializer:
    """`variance_scaling(1, "fan_avg", "uniform")`, also known as Xavier (Glorot and Bengio, 2010)."""
    return variance_scaling(1.0, "fan_avg", "uniform", in_axis, out_axis, batch_axis, dtype)


def glorot_normal(in_axis: Axes = -2, out_axis: Axes = -1, batch_axis: Axes = (), dtype: Any = None) -> Initializer:
    """`variance_scaling(1, "fan_avg", "truncated_normal")`, also known as Xavier (Glorot and Bengio, 2010)."""
    return variance_scaling(1.0, "fan_avg", "truncated_normal", in_axis, out_axis, batch_axis, dtype)


def lecun_uniform(in_axis: Axes = -2, out_axis: Axes = -1, batch_axis: Axes = (), dtype: Any = None) -> Initializer:
    """`variance_scaling(1, "fan_in", "uniform")` (LeCun, Bottou, Orr and Müller, Efficient BackProp, 1998)."""
    return variance_scaling(1.0, "fan_in", "uniform", in_axis, out_axis, batch_axis, dtype)


def lecun_normal(in_axis: Axes = -2, out_axis: Axes = -1, batch_axis: Axes = (), dtype: Any = None) -> Initializer:
    """`variance_scaling(1, "fan_in", "truncated_normal")` (LeCun, Bottou, Orr and Müller, Efficient BackProp, 1998)."""
    return variance_scaling(1.0, "fan_in", "truncated_normal", in_axis, out_axis, batch_axis, dtype)


def he_uniform(in_axis: Axes = -2, out_axis: Axes = -1, batch_axis: Axes = (), dtype: Any = None) -> Initializer:
    """`variance_scaling(2, "fan_in", "uniform")`, also known as Kaiming (He, Zhang, Ren and Sun, 2015)."""
    return variance_scaling(2.0, "fan_in", "uniform", in_axis, out_axis, batch_axis, dtype)


def he_normal(in_axis: Axes = -2, out_axis: Axes = -1, batch_axis: Axes = (), dtype: Any = None) -> Initializer:
    """`variance_scaling(2, "fan_in", "truncated_normal")`, also known as Kaiming (He, Zhang, Ren and Sun, 2015)."""
    return variance_scaling(2.0, "fan_in", "truncated_normal", in_axis, out_axis, batch_axis, dtype)


xavier_uniform, xavier_normal, kaiming_uniform, kaiming_normal = glorot_uniform, glorot_normal, he_uniform, he_normal

__all__ = ["glorot_normal", "glorot_uniform", "he_normal", "he_uniform", "kaiming_normal", "kaiming_uniform",
           "lecun_normal", "lecun_uniform", "variance_scaling", "xavier_normal", "xavier_uniform"]
