"""Distributions that are made of gamma samples."""
from __future__ import annotations

from typing import Any

import numpy as np

from perspicax.core import dtypes
from perspicax.core.avals import ShapedArray
from perspicax.core.tracer import get_aval
from perspicax.diagnose.boundary import public
from perspicax.lax.convert import convert_element_type
from perspicax.lax.elementwise import abs as absolute
from perspicax.lax.elementwise import add, div, mul, sqrt, sub
from perspicax.lax.elementwise import max as maximum
from perspicax.lax.elementwise import pow as power
from perspicax.lax.markers import stop_gradient
from perspicax.lax.random_bits import host_place
from perspicax.lax.reductions import reduce_max, reduce_sum
from perspicax.lax.shape import expand_dims
from perspicax.lax.transcendental import exp
from perspicax.random.bits import (
    Staged,
    check_broadcast,
    concrete,
    dimension,
    parameter,
    placeable,
    result_dtype,
    sample_dtype,
    sample_shape,
)
from perspicax.random.chunks import mapped
from perspicax.random.discrete import signs_of
from perspicax.random.draws import LOOPS, drawn
from perspicax.random.errors import SampleShapeError, SamplingError
from perspicax.random.gammas import accepted_on_host, gamma_of, log_scale_program, logarithm, sampled, spread
from perspicax.random.keys import single_key, split_in_two, split_keys
from perspicax.random.piecewise import Composite, Piecewise
from perspicax.random.sampling import exponential_of, normal_of
from perspicax.random.threefry import counts, threefry
from perspicax.xla.array import ArrayImpl

GAMMAS = 0.8  # a price that is paid before that of gamma samples alone, whose program is of use to other shapes


def _beta(key: Any, a: Any, b: Any, *, shape: tuple[int, ...], dtype: Any) -> Any:
    a, b = [convert_element_type(x, dtype) for x in (a, b)]
    first, second = split_in_two(key)
    return _share(gamma_of(first, spread(a, shape), shape, dtype), gamma_of(second, spread(b, shape), shape, dtype))


def _first_of_two(x: Any, y: Any) -> Any:
    """The part that the first of two numbers has, given their logarithms: shifted, so that the larger number is 1."""
    most = maximum(x, y)
    x, y = exp(sub(x, most)), exp(sub(y, most))
    return div(x, add(x, y))


def _chisquare(key: Any, df: Any, *, shape: tuple[int, ...], dtype: Any) -> Any:
    return _twice_exp(gamma_of(key, _half(convert_element_type(df, dtype)), shape, dtype))


def _f(key: Any, dfnum: Any, dfden: Any, *, shape: tuple[int, ...], dtype: Any) -> Any:
    dfden, dfnum = convert_element_type(dfden, dtype), convert_element_type(dfnum, dtype)
    below, above = split_in_two(key)
    over = _chisquare_samples(above, dfnum, shape=shape, dtype=dtype)
    under = _chisquare_samples(below, dfden, shape=shape, dtype=dtype)
    return _ratio(over, spread(dfnum, shape), under, spread(dfden, shape))


def _t(key: Any, df: Any, *, shape: tuple[int, ...], dtype: Any) -> Any:
    df = convert_element_type(df, dtype)
    first, second = split_in_two(key)
    n = normal_of(first, shape, dtype)
    half = _half(df)
    g = gamma_of(second, half, shape, dtype, False)
    return _over_root(n, spread(half, shape), g)


def _generalized_normal(key: Any, p: Any, *, shape: tuple[int, ...], dtype: Any) -> Any:
    first, second = split_in_two(key)
    inverse, wanted = _inverse(_floating(p)), result_dtype(dtype, p)
    g = convert_element_type(gamma_of(first, inverse, shape, dtype, False), wanted)
    return _signed_power(convert_element_type(signs_of(second, shape, dtype), wanted), g, _exponent(inverse, shape, wanted))


def _exponent(p: Any, shape: tuple[int, ...], dtype: Any) -> Any:
    """The exponent of each sample, where they are computed at once; else the number itself, as a `pow` of JAX takes it."""
    p = convert_element_type(p, dtype)
    return spread(p, shape) if concrete(p) else p


def _floating(x: Any) -> Any:
    aval: Any = get_aval(x)
    if dtypes.issubdtype(aval.dtype, np.floating):
        return convert_element_type(x, aval.dtype)
    return convert_element_type(x, dtypes.default_dtype("float"))


