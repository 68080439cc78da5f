"""Resizing, and scaling with translation: each axis is resampled by a matrix of weights.

Entry `i` of an axis covers `i … i + 1`, so its centre is at `i + 1/2`. The weights of one output are a kernel around the
place in the input that its centre comes from, and add up to 1. With antialiasing the kernel is as wide as the outputs
are, where these are wider than the inputs.
"""
from __future__ import annotations

import enum
import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

import perspicax.numpy as jnp
from perspicax.core.array import Array
from perspicax.core.avals import canonical_shape
from perspicax.diagnose.boundary import public
from perspicax.image.errors import ResizeError
from perspicax.lax.contraction import dot_general
from perspicax.lax.precision import Precision
from perspicax.numpy.axes import many_axes
from perspicax.numpy.fusion import fused_call
from perspicax.numpy.promote import array_like, promote_dtypes

# Weights whose sum is no more than this are none: the place lies outside of every kernel.
NO_WEIGHT = 1000 * float(np.finfo(np.float32).eps)


class ResizeMethod(enum.Enum):
    """How an image is resampled.

    `NEAREST` takes the nearest entry; `LINEAR` is the triangle kernel; `CUBIC` that of Keys with a = -1/2;
    `CUBIC_PYTORCH` the same, but with a = -3/4 and edges that go on where there is no antialiasing; `LANCZOS3` and
    `LANCZOS5` are windowed sines of radius 3 and 5; `AREA` is the mean of what each output covers.
    """

    NEAREST = 0
    LINEAR = 1
    LANCZOS3 = 2
    LANCZOS5 = 3
    CUBIC = 4
    CUBIC_PYTORCH = 5
    AREA = 6

    @staticmethod
    def from_string(s: str) -> ResizeMethod:
        """The method of a name: `nearest`, `linear` (or `bilinear`, `trilinear`, `triangle`), `cubic` (or `bicubic`,
        `tricubic`), `cubic-pytorch` (or `bicubic-pytorch`), `lanczos3`, `lanczos5`, `area`.

        Raises:
            ResizeError: no method has this name.
        """
        found = _BY_NAME.get(s)
        if found is None:
            from difflib import get_close_matches  # only an error needs it

            near = get_close_matches(str(s), _BY_NAME, 3)
            raise ResizeError(says=f"There is no resize method {s!r}.",
                              why=f"did you mean {' or '.join(map(repr, near))}?" if near else
                                  f"the names are {', '.join(_BY_NAME)}")
        return found


_BY_NAME = {
    "nearest": ResizeMethod.NEAREST, "linear": ResizeMethod.LINEAR, "bilinear": ResizeMethod.LINEAR,
    "trilinear": ResizeMethod.LINEAR, "triangle": ResizeMethod.LINEAR, "cubic": ResizeMethod.CUBIC,
    "bicubic": ResizeMethod.CUBIC, "tricubic": ResizeMethod.CUBIC, "cubic-pytorch": ResizeMethod.CUBIC_PYTORCH,
    "bicubic-pytorch": ResizeMethod.CUBIC_PYTORCH, "lanczos3": ResizeMethod.LANCZOS3, "lanczos5": ResizeMethod.LANCZOS5,
    "area": ResizeMethod.AREA,
}


# -- kernels: functions of the distance from the centre, which is not negative

def _triangle(x: Any) -> Any:
    return jnp.maximum(0., 1. - x)


def _cubic(a: float) -> Callable[[Any], Any]:
    """Keys, Cubic Convolution Interpolation for Digital Image Processing (1981), equation 8."""
    def kernel(x: Any) -> Any:
        near = ((a + 2.) * x - (a + 3.)) * x * x + 1.
        far = ((a * x - 5. * a) * x + 8. * a) * x - 4. * a
        return jnp.where(x >= 2., 0., jnp.where(x >= 1., far, near))

    return kernel


def _lanczos(radius: float) -> Callable[[Any], Any]:
    """sinc(x) sinc(x / radius), 0 from `radius` on (Duchon, Lanczos Filtering in One and Two Dimensions, 1979)."""
    def kernel(x: Any) -> Any:
        product = radius * jnp.sin(np.pi * x) * jnp.sin(np.pi * x / radius)
        squared = jnp.where(x != 0., np.pi ** 2 * x ** 2, 1)
        return jnp.where(x > radius, 0., jnp.where(x > 1e-3, product / squared, 1))

    return kernel


