"""Further continuous distributions: functions of normal, exponential and uniform samples."""
from __future__ import annotations

import math
from typing import Any

import numpy as np

from perspicax.core import dtypes
from perspicax.core.tracer import get_aval
from perspicax.diagnose.boundary import public
from perspicax.lax.compare import le, lt, select
from perspicax.lax.convert import convert_element_type
from perspicax.lax.elementwise import add, div, integer_pow, log, mul, neg, sqrt, sub
from perspicax.lax.elementwise import pow as power
from perspicax.lax.errors import OperationShapeError
from perspicax.lax.reductions import reduce_sum
from perspicax.lax.shape import broadcast_shapes
from perspicax.lax.slicing import index_in_dim
from perspicax.lax.transcendental import exp, log1p
from perspicax.numpy.arithmetic import multiply
from perspicax.random.bits import (
    Distribution,
    Staged,
    broadcast_parameters,
    parameter,
    placeable,
    result_dtype,
    sample_dtype,
    sample_shape,
)
from perspicax.random.discrete import signs_of
from perspicax.random.draws import drawn
from perspicax.random.errors import SampleShapeError
from perspicax.random.gammas import sampled, shared_shape, spread
from perspicax.random.keys import single_key, split_in_two
from perspicax.random.piecewise import Composite, Piecewise
from perspicax.random.sampling import exponential_of, normal_of, uniform_of

SIGMA = np.float32(1)
REDUCED = 1 << 12  # numbers; XLA hands reductions of more to a library that contracts nothing


# -- of one sample

def _pareto(key: Any, b: Any, *, shape: tuple[int, ...], dtype: Any) -> Any:
    return exp(div(exponential_of(key, shape, dtype), spread(convert_element_type(b, dtype), shape)))


def _rayleigh(key: Any, scale: Any, *, shape: tuple[int, ...], dtype: Any) -> Any:
    u = uniform_of(key, 0., 1., shape, dtype)
    return mul(spread(convert_element_type(scale, dtype), shape), sqrt(mul(log(u), dtype.type(-2))))


def _weibull(key: Any, scale: Any, concentration: Any, *, shape: tuple[int, ...], dtype: Any, wanted: Any) -> Any:
    scale, concentration = [convert_element_type(x, wanted) for x in (scale, concentration)]
    u = uniform_of(key, 0, 1, shape, dtype)
    exponential = convert_element_type(neg(log1p(neg(u))), wanted)
    return multiply(_power(exponential, div(wanted.type(1), concentration)), scale)


def _power(x: Any, y: Any) -> Any:
    """`x ** y`, of whatever shape the two broadcast to."""
    shape = broadcast_shapes(get_aval(x).shape, get_aval(y).shape)  # type: ignore[attr-defined]
    return power(spread(x, shape), spread(y, shape))


def _lognormal(key: Any, sigma: Any, *, shape: tuple[int, ...], dtype: Any) -> Any:
    return exp(mul(normal_of(key, shape, dtype), spread(convert_element_type(sigma, dtype), shape)))


def _triangular(key: Any, left: Any, mode: Any, right: Any, *, shape: tuple[int, ...], dtype: Any) -> Any:
    """The inverse of the cumulative distribution, which has two pieces."""
    left, mode, right = [spread(convert_element_type(x, dtype), shape) for x in (left, mode, right)]
    share = div(sub(mode, left), sub(right, left))
    u = uniform_of(key, 0., 1., shape, dtype)
    rising = add(left, sqrt(mul(mul(u, sub(right, left)), sub(mode, left))))
    falling = sub(right, sqrt(mul(mul(sub(dtype.type(1), u), sub(right, left)), sub(right, mode))))
    return select(lt(u, share), rising, falling)


