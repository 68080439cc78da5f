"""Binomial and multinomial samples: how many of some trials succeed, and how they fall into categories."""
from __future__ import annotations

from typing import Any

import numpy as np

from perspicax.core import dtypes
from perspicax.core.avals import ShapedArray
from perspicax.core.tracer import get_aval
from perspicax.diagnose.boundary import public
from perspicax.lax.bitwise import bitwise_and, bitwise_not, bitwise_or
from perspicax.lax.compare import clamp, eq, ge, gt, le, lt, ne, select
from perspicax.lax.convert import convert_element_type
from perspicax.lax.cumulative import cumsum
from perspicax.lax.elementwise import abs as absolute
from perspicax.lax.elementwise import add, ceil, div, floor, log, mul, neg, sqrt, sub
from perspicax.lax.families import zeros_like
from perspicax.lax.loops import scan
from perspicax.lax.random_bits import Place, host_place, random_clone_p
from perspicax.lax.shape import transpose
from perspicax.lax.slicing import index_in_dim
from perspicax.lax.transcendental import log1p
from perspicax.lax.while_loops import while_loop
from perspicax.numpy.promote import promote_dtypes
from perspicax.random.bits import (
    GivenBits,
    Staged,
    check_broadcast,
    concrete,
    parameter,
    sample_dtype,
    sample_shape,
)
from perspicax.random.chunks import FixedProgram, mapped
from perspicax.random.draws import LOOPS, drawn
from perspicax.random.errors import SampleShapeError, SamplingError
from perspicax.random.gammas import shared_shape, spread
from perspicax.random.keys import parts_of, single_key, split_in_two, split_keys
from perspicax.random.piecewise import Composite, Piecewise
from perspicax.random.sampling import uniform_apart
from perspicax.random.selection import taken
from perspicax.random.tries import any_of, last_accepted, repeated
from perspicax.xla.array import ArrayImpl

TRIALS, FAIR = 1e4, 0.5  # the parameters of elements for which rejection computes in vain


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
    logarithm = log1p(neg(q))

    def step(state: tuple) -> tuple:
        gaps, total, key = state
        used, key = split_in_two(key)
        return *_one_gap(used, count, logarithm, gaps, total), key

    start = np.zeros(shape, dtype), np.zeros(shape, dtype), key
    return sub(while_loop(lambda state: any_of(le(state[1], count)), step, start)[0], dtype.type(1))


def _one_gap(key: Any, count: Any, logarithm: Any, gaps: Any, total: Any) -> tuple[Any, Any]:
    aval: Any = get_aval(gaps)
    gaps = select(le(total, count), add(gaps, aval.dtype.type(1)), gaps)
    return gaps, add(total, ceil(div(log(uniform_apart(key, aval.shape, aval.dtype)), logarithm)))


def _by_rejection(key: Any, count: Any, q: Any, shape: tuple[int, ...], dtype: Any) -> Any:
    """Hörmann, "The generation of binomial random variates" (1993), algorithm BTRS."""
    constants = _hat_of_binomial(count, q)

    def step(state: tuple) -> tuple:
        kept, accepted, key = state
        key, first, second = parts_of(key, 3)
        k, accept = _proposed_successes(first, second, *constants)
        return select(accept, k, kept), bitwise_or(accepted, accept), key

    start = np.full(shape, -1, dtype), np.zeros(shape, bool), key
    return while_loop(lambda state: any_of(bitwise_not(state[1])), step, start)[0]


def _hat_of_binomial(count: Any, q: Any) -> tuple[Any, ...]:
    """`count`, and what the proposals depend on: a, b, c, v_r, the odds, alpha, the mode, the density at the mode.

    The density stands here, and not in the step, so that no compilation contracts its product with the sum there.
    """
    real = get_aval(count).dtype.type  # type: ignore[attr-defined]
    one, half = real(1), real(0.5)
    deviation = sqrt(mul(mul(count, q), sub(one, q)))
    b = add(real(1.15), mul(real(2.53), deviation))
    a = add(add(real(-0.0873), mul(real(0.0248), b)), mul(real(0.01), q))
    c = add(mul(count, q), half)
    odds = div(q, sub(one, q))
    alpha = mul(add(real(2.83), div(real(5.1), b)), deviation)
    mode = floor(mul(add(count, one), q))
    above = add(sub(count, mode), one)
    density = mul(add(mode, half), log(div(add(mode, one), mul(odds, above))))
    return count, a, b, c, sub(real(0.92), div(real(4.2), b)), odds, alpha, mode, density


