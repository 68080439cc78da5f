"""Distributions of counts: geometric, Poisson, binomial, multinomial."""
from __future__ import annotations

from typing import Any

import numpy as np

from perspicax.core import dtypes
from perspicax.core.tracer import get_aval
from perspicax.diagnose.boundary import public
from perspicax.lax.bitwise import bitwise_and, bitwise_not, bitwise_or
from perspicax.lax.compare import clamp, eq, ge, gt, le, lt, ne, select
from perspicax.lax.convert import convert_element_type
from perspicax.lax.cumulative import cumsum
from perspicax.lax.elementwise import abs as absolute
from perspicax.lax.elementwise import add, ceil, div, floor, log, mul, neg, sqrt, sub
from perspicax.lax.loops import scan
from perspicax.lax.random_bits import random_clone_p
from perspicax.lax.reductions import reduce_or
from perspicax.lax.shape import transpose
from perspicax.lax.special import lgamma
from perspicax.lax.transcendental import log1p
from perspicax.lax.while_loops import while_loop
from perspicax.numpy.promote import promote_dtypes
from perspicax.random.bits import Staged, check_broadcast, parameter, sample_dtype, sample_shape
from perspicax.random.errors import GeneratorError, SampleShapeError, SamplingError
from perspicax.random.gammas import shared_shape, spread
from perspicax.random.keys import parts_of, single_key, split_in_two, split_keys
from perspicax.random.sampling import uniform_apart, uniform_of
from perspicax.random.selection import taken
from perspicax.random.threefry import threefry

SINGLE = np.dtype(np.float32)


def _any(x: Any) -> Any:
    return reduce_or(x, tuple(range(len(get_aval(x).shape))))  # type: ignore[attr-defined]


# -- geometric

def _geometric(key: Any, p: Any, *, shape: tuple[int, ...], dtype: Any, working: Any) -> Any:
    """The first success of coins: a logarithm of a uniform sample, to a base that `p` tells."""
    one = working.type(1)
    u = uniform_of(key, 0., 1., shape, working)
    u = select(eq(u, working.type(0)), np.broadcast_to(one, shape), u)
    logarithm = spread(log1p(neg(p)), shape)
    return convert_element_type(add(floor(div(log(u), logarithm)), one), dtype)


_staged_geometric = Staged(_geometric)


@public
def geometric(key: Any, p: Any, shape: Any = None, dtype: Any = None, *, out_sharding: Any = None) -> Any:
    """How many coins it takes until the first success, which has probability `p` each time: 1 or more.

    Args:
        key: one key.
        p: number or array of probabilities that broadcasts to `shape`.
        shape: of the samples; that of `p` by default.
        dtype: of the samples, an integer type.

    Raises:
        KeyTypeError: `key` is no key.
        ParameterTypeError: `p` is no array or number.
        SampleDTypeError: `dtype` is no integer type.
        SampleShapeError: `p` does not broadcast to `shape`.
    """
    found, _ = single_key("geometric", key)
    wanted = sample_dtype("geometric", dtype, "int")
    p = promote_dtypes(parameter("geometric", "p", p), inexact=True)[0]
    shape = shared_shape("geometric", shape, out_sharding, p=p)
    working: Any = get_aval(p).dtype  # type: ignore[attr-defined]
    return _staged_geometric(found, convert_element_type(p, working), shape=shape, dtype=wanted, working=working)


# -- Poisson

def _poisson(key: Any, lam: Any, *, shape: tuple[int, ...], dtype: Any) -> Any:
    """Few events are counted one by one; many are found by transformed rejection."""
    few = bitwise_or(ne(lam, lam), lt(lam, SINGLE.type(10)))
    zero, many = np.zeros(shape, SINGLE), np.full(shape, 1e5, SINGLE)  # what the other way computes in vain
    counted = _knuth(key, select(few, lam, zero), shape, dtype)
    rejected = _transformed(random_clone_p(key), select(few, many, lam), shape, dtype)
    found = select(few, counted, rejected)
    return select(eq(lam, SINGLE.type(0)), np.zeros(shape, dtype), found)


def _limit(i: Any, dtype: Any) -> Any:
    """Whether the steps are still fewer than the largest count."""
    return lt(convert_element_type(i, dtype), np.asarray(dtypes.iinfo(dtype).max, dtype)[()])