def _ball(key: Any, p: Any, *, d: int, shape: tuple[int, ...], dtype: Any) -> Any:
    """A point on no sphere: coordinates of a generalised normal distribution, divided by their norm with one more
    coordinate that is dropped (Barthe, Guédon, Mendelson, Naor, Annals of Probability 33, 2005)."""
    first, second = split_in_two(key)
    wanted = result_dtype(dtype, p)
    g = _generalized_samples(first, p, shape=(*shape, d), dtype=dtype)
    p = _floating(p)
    return _inside(second, convert_element_type(g, wanted), convert_element_type(p, wanted),
                   convert_element_type(_inverse(p), wanted), dtype=dtype)


def _by_norm(key: Any, g: Any, p: Any, inverse: Any, *, dtype: Any) -> Any:
    """Vectors divided by the norm that they have with a last coordinate, which is drawn as `dtype`."""
    aval: Any = get_aval(g)
    last = aval.ndim - 1
    e = convert_element_type(exponential_of(key, aval.shape[:last], dtype), aval.dtype)
    norm = power(add(_summed(power(absolute(g), p)), e), inverse)
    return div(g, expand_dims(norm, (last,)))


def _summed(x: Any) -> Any:
    """Sums along the last axis: of 16-bit numbers as numbers of 32 bits, which are rounded once."""
    aval: Any = get_aval(x)
    sums = reduce_sum(convert_element_type(x, np.promote_types(aval.dtype, np.float32)), (aval.ndim - 1,))
    return convert_element_type(sums, aval.dtype)


def _dirichlet(key: Any, alpha: Any, *, shape: tuple[int, ...], dtype: Any) -> Any:
    size: int = get_aval(alpha).shape[-1]  # type: ignore[attr-defined]
    alpha, shape = convert_element_type(alpha, dtype), (*shape, size)
    place = host_place([key, alpha]) if concrete(key, alpha) and key.dtype.generator is threefry else None
    if place is None or not counts(threefry):
        logarithms = gamma_of(key, alpha, shape, dtype)
        return _parts_of_whole(logarithms) if size else logarithms
    a = np.broadcast_to(alpha.value(), shape).reshape(-1)
    d, cube, bits = accepted_on_host(place, split_keys(key, (a.size,)).value(), a)
    parts = [d, cube, mapped(log_scale_program, place, [bits, a])[0]]
    return _weights(*[ArrayImpl(ShapedArray(shape, dtype), None, x.reshape(shape), *place) for x in parts])


def _parts_of_whole(logarithms: Any) -> Any:
    """Numbers that sum to 1 along the last axis, given their logarithms up to a constant."""
    last = len(get_aval(logarithms).shape) - 1  # type: ignore[attr-defined]
    most = stop_gradient(expand_dims(reduce_max(logarithms, (last,)), (last,)))
    weights = exp(sub(logarithms, most))
    return div(weights, expand_dims(_summed(weights), (last,)))


def _weights_of_gammas(d: Any, cube: Any, scale: Any) -> Any:
    return _parts_of_whole(logarithm(d, cube, scale))


def _two(x: Any) -> Any:
    return get_aval(x).dtype.type(2)  # type: ignore[attr-defined]


_share = Piecewise(_first_of_two)
_half = Piecewise(lambda x: div(x, _two(x)))
_twice_exp = Piecewise(lambda x: mul(exp(x), _two(x)))
_ratio = Piecewise(lambda over, m, under, n: div(div(over, m), div(under, n)))
_over_root = Piecewise(lambda x, half, g: mul(x, sqrt(div(half, g))))
_inverse = Piecewise(lambda p: div(get_aval(p).dtype.type(1), p))  # type: ignore[attr-defined]
_signed_power = Piecewise(lambda sign, x, p: mul(sign, power(x, p)))
_inside = Staged(_by_norm, inline=True)
_weights = Staged(_weights_of_gammas)

_beta_samples, _chisquare_samples, _t_samples = [Composite(body, price=GAMMAS) for body in (_beta, _chisquare, _t)]
_f_samples = Composite(_f, price=GAMMAS, spreads=False)
_generalized_samples, _ball_samples = [Composite(body, price=GAMMAS) for body in (_generalized_normal, _ball)]
_dirichlet_samples = Composite(_dirichlet, price=1.)


@public
@drawn("a b", price=LOOPS)
@placeable
def beta(key: Any, a: Any, b: Any, shape: Any = None, dtype: Any = None, *, out_sharding: Any = None) -> Any:
    """Samples of the beta distribution, from (0, 1).

    Args:
        key: one key.
        a, b: positive numbers or arrays that broadcast to `shape`.
        shape: of the samples; what the parameters broadcast to by default.
        dtype: floating.

    Raises:
        KeyTypeError: `key` is no key.
        ParameterTypeError: a parameter is no array or number.
        SampleDTypeError: `dtype` is not floating.
        SampleShapeError: a parameter does not broadcast to `shape`.
    """
    return sampled("beta", _beta_samples, key, shape, dtype, a=a, b=b)