def _proposed_successes(first: Any, second: Any, count: Any, a: Any, b: Any, c: Any, v_r: Any, odds: Any, alpha: Any,
                        mode: Any, density: Any) -> tuple[Any, Any]:
    """A proposal of two keys, and whether it is accepted."""
    aval: Any = get_aval(count)
    dtype, real = aval.dtype, aval.dtype.type
    one, half = real(1), real(0.5)
    u = sub(uniform_apart(first, aval.shape, dtype), half)
    v = uniform_apart(second, aval.shape, dtype)
    u_s = sub(half, absolute(u))
    quick = bitwise_and(ge(u_s, real(0.07)), le(v, v_r))
    k = floor(add(mul(add(div(mul(real(2), a), u_s), b), u), c))
    refused = bitwise_or(lt(k, real(0)), gt(k, count))
    bound = log(div(mul(v, alpha), add(div(a, mul(u_s, u_s)), b)))
    above, left = add(sub(count, mode), one), add(sub(count, k), one)
    density = add(density, mul(add(count, one), log(div(above, left))))
    density = add(density, mul(add(k, half), log(div(mul(odds, left), add(k, one)))))
    density = add(add(density, _tail(mode, dtype)), _tail(sub(count, mode), dtype))
    density = sub(sub(density, _tail(k, dtype)), _tail(sub(count, k), dtype))
    return k, bitwise_or(quick, bitwise_and(bitwise_not(refused), le(bound, density)))


def _binomial(key: Any, count: Any, p: Any, *, shape: tuple[int, ...], dtype: Any) -> Any:
    """Of `p` and `1 - p` the smaller is drawn. Few successes are counted by their gaps, many found by rejection."""
    def full(value: float) -> np.ndarray:
        return np.full(shape, value, dtype)

    whole, q, few = _prepared(count, p)
    gaps = _by_gaps(key, select(few, whole, full(0)), q, shape, dtype)
    rejected = _by_rejection(random_clone_p(key), select(few, full(TRIALS), whole), select(few, full(FAIR), q), shape, dtype)
    return _binomial_of(count, p, select(few, gaps, rejected))


def _prepared(count: Any, p: Any) -> tuple[Any, Any, Any]:
    """The whole number of trials, the smaller probability, and whether few successes are expected."""
    real, shape = get_aval(p).dtype.type, get_aval(p).shape  # type: ignore[attr-defined]
    q = select(lt(p, real(0.5)), p, sub(real(1), p))
    no_count = bitwise_or(ne(count, count), lt(count, real(0)))
    q = select(bitwise_or(ne(q, q), lt(q, real(0))), np.broadcast_to(real(0.01), shape), q)
    return floor(count), q, bitwise_or(no_count, le(mul(count, q), real(10)))


def _binomial_of(count: Any, p: Any, found: Any) -> Any:
    """What was found, turned where `1 - p` was drawn; NaN and infinity where the parameters have no sample."""
    real, shape = get_aval(p).dtype.type, get_aval(p).shape  # type: ignore[attr-defined]
    small = lt(p, real(0.5))
    q = select(small, p, sub(real(1), p))
    no_count = bitwise_or(ne(count, count), lt(count, real(0)))
    endless = eq(absolute(count), real(np.inf))
    no_number = ne(q, q)
    invalid = bitwise_or(bitwise_or(lt(q, real(0)), no_number), no_count)
    found = select(invalid, np.broadcast_to(real(np.nan), shape), found)
    found = select(bitwise_and(endless, bitwise_not(invalid)), np.broadcast_to(real(np.inf), shape), found)
    as_drawn = bitwise_or(bitwise_or(bitwise_or(small, no_count), no_number), endless)
    return select(as_drawn, found, sub(floor(count), found))


def _one_gap_of_bits(bits: Any, count: Any, logarithm: Any, gaps: Any, total: Any) -> tuple[Any, Any, Any]:
    gaps, total = _one_gap(GivenBits(bits), count, logarithm, gaps, total)
    return gaps, total, le(total, count)


def _successes_of_bits(first: Any, second: Any, *constants: Any) -> tuple[Any, Any]:
    return _proposed_successes(GivenBits(first), GivenBits(second), *constants)


def _binomial_start(count: Any, p: Any) -> tuple[Any, ...]:
    whole, q, few = _prepared(count, p)
    return whole, few, le(zeros_like(whole), whole), q, log1p(neg(q))