_lognormal_samples = Distribution(_lognormal, inline=True, fast=True, spreads=False)
_triangular_samples = Distribution(_triangular, inline=True, fast=True)
_whole_lognormal: Any = Staged(_lognormal, inline=True)
_pareto_samples = Distribution(_pareto, fast=True, spreads=False)
_rayleigh_samples, _weibull_samples = [Distribution(body, fast=True) for body in (_rayleigh, _weibull)]


def _single(name: str, samples: Distribution, key: Any, shape: Any, dtype: Any, argument: str,
            value: Any) -> Any:
    found, _ = single_key(name, key)
    dtype = sample_dtype(name, dtype)
    value = parameter(name, argument, value)
    shape = shared_shape(name, shape, **{argument: value})
    return samples(found, value, shape=shape, dtype=dtype)


@public
@drawn("b")
@placeable
def pareto(key: Any, b: Any, shape: Any = None, dtype: Any = None, *, out_sharding: Any = None) -> Any:
    """Samples of the Pareto distribution of shape `b` and scale 1.

    Args:
        key: one key.
        b: positive number or array that broadcasts to `shape`.
        shape: of the samples; that of the parameter by default.
        dtype: floating.

    Raises:
        KeyTypeError: `key` is no key.
        ParameterTypeError: a parameter is no array or number.
        SampleDTypeError: `dtype` is not floating.
        SampleShapeError: a parameter does not broadcast to `shape`.
    """
    return _single("pareto", _pareto_samples, key, shape, dtype, "b", b)


@public
@drawn("scale")
@placeable
def rayleigh(key: Any, scale: Any, shape: Any = None, dtype: Any = None, *, out_sharding: Any = None) -> Any:
    """Samples of the Rayleigh distribution, `scale * sqrt(-2 log(u))`. The rest is as for `pareto`."""
    return _single("rayleigh", _rayleigh_samples, key, shape, dtype, "scale", scale)


@public
@drawn("scale concentration")
def weibull_min(key: Any, scale: Any, concentration: Any, shape: Any = (), dtype: Any = None) -> Any:
    """Samples of the Weibull distribution, `scale * (-log(1 - u)) ** (1 / concentration)`.

    Args:
        key: one key.
        scale, concentration: positive numbers or arrays.
        shape: of the uniform samples; the parameters broadcast with them, and do not make them more.
        dtype: floating; of wider parameters the result has the dtype.

    Raises:
        KeyTypeError: `key` is no key.
        ParameterTypeError: a parameter is no array or number.
        SampleDTypeError: `dtype` is not floating.
        SampleShapeError: the shapes do not broadcast.
    """
    found, _ = single_key("weibull_min", key)
    dtype = sample_dtype("weibull_min", dtype)
    shape = sample_shape("weibull_min", shape)
    scale = parameter("weibull_min", "scale", scale)
    concentration = parameter("weibull_min", "concentration", concentration)
    parameters = {"scale": get_aval(scale).shape, "concentration": get_aval(concentration).shape}  # type: ignore[attr-defined]
    try:
        broadcast_shapes(shape, *parameters.values())
    except OperationShapeError:
        raise SampleShapeError(function="weibull_min", shape=shape, parameters=tuple(parameters.items())) from None
    return _weibull_samples(found, scale, concentration, shape=shape, dtype=dtype,
                            wanted=result_dtype(dtype, scale, concentration))


@public
@drawn("sigma")
@placeable
def lognormal(key: Any, sigma: Any = SIGMA, shape: Any = None, dtype: Any = None, *,
              out_sharding: Any = None) -> Any:
    """Exponentials of normal samples of standard deviation `sigma`.

    Args:
        key: one key.
        sigma: number or array that broadcasts to `shape`.
        shape: of the samples; that of `sigma` by default.
        dtype: floating or complex.

    Raises:
        KeyTypeError: `key` is no key.
        ParameterTypeError: `sigma` is no array or number.
        SampleDTypeError: `dtype` is neither floating nor complex.
        SampleShapeError: `sigma` does not broadcast to `shape`.
    """
    found, _ = single_key("lognormal", key)
    dtype = sample_dtype("lognormal", dtype, "inexact")
    sigma = parameter("lognormal", "sigma", sigma)
    shape = shared_shape("lognormal", shape, sigma=sigma)
    # XLA computes one sample in another way than arrays of them
    samples = _whole_lognormal if dtype.kind == "c" or not shape else _lognormal_samples
    return samples(found, sigma, shape=shape, dtype=dtype)