def _knuth(key: Any, lam: Any, shape: tuple[int, ...], dtype: Any) -> Any:
    """Products of uniform samples until one is below exp(-lam), by their logarithms (Knuth, TAOCP 2, section 3.4.1)."""
    bound = neg(lam)

    def going(state: tuple) -> Any:
        i, _, _, total = state
        return bitwise_and(_any(gt(total, bound)), _limit(i, dtype))

    def step(state: tuple) -> tuple:
        i, count, key, total = state
        key, used = split_in_two(key)
        count = select(gt(total, bound), add(count, np.ones((), dtype)[()]), count)
        u = uniform_apart(used, shape, SINGLE)
        return add(i, index(1)), count, key, add(total, log(u))

    index = dtypes.default_dtype("int").type
    start = index(0), np.zeros(shape, dtype), key, np.zeros(shape, SINGLE)
    return sub(while_loop(going, step, start)[1], np.ones((), dtype)[()])


def _transformed(key: Any, lam: Any, shape: tuple[int, ...], dtype: Any) -> Any:
    """Hörmann, "The transformed rejection method for generating Poisson random variables" (1993), algorithm PTRS."""
    real = SINGLE.type
    log_lam = log(lam)
    b = add(real(0.931), mul(real(2.53), sqrt(lam)))
    a = add(real(-0.059), mul(real(0.02483), b))
    inverse_alpha = add(real(1.1239), div(real(1.1328), sub(b, real(3.4))))
    v_r = sub(real(0.9277), div(real(3.6224), sub(b, real(2))))

    def going(state: tuple) -> Any:
        i, _, accepted, _ = state
        return bitwise_and(_any(bitwise_not(accepted)), _limit(i, dtype))

    def step(state: tuple) -> tuple:
        i, kept, accepted, key = state
        key, first, second = parts_of(key, 3)
        u = sub(uniform_apart(first, shape, SINGLE), real(0.5))
        v = uniform_apart(second, shape, SINGLE)
        u_s = sub(real(0.5), absolute(u))
        k = floor(add(add(mul(add(div(mul(real(2), a), u_s), b), u), lam), real(0.43)))
        s = log(div(mul(v, inverse_alpha), add(div(a, mul(u_s, u_s)), b)))
        t = sub(add(neg(lam), mul(k, log_lam)), lgamma(add(k, real(1))))
        quick = bitwise_and(ge(u_s, real(0.07)), le(v, v_r))
        refused = bitwise_or(lt(k, real(0)), bitwise_and(lt(u_s, real(0.013)), gt(v, u_s)))
        accept = bitwise_or(quick, bitwise_and(bitwise_not(refused), le(s, t)))
        return add(i, index(1)), select(accept, k, kept), bitwise_or(accepted, accept), key

    index = dtypes.default_dtype("int").type
    start = index(0), np.full(shape, -1, SINGLE), np.zeros(shape, bool), key
    return convert_element_type(while_loop(going, step, start)[1], dtype)


_staged_poisson = Staged(_poisson)


@public
def poisson(key: Any, lam: Any, shape: Any = None, dtype: Any = None, *, out_sharding: Any = None) -> Any:
    """Samples of the Poisson distribution: how many events there are when `lam` are expected.

    Args:
        key: one key, of the generator threefry2x32.
        lam: number or array that broadcasts to `shape`; 0 or more.
        shape: of the samples; that of `lam` by default.
        dtype: of the samples, an integer type.

    Raises:
        GeneratorError: the key is of another generator.
        KeyTypeError: `key` is no key.
        ParameterTypeError: `lam` is no array or number.
        SampleDTypeError: `dtype` is no integer type.
        SampleShapeError: `lam` does not broadcast to `shape`.
    """
    found, _ = single_key("poisson", key)
    if found.dtype.generator is not threefry:
        raise GeneratorError(function="poisson", generator=found.dtype.generator.name, known=threefry.name)
    wanted = sample_dtype("poisson", dtype, "int")
    lam = parameter("poisson", "lam", lam)
    shape = shared_shape("poisson", shape, out_sharding, lam=lam)
    return _staged_poisson(found, convert_element_type(spread(lam, shape), SINGLE), shape=shape, dtype=wanted)


# -- binomial

# ln k! less Stirling's approximation, of 0 … 9
TAILS = (0.0810614667953272, 0.0413406959554092, 0.0276779256849983, 0.02079067210376509, 0.0166446911898211,
         0.0138761288230707, 0.0118967099458917, 0.0104112652619720, 0.00925546218271273, 0.00833056343336287)