_binomial_start_program = FixedProgram("binomial_start", _binomial_start, fast=True)
_hat_program = FixedProgram("binomial_hat", _hat_of_binomial, fast=True)
_one_gap_program = FixedProgram("binomial_few", _one_gap_of_bits, fast=True)
_successes_program = FixedProgram("binomial_many", _successes_of_bits, fast=True)
_binomial_program = FixedProgram("binomial", lambda count, p, few, gaps, rejected: _binomial_of(
    count, p, select(few, sub(gaps, gaps.dtype.type(1)), rejected)), fast=True)


def _binomial_on_host(place: Place, key: ArrayImpl, count: ArrayImpl, p: ArrayImpl, *, shape: tuple[int, ...],
                      dtype: Any) -> ArrayImpl:
    """`_binomial`, each way for those elements alone that it is for."""
    given = [np.ascontiguousarray(x.value()).reshape(-1) for x in (count, p)]
    whole, few, going, q, logarithm = mapped(_binomial_start_program, place, given)
    n = whole.size
    gaps, total, kept = np.zeros(n, dtype), np.zeros(n, dtype), np.zeros(n, dtype)
    repeated(_one_gap_program, place, key, next_key=1, constants=[whole, logarithm], state=[gaps, total],
             left=np.flatnonzero(few & going), shape=shape, dtype=dtype)
    if not few.all():
        substituted = [np.where(few, dtype.type(x), y) for x, y in ((TRIALS, whole), (FAIR, q))]
        kept = last_accepted(_successes_program, place, random_clone_p(key), constants=mapped(_hat_program, place, substituted),
                             wanted=np.flatnonzero(~few), shape=shape, dtype=dtype)
    found = mapped(_binomial_program, place, [*given, few, gaps, kept])[0]
    return ArrayImpl(ShapedArray(shape, dtype), None, found.reshape(shape), *place)


_binomial_samples = Composite(_binomial, inline=True, host=_binomial_on_host)


@public
@drawn("n p", price=LOOPS)
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
    shape = shared_shape("binomial", shape, n=n, p=p)
    working: Any = get_aval(p).dtype  # type: ignore[attr-defined]
    n, p = [spread(convert_element_type(x, working), shape) for x in (n, p)]
    return convert_element_type(_binomial_samples(found, n, p, shape=shape, dtype=working), wanted)


# -- multinomial

@public
@drawn("n p", price=LOOPS)
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
    p = spread(p, shape)
    keys = split_keys(found, (shape[-1],))
    if concrete(keys, n, p) and host_place([keys]) is not None:
        counts = _one_by_one(keys, spread(n, shape[:-1]), _shares(p))
    else:
        counts = _in_turn(keys, spread(n, shape[:-1]), _shares_of(p), unroll)
    return convert_element_type(counts, wanted)


def _shares_of(p: Any) -> Any:
    """For each category, in front, its probability among those that are left: itself, and the ones behind it."""
    aval: Any = get_aval(p)
    last = aval.ndim - 1
    p = transpose(p, (last, *range(last))) if last else p
    left = cumsum(p, 0, True)
    return div(p, select(eq(left, aval.dtype.type(0)), np.ones(get_aval(left).shape, aval.dtype), left))  # type: ignore[attr-defined]


_shares = Staged(_shares_of)
_fewer = Piecewise(lambda rest, count: sub(rest, count))
_probability = Piecewise(lambda q: clamp(q.dtype.type(0), q, q.dtype.type(1)))


def _in_turn(keys: Any, n: Any, shares: Any, unroll: int | bool) -> Any:
    """The counts of all categories, in the last axis."""
    aval: Any = get_aval(n)

    def draw(rest: Any, step: tuple) -> tuple[Any, Any]:
        key, q = step
        count = _binomial(key, rest, _probability(q), shape=aval.shape, dtype=aval.dtype)
        return sub(rest, count), count

    counts = scan(draw, n, (keys, shares), unroll=unroll)[1]
    return transpose(counts, (*range(1, aval.ndim + 1), 0)) if aval.ndim else counts


def _one_by_one(keys: Any, rest: Any, shares: Any) -> Any:
    """`_in_turn`, without a program of the whole loop."""
    found = []
    for i in range(keys.shape[0]):
        key, q = index_in_dim(keys, i, 0, False), index_in_dim(shares, i, 0, False)
        count = _binomial_samples(key, rest, _probability(q), shape=rest.shape, dtype=rest.dtype)
        found.append(count.value())
        rest = _fewer(rest, count)
    counts = np.stack(found, -1) if found else np.zeros((*rest.shape, 0), rest.dtype)
    return ArrayImpl(ShapedArray(counts.shape, counts.dtype), None, counts, None, False)


__all__ = ["binomial", "multinomial"]