@public
@drawn("left mode right")
@placeable
def triangular(key: Any, left: Any, mode: Any, right: Any, shape: Any = None, dtype: Any = None, *,
               out_sharding: Any = None) -> Any:
    """Samples of the triangular distribution, from [`left`, `right`], most often near `mode`.

    Args:
        key: one key.
        left, mode, right: numbers or arrays that broadcast to `shape`, in increasing order.
        shape: of the samples; what the parameters broadcast to by default.
        dtype: floating.

    Raises:
        KeyTypeError: `key` is no key.
        ParameterTypeError: a parameter is no array or number.
        SampleDTypeError: `dtype` is not floating.
        SampleShapeError: a parameter does not broadcast to `shape`.
    """
    found, _ = single_key("triangular", key)
    dtype = sample_dtype("triangular", dtype)
    given = {"left": left, "mode": mode, "right": right}
    values = {name: parameter("triangular", name, x) for name, x in given.items()}
    shape = shared_shape("triangular", shape, **values)
    return _triangular_samples(found, *values.values(), shape=shape, dtype=dtype)


# -- of several samples

def _wald(key: Any, mean: Any, *, shape: tuple[int, ...], dtype: Any) -> Any:
    """Michael, Schucany and Haas, "Generating random variates using transformations with multiple roots" (1976)."""
    first, second = split_in_two(key)
    mean = spread(convert_element_type(mean, dtype), shape)
    return _one_of_two_roots(mean, normal_of(first, shape, dtype), uniform_of(second, 0., 1., shape, dtype))


def _root(mean: Any, v: Any, u: Any) -> Any:
    real = get_aval(v).dtype.type  # type: ignore[attr-defined]
    y, square = integer_pow(v, 2), integer_pow(mean, 2)
    root = sqrt(add(mul(mul(real(4), mean), y), mul(square, integer_pow(y, 2))))
    x = sub(add(mean, div(mul(square, y), real(2))), mul(div(mean, real(2)), root))
    return select(le(u, div(mean, add(mean, x))), x, div(square, x))


_one_of_two_roots = Piecewise(_root)
_wald_samples = Composite(_wald, single=False)


@public
@drawn("mean")
@placeable
def wald(key: Any, mean: Any, shape: Any = None, dtype: Any = None, *, out_sharding: Any = None) -> Any:
    """Samples of the Wald (inverse Gaussian) distribution of scale 1.

    Args:
        mean: positive number or array that broadcasts to `shape`. The rest is as for `pareto`.
    """
    return sampled("wald", _wald_samples, key, shape, dtype, mean=mean)


def _maxwell(key: Any, *, shape: tuple[int, ...], dtype: Any) -> Any:
    normal = normal_of(key, (*shape, 3), dtype)
    return _of_many(normal) if normal.size > REDUCED else _of_few(*[index_in_dim(normal, i, -1, False) for i in range(3)])


def _norm(x: Any, y: Any, z: Any) -> Any:
    """The length of a vector: `z² + (x² + y²)`, where XLA's compiler contracts `x²` and `z²` with the sums."""
    first, second = (y, x) if get_aval(x).dtype == np.float64 else (x, y)  # type: ignore[attr-defined]
    return _root_of(add(add(_squared(first), _squared(second)), _squared(z)), x)


def _reduced_norm(x: Any) -> Any:
    """The lengths of the rows of an array, by the library that XLA hands large reductions to."""
    return _root_of(reduce_sum(_squared(x), (len(get_aval(x).shape) - 1,)), x)  # type: ignore[attr-defined]