def _tail(k: Any, dtype: Any) -> Any:
    """What Stirling's approximation of ln k! lacks: by a table up to 9, by the series above."""
    real = dtype.type
    small = le(k, real(9))
    k = clamp(real(0), k, real(9))
    square = mul(add(k, real(1)), add(k, real(1)))
    series = sub(real(1 / 360), div(real(1 / 1260), square))
    series = div(sub(real(1 / 12), div(series, square)), add(k, real(1)))
    table = taken(np.asarray(TAILS, dtype), convert_element_type(floor(k), np.int32), 0)
    return select(small, table, series)


def _by_gaps(key: Any, count: Any, q: Any, shape: tuple[int, ...], dtype: Any) -> Any:
    """How many geometric gaps fit into `count` trials."""
    one, logarithm = dtype.type(1), log1p(neg(q))

    def step(state: tuple) -> tuple:
        gaps, total, key = state
        used, key = split_in_two(key)
        gaps = select(le(total, count), add(gaps, one), gaps)
        gap = ceil(div(log(uniform_apart(used, shape, dtype)), logarithm))
        return gaps, add(total, gap), key

    start = np.zeros(shape, dtype), np.zeros(shape, dtype), key
    return sub(while_loop(lambda state: _any(le(state[1], count)), step, start)[0], one)


def _by_rejection(key: Any, count: Any, q: Any, shape: tuple[int, ...], dtype: Any) -> Any:
    """Hörmann, "The generation of binomial random variates" (1993), algorithm BTRS."""
    real = dtype.type
    one, half = real(1), real(0.5)
    deviation = sqrt(mul(mul(count, q), sub(one, q)))
    b = add(real(1.15), mul(real(2.53), deviation))
    a = add(add(real(-0.0873), mul(real(0.0248), b)), mul(real(0.01), q))
    c = add(mul(count, q), half)
    v_r = sub(real(0.92), div(real(4.2), b))
    odds = div(q, sub(one, q))
    alpha = mul(add(real(2.83), div(real(5.1), b)), deviation)
    mode = floor(mul(add(count, one), q))

    def step(state: tuple) -> tuple:
        kept, accepted, key = state
        key, first, second = parts_of(key, 3)
        u = sub(uniform_apart(first, shape, dtype), half)
        v = uniform_apart(second, shape, dtype)
        u_s = sub(half, absolute(u))
        quick = bitwise_and(ge(u_s, real(0.07)), le(v, v_r))
        k = floor(add(mul(add(div(mul(real(2), a), u_s), b), u), c))
        refused = bitwise_or(lt(k, real(0)), gt(k, count))
        bound = log(div(mul(v, alpha), add(div(a, mul(u_s, u_s)), b)))
        above, left = add(sub(count, mode), one), add(sub(count, k), one)
        density = mul(add(mode, half), log(div(add(mode, one), mul(odds, above))))
        density = add(density, mul(add(count, one), log(div(above, left))))
        density = add(density, mul(add(k, half), log(div(mul(odds, left), add(k, one)))))
        density = add(add(density, _tail(mode, dtype)), _tail(sub(count, mode), dtype))
        density = sub(sub(density, _tail(k, dtype)), _tail(sub(count, k), dtype))
        accept = bitwise_or(quick, bitwise_and(bitwise_not(refused), le(bound, density)))
        return select(accept, k, kept), bitwise_or(accepted, accept), key

    start = np.full(shape, -1, dtype), np.zeros(shape, bool), key
    return while_loop(lambda state: _any(bitwise_not(state[1])), step, start)[0]


def _binomial(key: Any, count: Any, p: Any, *, shape: tuple[int, ...], dtype: Any) -> Any:
    """Of `p` and `1 - p` the smaller is drawn. Few successes are counted by their gaps, many found by rejection."""
    real = dtype.type

    def full(value: float) -> np.ndarray:
        return np.full(shape, value, dtype)

    small = lt(p, real(0.5))
    q = select(small, p, sub(real(1), p))
    no_count = bitwise_or(ne(count, count), lt(count, real(0)))
    endless = eq(absolute(count), real(np.inf))
    no_number, negative = ne(q, q), lt(q, real(0))
    q = select(bitwise_or(no_number, negative), full(0.01), q)
    few = bitwise_or(no_count, le(mul(count, q), real(10)))
    count = floor(count)
    gaps = _by_gaps(key, select(few, count, full(0)), q, shape, dtype)
    rejected = _by_rejection(random_clone_p(key), select(few, full(1e4), count), select(few, full(0.5), q), shape, dtype)
    found = select(few, gaps, rejected)
    invalid = bitwise_or(bitwise_or(negative, no_number), no_count)
    found = select(invalid, full(np.nan), found)
    found = select(bitwise_and(endless, bitwise_not(invalid)), full(np.inf), found)
    as_drawn = bitwise_or(bitwise_or(bitwise_or(small, no_count), no_number), endless)
    return select(as_drawn, found, sub(count, found))