@public
@drawn("df", price=LOOPS)
@placeable
def chisquare(key: Any, df: Any, shape: Any = None, dtype: Any = None, *, out_sharding: Any = None) -> Any:
    """Samples of the chi-square distribution of `df` degrees of freedom. The rest is as for `beta`."""
    return sampled("chisquare", _chisquare_samples, key, shape, dtype, df=df)


@public
@drawn("dfnum dfden", price=LOOPS)
@placeable
def f(key: Any, dfnum: Any, dfden: Any, shape: Any = None, dtype: Any = None, *, out_sharding: Any = None) -> Any:
    """Samples of the F distribution, a ratio of two chi-square samples, each by its degrees of freedom.

    Args:
        dfnum, dfden: degrees of freedom above and below. The rest is as for `beta`.
    """
    return sampled("f", _f_samples, key, shape, dtype, dfnum=dfnum, dfden=dfden)


@public
@drawn("df", price=LOOPS)
@placeable
def t(key: Any, df: Any, shape: Any = None, dtype: Any = None, *, out_sharding: Any = None) -> Any:
    """Samples of Student's t distribution of `df` degrees of freedom. The rest is as for `beta`."""
    return sampled("t", _t_samples, key, shape, dtype, df=df)


@public
@drawn("p", price=LOOPS)
@placeable
def generalized_normal(key: Any, p: Any, shape: Any = (), dtype: Any = None, *, out_sharding: Any = None) -> Any:
    """Samples of the generalised normal distribution, whose density is proportional to `exp(-|x| ** p)`.

    Args:
        key: one key.
        p: positive number.
        shape: of the samples.
        dtype: floating; of a wider `p` the result has the dtype.

    Raises:
        KeyTypeError: `key` is no key.
        SampleDTypeError: `dtype` is not floating.
        SampleShapeError: `p` does not broadcast to `shape`.
    """
    return sampled("generalized_normal", _generalized_samples, key, shape, dtype, p=p)


@public
@drawn("p", price=LOOPS)
@placeable
def ball(key: Any, d: int, p: Any = 2, shape: Any = (), dtype: Any = None, *, out_sharding: Any = None) -> Any:
    """Points that are uniform in the unit ball of the p-norm in `d` dimensions.

    Args:
        key: one key.
        d: number of dimensions.
        p: positive number, the norm.
        shape: of the points.
        dtype: floating; of a wider `p` the result has the dtype.

    Returns:
        Array `[*shape, d]`.

    Raises:
        KeyTypeError: `key` is no key.
        SampleDTypeError: `dtype` is not floating.
        SampleShapeError: `p` does not broadcast to `shape`.
    """
    found, _ = single_key("ball", key)
    dtype = sample_dtype("ball", dtype)
    shape = sample_shape("ball", shape)
    p = parameter("ball", "p", p)
    check_broadcast("ball", (), p=p)
    return _ball_samples(found, p, d=dimension("ball", "d", d), shape=shape, dtype=dtype)


@public
@drawn("alpha", price=LOOPS)
@placeable
def dirichlet(key: Any, alpha: Any, shape: Any = None, dtype: Any = None, *, out_sharding: Any = None) -> Any:
    """Samples of the Dirichlet distribution: weights that sum to 1.

    Args:
        key: one key.
        alpha: array `[..., n]` of positive numbers, one for each weight.
        shape: of the samples, without the weights; that of `alpha` without its last axis by default.
        dtype: floating.

    Returns:
        Array `[*shape, n]`.

    Raises:
        KeyTypeError: `key` is no key.
        ParameterTypeError: `alpha` is no array.
        SampleDTypeError: `dtype` is not floating.
        SampleShapeError: `alpha` without its last axis does not broadcast to `shape`.
        SamplingError: `alpha` has no axis.
    """
    found, _ = single_key("dirichlet", key)
    dtype = sample_dtype("dirichlet", dtype)
    alpha = parameter("dirichlet", "alpha", alpha)
    own: tuple[int, ...] = get_aval(alpha).shape  # type: ignore[attr-defined]
    if not own:
        raise SamplingError(says="`alpha` of `dirichlet` is one number.",
                            why="it is an array with one number for each weight along its last axis")
    shape = sample_shape("dirichlet", own[:-1] if shape is None else shape)
    if len(own) - 1 > len(shape) or any(m not in (1, n) for m, n in zip(own[-2::-1], shape[::-1])):
        raise SampleShapeError(function="dirichlet", shape=shape, parameters=(("alpha without its last axis", own[:-1]),))
    return _dirichlet_samples(found, alpha, shape=shape, dtype=dtype)


__all__ = ["ball", "beta", "chisquare", "dirichlet", "f", "generalized_normal", "t"]