def _squared(x: Any) -> Any:
    """The square, in the dtype of sums."""
    dtype = get_aval(x).dtype  # type: ignore[attr-defined]
    return convert_element_type(mul(x, x), np.promote_types(dtype, np.float32))


def _root_of(square: Any, like: Any) -> Any:
    return sqrt(convert_element_type(square, get_aval(like).dtype))  # type: ignore[attr-defined]


_of_few, _of_many = Piecewise(_norm, fast=True), Staged(_reduced_norm, inline=True)
_maxwell_samples = Composite(_maxwell)


def _double_sided(key: Any, loc: Any, scale: Any, *, shape: tuple[int, ...], dtype: Any) -> Any:
    first, second = split_in_two(key)
    length, sign = _maxwell_samples(first, shape=shape, dtype=dtype), signs_of(second, shape, dtype)
    wanted = result_dtype(dtype, loc, scale)
    scale, loc = [spread(convert_element_type(x, wanted), shape) for x in (scale, loc)]
    return _moved(convert_element_type(sign, wanted), convert_element_type(length, wanted), scale, loc)


_moved = Piecewise(lambda sign, length, scale, loc: add(mul(mul(sign, length), scale), loc))
_double_sided_samples = Composite(_double_sided)
_double_sided_fast = Staged(_double_sided, inline=True, fast=True)
_double_sided_of_many = Composite(_double_sided, host=lambda place, *args, **static: _double_sided_fast(*args, **static))


@public
@drawn()
@placeable
def maxwell(key: Any, shape: Any = (), dtype: Any = None, *, out_sharding: Any = None) -> Any:
    """Samples of the Maxwell distribution of scale 1: lengths of normal vectors in three dimensions.

    Args:
        key: one key.
        shape: of the samples.
        dtype: floating.

    Raises:
        KeyTypeError: `key` is no key.
        SampleDTypeError: `dtype` is not floating.
    """
    found, _ = single_key("maxwell", key)
    dtype = sample_dtype("maxwell", dtype)
    shape = sample_shape("maxwell", shape)
    # of many in bfloat16, XLA does not round the normal samples before it squares them
    whole = dtype == dtypes.bfloat16 and 3 * math.prod(shape) > REDUCED
    return (_maxwell_samples.staged if whole else _maxwell_samples)(found, shape=shape, dtype=dtype)


@public
@drawn("loc scale")
def double_sided_maxwell(key: Any, loc: Any, scale: Any, shape: Any = (), dtype: Any = None) -> Any:
    """Maxwell samples with a random sign, times `scale`, plus `loc`.

    Args:
        key: one key.
        loc, scale: numbers or arrays.
        shape: of the samples of each pair of parameters, whose own shape comes behind it. Where it is `()`, it is that of
            the parameters, as in JAX.
        dtype: floating; of wider parameters the result has the dtype.

    Raises:
        KeyTypeError: `key` is no key.
        ParameterTypeError: a parameter is no array or number.
        SampleDTypeError: `dtype` is not floating.
    """
    found, _ = single_key("double_sided_maxwell", key)
    dtype = sample_dtype("double_sided_maxwell", dtype)
    loc, scale = [parameter("double_sided_maxwell", name, x) for name, x in (("loc", loc), ("scale", scale))]
    own = broadcast_parameters("double_sided_maxwell", {"loc": get_aval(loc).shape,  # type: ignore[attr-defined]
                                                        "scale": get_aval(scale).shape})  # type: ignore[attr-defined]
    shape = (*(sample_shape("double_sided_maxwell", shape) or own), *own)
    draw = _double_sided_of_many if 3 * math.prod(shape) > REDUCED else _double_sided_samples
    return draw(found, loc, scale, shape=shape, dtype=dtype)


__all__ = ["double_sided_maxwell", "lognormal", "maxwell", "pareto", "rayleigh", "triangular", "wald", "weibull_min"]