def _kernel(method: ResizeMethod) -> Callable[[Any], Any]:
    match method:
        case ResizeMethod.LINEAR:
            return _triangle
        case ResizeMethod.LANCZOS3:
            return _lanczos(3.)
        case ResizeMethod.LANCZOS5:
            return _lanczos(5.)
    return _cubic(-0.5)


# -- weights

def _weights(old: int, new: int, scale: Any, translation: Any, method: ResizeMethod, antialias: bool) -> Any:
    """The matrix `[old, new]` of weights of one axis."""
    step = 1. / scale
    dtype = jnp.result_type(step, np.float32)
    outputs, inputs = jnp.arange(new, dtype=dtype), jnp.arange(old, dtype=dtype)
    centres = (outputs + 0.5) * step - translation * step - 0.5
    if method is ResizeMethod.AREA:
        start = outputs * step - translation * step
        end = start + step
        covered = jnp.minimum(end[None, :], inputs[:, None] + 1.) - jnp.maximum(start[None, :], inputs[:, None])
        weights = jnp.maximum(0., covered)
    elif method is ResizeMethod.CUBIC_PYTORCH and not antialias:  # beyond the edges the image goes on as it ends
        beyond = jnp.arange(-2, old + 2)
        weights = _cubic(-0.75)(jnp.abs(centres[None, :] - beyond.astype(dtype)[:, None]))
        weights = jnp.zeros((old, new), weights.dtype).at[jnp.clip(beyond, 0, old - 1)].add(weights)
    else:
        width = jnp.maximum(step, 1.) if antialias else 1.
        weights = _kernel(method)(jnp.abs(centres[None, :] - inputs[:, None]) / width)
    total = jnp.sum(weights, axis=0, keepdims=True)
    weights = jnp.where(jnp.abs(total) > NO_WEIGHT, weights / jnp.where(total != 0, total, 1), 0)
    inside = jnp.logical_and(centres >= -0.5, centres <= old - 0.5)
    return jnp.where(inside[None, :], weights, 0)


def _resampled(x: Any, *factors: Any, shape: tuple[int, ...], axes: tuple[int, ...], method: ResizeMethod,
               antialias: bool, precision: Any) -> Any:
    scales, translations = factors[:len(axes)], factors[len(axes):]
    weights = [_weights(x.shape[axis], shape[axis], scale, translation, method, antialias).astype(x.dtype)
               for axis, scale, translation in zip(axes, scales, translations)]
    order = list(range(x.ndim))  # the axes as they stand now: each product puts one to an end, and one transposition is enough
    for axis, matrix in zip(axes, weights):
        place = order.index(axis)
        if axis == axes[0]:
            x = dot_general(matrix, x, (((0,), (place,)), ((), ())), precision=precision)
            order.insert(0, order.pop(place))
        else:
            x = dot_general(x, matrix, (((place,), (0,)), ((), ())), precision=precision)
            order.append(order.pop(place))
    return jnp.transpose(x, [order.index(axis) for axis in range(x.ndim)])


def _nearest(x: Any, *, shape: tuple[int, ...]) -> Any:
    for axis, (old, new) in enumerate(zip(x.shape, shape)):
        if old != new:
            places = jnp.floor((jnp.arange(new, dtype=np.float32) + 0.5) * old / new).astype(np.int32)
            x = jnp.take(x, places, axis=axis, mode="clip")
    return x


# -- arguments

def _image(function: str, image: Any, shape: Any, method: Any) -> tuple[Any, tuple[int, ...], ResizeMethod]:
    x = jnp.asarray(array_like(image, f"jax.image.{function}"))
    sizes = canonical_shape(shape)
    if len(sizes) != x.ndim:
        raise ResizeError(says=f"`{function}` was given {x.aval.str_short()} and the shape {sizes}.",
                          why=f"the shape has one size for each axis of the image: {x.ndim}")
    return x, sizes, method if isinstance(method, ResizeMethod) else ResizeMethod.from_string(method)


def _inexact(x: Any) -> Any:
    return promote_dtypes(x, inexact=True)[0]


