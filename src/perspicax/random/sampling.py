"""Continuous distributions: uniform, normal, and those that are one function of a uniform sample."""
from __future__ import annotations

from typing import Any

import numpy as np

from perspicax.core import dtypes
from perspicax.core.config import high_dynamic_range_gumbel
from perspicax.core.tracer import get_aval
from perspicax.diagnose.boundary import public
from perspicax.lax.bitwise import bitwise_or, shift_right_logical
from perspicax.lax.compare import ge, nextafter, select
from perspicax.lax.convert import bitcast_convert_type, convert_element_type
from perspicax.lax.elementwise import abs as absolute
from perspicax.lax.elementwise import add, div, log, mul, neg, sign, sub
from perspicax.lax.elementwise import max as maximum
from perspicax.lax.elementwise import min as minimum
from perspicax.lax.markers import optimization_barrier, stop_gradient
from perspicax.lax.shape import broadcast_to_rank
from perspicax.lax.slicing import index_in_dim
from perspicax.lax.special import erf, erf_inv
from perspicax.lax.transcendental import log1p, tan
from perspicax.random.bits import (
    BITS_DTYPES,
    Distribution,
    GivenBits,
    Staged,
    bit_width,
    broadcast_parameters,
    check_broadcast,
    concrete,
    draw,
    parameter,
    placeable,
    sample_dtype,
    sample_shape,
)
from perspicax.random.draws import drawn
from perspicax.random.errors import SamplingError
from perspicax.random.keys import single_key, split_in_two
from perspicax.random.piecewise import Composite, Piecewise

INEXACT_ON_HOST = (np.dtype(np.float16), np.dtype(np.float32), np.dtype(np.float64), dtypes.bfloat16)


def _number(value: Any, dtype: Any) -> Any:
    """A constant of a distribution, in the dtype of its samples."""
    return np.asarray(value, dtype)[()]


# -- uniform

def _layout(dtype: Any) -> tuple[int, np.dtype, Any]:
    """How bits become numbers in [1, 2): shift, the integers of the dtype's width, the bits of 1."""
    words = BITS_DTYPES[dtypes.itemsize_bits(dtype)]
    return bit_width(dtype) - dtypes.finfo(dtype).nmant, words, np.ones((), dtype).view(words)[()]


def _uniform(key: Any, minval: Any, maxval: Any, *, shape: tuple[int, ...], dtype: Any) -> Any:
    """The mantissa is random, the exponent that of 1: a number in [1, 2), from which 1 is subtracted exactly."""
    shift, words, one = _layout(dtype)
    low, high = [convert_element_type(x, dtype) for x in (minval, maxval)]
    low, high = [broadcast_to_rank(x, len(shape)) for x in (low, high)]
    bits = convert_element_type(draw(key, bit_width(dtype), shape), words)
    mantissa = bitwise_or(shift_right_logical(bits, words.type(shift)), one)
    floats = sub(bitcast_convert_type(mantissa, dtype), _number(1, dtype))
    return maximum(low, add(mul(floats, sub(high, low)), low))


def unit_uniform(bits: np.ndarray, dtype: Any) -> np.ndarray:
    """`_uniform` between 0 and 1 by NumPy. Each step is exact: no result is subnormal, and nothing is rounded."""
    shift, words, one = _layout(dtype)
    mantissa = bits.astype(words) >> words.type(shift)
    mantissa |= one
    floats = mantissa.view(dtype)
    floats -= _number(1, dtype)
    return floats


def _uniform_on_host(bits: np.ndarray, operands: tuple, dtype: Any) -> Any:
    low, high = operands
    if type(low) in (int, float) and type(high) in (int, float) and (low, high) == (0, 1) and dtype in INEXACT_ON_HOST:
        return unit_uniform(bits, dtype)
    return NotImplemented


_uniform_samples = Distribution(_uniform, host=_uniform_on_host, fast=True)


def uniform_of(key: Any, low: Any, high: Any, shape: tuple[int, ...], dtype: Any) -> Any:
    """Uniform samples inside of another distribution."""
    return _uniform_samples(key, low, high, shape=shape, dtype=dtype)