_staged_binomial = Staged(_binomial, inline=True)


@public
def binomial(key: Any, n: Any, p: Any, shape: Any = None, dtype: Any = None) -> Any:
    """Samples of the binomial distribution: how many of `n` trials succeed, each with probability `p`.

    Args:
        key: one key.
        n, p: numbers or arrays that broadcast to `shape`.
        shape: of the samples; what the parameters broadcast to by default.
        dtype: of the samples, floating.

    Returns:
        Whole numbers as floating ones; NaN where `n` or `p` makes no sense.

    Raises:
        KeyTypeError: `key` is no key.
        ParameterTypeError: a parameter is no array or number.
        SampleDTypeError: `dtype` is not floating.
        SampleShapeError: a parameter does not broadcast to `shape`.
    """
    found, _ = single_key("binomial", key)
    wanted = sample_dtype("binomial", dtype)
    n, p = promote_dtypes(parameter("binomial", "n", n), parameter("binomial", "p", p), inexact=True)
    shape = shared_shape("binomial", shape, None, n=n, p=p)
    working: Any = get_aval(p).dtype  # type: ignore[attr-defined]
    n, p = [spread(convert_element_type(x, working), shape) for x in (n, p)]
    return convert_element_type(_staged_binomial(found, n, p, shape=shape, dtype=working), wanted)


# -- multinomial

@public
def multinomial(key: Any, n: Any, p: Any, *, shape: Any = None, dtype: Any = None, unroll: int | bool = 1) -> Any:
    """Samples of the multinomial distribution: how `n` trials fall into categories.

    Args:
        key: one key.
        n: number of trials; broadcasts to `shape` without its last axis.
        p: array `[..., k]`: the probability of each category.
        shape: of the samples, the last axis that of the categories; that of `p` by default.
        dtype: of the samples; floating by default.
        unroll: how many categories one step of the loop draws.

    Returns:
        Whole numbers that sum to `n` along the last axis.

    Raises:
        KeyTypeError: `key` is no key.
        ParameterTypeError: `n` or `p` is no array or number.
        SampleShapeError: `n` or `p` does not broadcast to `shape`.
        SamplingError: `p` has no axis.

    Each category is a binomial sample of the trials that are left.
    """
    found, _ = single_key("multinomial", key)
    n, p = promote_dtypes(parameter("multinomial", "n", n), parameter("multinomial", "p", p), inexact=True)
    own: tuple[int, ...] = get_aval(p).shape  # type: ignore[attr-defined]
    if not own:
        raise SamplingError(says="`p` of `multinomial` is one number.",
                            why="it is an array with one probability for each category along its last axis")
    shape = sample_shape("multinomial", own if shape is None else shape)
    check_broadcast("multinomial", shape, p=p)
    if shape[-1:] != own[-1:]:
        raise SampleShapeError(function="multinomial", shape=shape, parameters=(("p", own),))
    check_broadcast("multinomial", shape[:-1], n=n)
    working: Any = get_aval(p).dtype  # type: ignore[attr-defined]
    wanted = dtypes.default_dtype("float") if dtype is None else dtypes.requested_dtype(dtype, "jax.random.multinomial")
    n, p = convert_element_type(n, working), convert_element_type(p, working)
    last = len(shape) - 1
    p = spread(p, shape)
    p = transpose(p, (last, *range(last))) if last else p
    left = cumsum(p, 0, True)
    share = div(p, select(eq(left, working.type(0)), np.ones(get_aval(left).shape, working), left))  # type: ignore[attr-defined]
    keys = split_keys(found, (shape[-1],))

    def draw(rest: Any, step: tuple) -> tuple[Any, Any]:
        key, q = step
        count = _binomial(key, rest, clamp(working.type(0), q, working.type(1)), shape=shape[:-1], dtype=working)
        return sub(rest, count), count

    counts = scan(draw, spread(n, shape[:-1]), (keys, share), unroll=unroll)[1]
    return convert_element_type(transpose(counts, (*range(1, last + 1), 0)) if last else counts, wanted)


__all__ = ["binomial", "geometric", "multinomial", "poisson"]