@public
def resize(image: Any, shape: Sequence[int], method: str | ResizeMethod, antialias: bool = True,
           precision: Any = Precision.HIGHEST) -> Array:
    """An image of another size.

    Args:
        image: array of any number of axes; integers become floating, but for the method `nearest`.
        shape: of the result: one size for each axis. Axes whose size stays are left alone.
        method: a `ResizeMethod` or its name.
        antialias: whether to widen the kernel where the image becomes smaller, so that all of it counts.
        precision: of the products, as for `lax.dot_general`.

    Returns:
        Array of this shape.

    Raises:
        ResizeError: the shape has another number of axes, there is no such method, or an axis without entries is to get
            some.

    >>> resize(jnp.array([0., 1.]), (4,), "linear")
    Array([0.  , 0.25, 0.75, 1.  ], dtype=float32)
    """
    x, sizes, chosen = _image("resize", image, shape, method)
    axes = tuple([i for i, (old, new) in enumerate(zip(x.shape, sizes)) if old != new])
    if any(not x.shape[i] for i in axes):
        raise ResizeError(says=f"`resize` was given {x.aval.str_short()} and the shape {sizes}.",
                          why="nothing can be made of an axis without entries")
    if chosen is ResizeMethod.NEAREST:
        return fused_call(_nearest, (x,), shape=sizes) if axes else x
    x = _inexact(x)
    if not axes:
        return x
    factors = [1. if sizes[i] == 0 else sizes[i] / x.shape[i] for i in axes]
    return fused_call(_resampled, (x, *factors, *[0.] * len(axes)), shape=sizes, axes=axes, method=chosen,
                      antialias=bool(antialias), precision=precision)


@public
def scale_and_translate(image: Any, shape: Sequence[int], spatial_dims: Sequence[int], scale: Any, translation: Any,
                        method: str | ResizeMethod, antialias: bool = True, precision: Any = Precision.HIGHEST) -> Array:
    """An image scaled and moved along some of its axes: what was at `p` is then at `scale * p + translation`.

    Args:
        image: array of any number of axes; integers become floating.
        shape: of the result: one size for each axis, that of the image for the others.
        spatial_dims: the `k` axes along which it is scaled.
        scale: array `[k]`.
        translation: array `[k]`.
        method: a `ResizeMethod` other than `NEAREST`, or its name.
        antialias: whether to widen the kernel where the image becomes smaller.
        precision: of the products, as for `lax.dot_general`.

    Returns:
        Array of this shape, 0 where nothing of the image comes to be. It can be differentiated in `scale` and
        `translation`.

    Raises:
        ResizeError: the shape, the scales or translations do not fit the axes; or the method is none of these.
        AxisError: there is no such axis.
    """
    x, sizes, chosen = _image("scale_and_translate", image, shape, method)
    if chosen is ResizeMethod.NEAREST:
        raise ResizeError(says="`scale_and_translate` does not serve the method `nearest`.",
                          why="the nearest entry does not follow the scale smoothly; `resize` has this method")
    axes = many_axes(tuple(spatial_dims), x.ndim, "scale_and_translate")
    scales, translations = [jnp.asarray(array_like(v, "scale_and_translate", i))
                            for i, v in ((3, scale), (4, translation))]
    if scales.shape != (len(axes),) or translations.shape != (len(axes),):
        raise ResizeError(says=f"`scale_and_translate` was given scales {scales.aval.str_short()} and translations "
                               f"{translations.aval.str_short()} for {len(axes)} axes.",
                          why="there is one number of each for each axis of `spatial_dims`")
    other = [i for i, (old, new) in enumerate(zip(x.shape, sizes)) if old != new and i not in axes]
    if other:
        raise ResizeError(says=f"`scale_and_translate` was given {x.aval.str_short()} and the shape {sizes}.",
                          why=f"axis {other[0]} is none of those that are scaled, {axes}, and keeps its size")
    x = _inexact(x)
    if any(not math.prod(v) for v in (x.shape, sizes)):
        return jnp.zeros(sizes, x.dtype)
    return fused_call(_resampled, (x, *[scales[i] for i in range(len(axes))], *[translations[i] for i in range(len(axes))]),
                      shape=sizes, axes=axes, method=chosen, antialias=bool(antialias), precision=precision)


__all__ = ["ResizeMethod", "resize", "scale_and_translate"]