def uniform_apart(key: Any, shape: tuple[int, ...], dtype: Any) -> Any:
    """Uniform samples from [0, 1) of bits that are made once, whatever reads them.

    XLA would else write the rounds of the generator into each operation that reads the samples: in the body of a loop
    that takes seconds to compile.
    """
    bits = optimization_barrier(draw(key, bit_width(dtype), shape))
    return _uniform(GivenBits(bits), 0., 1., shape=shape, dtype=dtype)


@public
@drawn("minval maxval")
@placeable
def uniform(key: Any, shape: Any = (), dtype: Any = None, minval: Any = 0., maxval: Any = 1., *,
            out_sharding: Any = None) -> Any:
    """Uniform samples from [`minval`, `maxval`).

    Args:
        key: one key.
        shape: of the samples.
        dtype: floating; the default one of the configuration else.
        minval, maxval: numbers or arrays that broadcast to `shape`.

    Raises:
        KeyTypeError: `key` is no key.
        SampleDTypeError: `dtype` is not floating.
        SampleShapeError: a bound does not broadcast to `shape`.

    >>> uniform(jax.random.key(0), (2,))
    Array([0.947667 , 0.9785799], dtype=float32)
    """
    found, _ = single_key("uniform", key)
    dtype = sample_dtype("uniform", dtype)
    shape = sample_shape("uniform", shape)
    minval, maxval = parameter("uniform", "minval", minval), parameter("uniform", "maxval", maxval)
    check_broadcast("uniform", shape, minval=minval, maxval=maxval)
    return _uniform_samples(found, minval, maxval, shape=shape, dtype=dtype)


# -- normal

def _normal_real(key: Any, *, shape: tuple[int, ...], dtype: Any) -> Any:
    low = np.nextafter(_number(-1, dtype), _number(0, dtype), dtype=dtype)
    u = uniform_of(key, low, _number(1, dtype), shape, dtype)
    return mul(_number(np.sqrt(2), dtype), erf_inv(u))


_real_normal = Staged(_normal_real)


def _normal(key: Any, *, shape: tuple[int, ...], dtype: Any) -> Any:
    if not dtypes.issubdtype(dtype, np.complexfloating):
        return _real_normal(key, shape=shape, dtype=dtype)
    part = np.dtype(f"f{dtype.itemsize // 2}")
    first, second = split_in_two(key)
    draw_part = _normal_samples if concrete(key) else _real_normal
    return _complex_of(draw_part(first, shape=shape, dtype=part), draw_part(second, shape=shape, dtype=part))


def _complex_normal(real: Any, imaginary: Any) -> Any:
    """A complex sample of variance 1, of two real ones."""
    part: Any = get_aval(real).dtype  # type: ignore[attr-defined]
    dtype = np.result_type(part, np.complex64)
    real, imaginary = convert_element_type(real, dtype), convert_element_type(imaginary, dtype)
    return div(add(real, mul(_number(1j, dtype), imaginary)), _number(np.sqrt(2), part).astype(dtype))


_complex_of = Piecewise(_complex_normal)
_normal_samples, _complex_samples = Distribution(_normal, fast=True), Composite(_normal)


@public
@drawn()
@placeable
def normal(key: Any, shape: Any = (), dtype: Any = None, *, out_sharding: Any = None) -> Any:
    """Samples of the standard normal distribution, of mean 0 and variance 1.

    Args:
        key: one key.
        shape: of the samples.
        dtype: floating, or complex: then real and imaginary part have variance 1/2 each.

    Raises:
        KeyTypeError: `key` is no key.
        SampleDTypeError: `dtype` is neither floating nor complex.

    The inverse of the cumulative distribution is applied to uniform samples from (-1, 1).

    >>> normal(jax.random.key(0), (2,))
    Array([1.6226422, 2.0252647], dtype=float32)
    """
    found, _ = single_key("normal", key)
    dtype = sample_dtype("normal", dtype, "inexact")
    shape = sample_shape("normal", shape)
    return normal_of(found, shape, dtype)


def normal_of(key: Any, shape: tuple[int, ...], dtype: Any) -> Any:
    """Normal samples inside of another distribution."""
    return (_complex_samples if dtype.kind == "c" else _normal_samples)(key, shape=shape, dtype=dtype)


# -- truncated normal

def _clip(x: Any, low: Any, high: Any) -> Any:
    return minimum(high, maximum(low, x))


def _truncated_normal(key: Any, lower: Any, upper: Any, *, shape: tuple[int, ...], dtype: Any) -> Any:
    root = _number(np.sqrt(2), dtype)
    lower, upper = convert_element_type(lower, dtype), convert_element_type(upper, dtype)
    u = uniform_of(key, erf(div(lower, root)), erf(div(upper, root)), shape, dtype)
    found = mul(root, erf_inv(u))
    infinity = _number(np.inf, dtype)
    inside = [broadcast_to_rank(nextafter(stop_gradient(x), end), len(shape))
              for x, end in ((lower, infinity), (upper, neg(infinity)))]
    return _clip(found, *inside)


_truncated_samples = Distribution(_truncated_normal, fast=True)


@public
@drawn("lower upper")
@placeable
def truncated_normal(key: Any, lower: Any, upper: Any, shape: Any = None, dtype: Any = None, *,
                     out_sharding: Any = None) -> Any:
    """Samples of the standard normal distribution that lie between `lower` and `upper`.

    Args:
        key: one key.
        lower, upper: numbers or arrays that broadcast to `shape`.
        shape: of the samples; what the bounds broadcast to by default.
        dtype: floating.

    Raises:
        KeyTypeError: `key` is no key.
        SampleDTypeError: `dtype` is not floating.
        SampleShapeError: a bound does not broadcast to `shape`.
    """
    found, _ = single_key("truncated_normal", key)
    dtype = sample_dtype("truncated_normal", dtype)
    lower, upper = parameter("truncated_normal", "lower", lower), parameter("truncated_normal", "upper", upper)
    if shape is None:
        shape = broadcast_parameters("truncated_normal", {"lower": get_aval(lower).shape,  # type: ignore[attr-defined]
                                                          "upper": get_aval(upper).shape})  # type: ignore[attr-defined]
    shape = sample_shape("truncated_normal", shape)
    check_broadcast("truncated_normal", shape, lower=lower, upper=upper)
    return _truncated_samples(found, lower, upper, shape=shape, dtype=dtype)


# -- functions of one uniform sample

def _two_draws(*, mode: str = "low") -> int:
    return 2 if mode == "high" else 1


def gumbel_mode(mode: str | None) -> str:
    """The mode that is meant: the configuration's where none is named.

    Raises:
        SamplingError: there is no such mode.
    """
    if mode is None:
        return "high" if high_dynamic_range_gumbel.value else "low"
    if mode not in ("low", "high"):
        raise SamplingError(says=f"{mode!r} is no mode of `gumbel`.", why='there are "low" and "high"')
    return mode


def _gumbel(key: Any, *, shape: tuple[int, ...], dtype: Any, mode: str) -> Any:
    tiny = _number(dtypes.finfo(dtype).tiny, dtype)
    if mode == "low":
        return neg(log(neg(log(uniform_of(key, tiny, 1., shape, dtype)))))
    high, low = two_uniforms(key, shape, dtype)
    exact = add(add(high, mul(_number(dtypes.finfo(dtype).eps, dtype), low)), tiny)
    return neg(log(neg(log1p(neg(select(ge(high, _number(0.5, dtype)), high, exact))))))


def two_uniforms(key: Any, shape: tuple[int, ...], dtype: Any) -> tuple[Any, Any]:
    """Two uniform samples for each element, of one draw."""
    both = uniform_of(key, 0., 1., (2, *shape), dtype)
    return index_in_dim(both, 0, 0, False), index_in_dim(both, 1, 0, False)


_gumbel_samples = Distribution(_gumbel, draws=_two_draws, fast=True)


@public
@drawn()
@placeable
def gumbel(key: Any, shape: Any = (), dtype: Any = None, mode: str | None = None, *, out_sharding: Any = None) -> Any:
    """Samples of the standard Gumbel distribution, `-log(-log(u))`.

    Args:
        key: one key.
        shape: of the samples.
        dtype: floating.
        mode: `"low"`, or `"high"` for samples that are accurate in both tails and take twice as many bits; the
            configuration's by default.

    Raises:
        KeyTypeError: `key` is no key.
        SampleDTypeError: `dtype` is not floating.
        SamplingError: there is no such mode.
    """
    found, _ = single_key("gumbel", key)
    dtype = sample_dtype("gumbel", dtype)
    shape = sample_shape("gumbel", shape)
    return _gumbel_samples(found, shape=shape, dtype=dtype, mode=gumbel_mode(mode))


def gumbel_of(key: Any, shape: tuple[int, ...], dtype: Any, mode: str) -> Any:
    """Gumbel samples inside of another distribution."""
    return _gumbel_samples(key, shape=shape, dtype=dtype, mode=mode)


def _exponential(key: Any, *, shape: tuple[int, ...], dtype: Any) -> Any:
    return neg(log1p(neg(uniform_of(key, 0., 1., shape, dtype))))


def _laplace(key: Any, *, shape: tuple[int, ...], dtype: Any) -> Any:
    low = np.nextafter(_number(-1, dtype), _number(0, dtype), dtype=dtype)
    u = uniform_of(key, low, 1., shape, dtype)
    return mul(sign(u), log1p(neg(absolute(u))))


def _logistic(key: Any, *, shape: tuple[int, ...], dtype: Any) -> Any:
    u = uniform_of(key, _number(dtypes.finfo(dtype).tiny, dtype), 1., shape, dtype)
    return sub(log(u), log1p(neg(u)))


def _cauchy(key: Any, *, shape: tuple[int, ...], dtype: Any) -> Any:
    u = uniform_of(key, _number(dtypes.finfo(dtype).eps, dtype), 1., shape, dtype)
    return tan(mul(_number(np.pi, dtype), sub(u, _number(0.5, dtype))))


_exponential_samples = Distribution(_exponential, fast=True)
_laplace_samples = Distribution(_laplace, fast=True)
_logistic_samples = Distribution(_logistic, fast=True)
_cauchy_samples = Distribution(_cauchy)


def exponential_of(key: Any, shape: tuple[int, ...], dtype: Any) -> Any:
    """Exponential samples inside of another distribution."""
    return _exponential_samples(key, shape=shape, dtype=dtype)


def _plain(name: str, samples: Distribution, key: Any, shape: Any, dtype: Any) -> Any:
    found, _ = single_key(name, key)
    dtype = sample_dtype(name, dtype)
    return samples(found, shape=sample_shape(name, shape), dtype=dtype)


@public
@drawn()
@placeable
def exponential(key: Any, shape: Any = (), dtype: Any = None, *, out_sharding: Any = None) -> Any:
    """Samples of the exponential distribution of rate 1, `-log(1 - u)`.

    Args:
        key: one key.
        shape: of the samples.
        dtype: floating.

    Raises:
        KeyTypeError: `key` is no key.
        SampleDTypeError: `dtype` is not floating.
    """
    return _plain("exponential", _exponential_samples, key, shape, dtype)


@public
@drawn()
@placeable
def laplace(key: Any, shape: Any = (), dtype: Any = None, *, out_sharding: Any = None) -> Any:
    """Samples of the Laplace distribution of location 0 and scale 1. Arguments and errors are those of `exponential`."""
    return _plain("laplace", _laplace_samples, key, shape, dtype)


@public
@drawn()
@placeable
def logistic(key: Any, shape: Any = (), dtype: Any = None, *, out_sharding: Any = None) -> Any:
    """Samples of the logistic distribution, `log(u / (1 - u))`. Arguments and errors are those of `exponential`."""
    return _plain("logistic", _logistic_samples, key, shape, dtype)


@public
@drawn()
@placeable
def cauchy(key: Any, shape: Any = (), dtype: Any = None, *, out_sharding: Any = None) -> Any:
    """Samples of the Cauchy distribution, `tan(π (u - 1/2))`. Arguments and errors are those of `exponential`."""
    return _plain("cauchy", _cauchy_samples, key, shape, dtype)


__all__ = ["cauchy", "exponential", "exponential_of", "gumbel", "gumbel_mode", "gumbel_of", "laplace", "logistic",
           "normal", "normal_of", "truncated_normal", "two_uniforms", "uniform", "uniform_apart", "uniform_of", "unit_uniform"]
