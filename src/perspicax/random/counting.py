"""Distributions of counts: geometric and Poisson."""
from __future__ import annotations

from typing import Any

import numpy as np

from perspicax.core import dtypes
from perspicax.core.avals import ShapedArray
from perspicax.core.tracer import get_aval
from perspicax.diagnose.boundary import public
from perspicax.lax.bitwise import bitwise_and, bitwise_not, bitwise_or
from perspicax.lax.compare import eq, ge, gt, le, lt, ne, select
from perspicax.lax.convert import convert_element_type
from perspicax.lax.elementwise import abs as absolute
from perspicax.lax.elementwise import add, div, floor, log, mul, neg, sqrt, sub
from perspicax.lax.families import zeros_like
from perspicax.lax.random_bits import Place, random_clone_p
from perspicax.lax.special import lgamma
from perspicax.lax.transcendental import log1p
from perspicax.lax.while_loops import while_loop
from perspicax.numpy.promote import promote_dtypes
from perspicax.random.bits import Distribution, GivenBits, parameter, placeable, sample_dtype
from perspicax.random.chunks import FixedProgram, mapped
from perspicax.random.draws import LOOPS, drawn
from perspicax.random.errors import GeneratorError
from perspicax.random.gammas import shared_shape, spread
from perspicax.random.keys import parts_of, single_key, split_in_two
from perspicax.random.piecewise import Composite
from perspicax.random.sampling import uniform_apart, uniform_of
from perspicax.random.threefry import threefry
from perspicax.random.tries import any_of, last_accepted, repeated
from perspicax.xla.array import ArrayImpl

SINGLE = np.dtype(np.float32)
TINY = np.finfo(SINGLE).tiny
MANY = 1e5  # the parameter of elements for which transformed rejection computes in vain


# -- geometric

def _geometric(key: Any, p: Any, *, shape: tuple[int, ...], dtype: Any, wanted: Any) -> Any:
    """The first success of coins: a logarithm of a uniform sample of `dtype`, to a base that `p` tells."""
    one = dtype.type(1)
    u = uniform_of(key, 0., 1., shape, dtype)
    u = select(eq(u, dtype.type(0)), np.broadcast_to(one, shape), u)
    logarithm = spread(log1p(neg(p)), shape)
    return convert_element_type(add(floor(div(log(u), logarithm)), one), wanted)


_geometric_samples = Distribution(_geometric, fast=True)


@public
@drawn("p")
@placeable
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
    shape = shared_shape("geometric", shape, p=p)
    working: Any = get_aval(p).dtype  # type: ignore[attr-defined]
    return _geometric_samples(found, convert_element_type(p, working), shape=shape, dtype=working, wanted=wanted)


# -- Poisson

def _poisson(key: Any, lam: Any, *, shape: tuple[int, ...], dtype: Any) -> Any:
    """Few events are counted one by one; many are found by transformed rejection."""
    few = _are_few(lam)
    zero, many = np.zeros(shape, SINGLE), np.full(shape, MANY, SINGLE)  # what the other way computes in vain
    counted = _knuth(key, select(few, lam, zero), shape, dtype)
    rejected = _transformed(random_clone_p(key), select(few, many, lam), shape, dtype)
    return _poisson_of(lam, few, counted, rejected)


def _are_few(lam: Any) -> Any:
    return bitwise_or(ne(lam, lam), lt(lam, SINGLE.type(10)))


def _poisson_of(lam: Any, few: Any, counted: Any, rejected: Any) -> Any:
    found = select(few, counted, rejected)
    return select(eq(lam, SINGLE.type(0)), zeros_like(found), found)


def _limit(i: Any, dtype: Any) -> Any:
    """Whether the steps are still fewer than the largest count."""
    return lt(convert_element_type(i, dtype), np.asarray(dtypes.iinfo(dtype).max, dtype)[()])


def _knuth(key: Any, lam: Any, shape: tuple[int, ...], dtype: Any) -> Any:
    """Products of uniform samples until one is below exp(-lam), by their logarithms (Knuth, TAOCP 2, section 3.4.1)."""
    bound = neg(lam)

    def going(state: tuple) -> Any:
        i, _, _, total = state
        return bitwise_and(any_of(gt(total, bound)), _limit(i, dtype))

    def step(state: tuple) -> tuple:
        i, count, key, total = state
        key, used = split_in_two(key)
        count, total = _one_more(used, bound, count, total)
        return add(i, index(1)), count, key, total

    index = dtypes.default_dtype("int").type
    start = index(0), np.zeros(shape, dtype), key, np.zeros(shape, SINGLE)
    return sub(while_loop(going, step, start)[1], np.ones((), dtype)[()])


def _one_more(key: Any, bound: Any, count: Any, total: Any) -> tuple[Any, Any]:
    """The next factor, counted where the product so far is above the bound."""
    aval: Any = get_aval(count)
    count = select(gt(total, bound), add(count, np.ones((), aval.dtype)[()]), count)
    return count, add(total, log(uniform_apart(key, aval.shape, SINGLE)))


def _transformed(key: Any, lam: Any, shape: tuple[int, ...], dtype: Any) -> Any:
    """Hörmann, "The transformed rejection method for generating Poisson random variables" (1993), algorithm PTRS."""
    constants = _hat_of_poisson(lam)

    def going(state: tuple) -> Any:
        i, _, accepted, _ = state
        return bitwise_and(any_of(bitwise_not(accepted)), _limit(i, dtype))

    def step(state: tuple) -> tuple:
        i, kept, accepted, key = state
        key, first, second = parts_of(key, 3)
        k, accept = _proposed_count(first, second, *constants)
        return add(i, index(1)), select(accept, k, kept), bitwise_or(accepted, accept), key

    index = dtypes.default_dtype("int").type
    start = index(0), np.full(shape, -1, SINGLE), np.zeros(shape, bool), key
    return convert_element_type(while_loop(going, step, start)[1], dtype)


def _hat_of_poisson(lam: Any) -> tuple[Any, ...]:
    """`lam`, and what the proposals depend on: its logarithm, a, b, 1/alpha, v_r."""
    real = SINGLE.type
    b = add(real(0.931), mul(real(2.53), sqrt(lam)))
    a = add(real(-0.059), mul(real(0.02483), b))
    inverse_alpha = add(real(1.1239), div(real(1.1328), sub(b, real(3.4))))
    return lam, log(lam), a, b, inverse_alpha, sub(real(0.9277), div(real(3.6224), sub(b, real(2))))


def _proposed_count(first: Any, second: Any, lam: Any, log_lam: Any, a: Any, b: Any, inverse_alpha: Any,
                    v_r: Any) -> tuple[Any, Any]:
    """A proposal of two keys, and whether it is accepted."""
    real, shape = SINGLE.type, get_aval(lam).shape  # type: ignore[attr-defined]
    u = sub(uniform_apart(first, shape, SINGLE), real(0.5))
    v = uniform_apart(second, shape, SINGLE)
    u_s = sub(real(0.5), absolute(u))
    k = floor(add(add(mul(add(div(mul(real(2), a), u_s), b), u), lam), real(0.43)))
    s = log(div(mul(v, inverse_alpha), add(div(a, mul(u_s, u_s)), b)))
    t = sub(add(neg(lam), mul(k, log_lam)), lgamma(add(k, real(1))))
    quick = bitwise_and(ge(u_s, real(0.07)), le(v, v_r))
    refused = bitwise_or(lt(k, real(0)), bitwise_and(lt(u_s, real(0.013)), gt(v, u_s)))
    return k, bitwise_or(quick, bitwise_and(bitwise_not(refused), le(s, t)))


def _one_more_of_bits(bits: Any, bound: Any, count: Any, total: Any) -> tuple[Any, Any, Any]:
    count, total = _one_more(GivenBits(bits), bound, count, total)
    return count, total, gt(total, bound)


def _proposed_of_bits(first: Any, second: Any, *constants: Any) -> tuple[Any, Any]:
    return _proposed_count(GivenBits(first), GivenBits(second), *constants)


_poisson_hat_program = FixedProgram("poisson_hat", _hat_of_poisson, fast=True)
_one_more_program = FixedProgram("poisson_few", _one_more_of_bits, fast=True)
_proposed_program = FixedProgram("poisson_many", _proposed_of_bits, fast=True)
_whole_program = FixedProgram("poisson_whole", lambda x, like: convert_element_type(x, like.dtype), fast=True)


def _poisson_on_host(place: Place, key: ArrayImpl, lam: ArrayImpl, *, shape: tuple[int, ...], dtype: Any) -> ArrayImpl:
    """`_poisson`, each way for those elements alone that it is for."""
    events = np.ascontiguousarray(lam.value()).reshape(-1)
    few, bound, zero = ~(events >= 10), -events, np.abs(events) < TINY  # XLA takes subnormal numbers for 0
    n, most = events.size, int(dtypes.iinfo(dtype).max)
    count, total, kept = np.zeros(n, dtype), np.zeros(n, SINGLE), np.zeros(n, SINGLE)
    repeated(_one_more_program, place, key, constants=[bound], state=[count, total],
             left=np.flatnonzero(few & (events >= TINY)), shape=shape, dtype=SINGLE, most=most)
    count -= np.ones((), dtype)
    if not few.all():
        hat = mapped(_poisson_hat_program, place, [np.where(few, SINGLE.type(MANY), events)])
        kept = last_accepted(_proposed_program, place, random_clone_p(key), constants=hat, wanted=np.flatnonzero(~few),
                             shape=shape, dtype=SINGLE, most=most)
        count = np.where(few, count, _as_counts(place, kept, count))
    count[zero] = 0
    return ArrayImpl(ShapedArray(shape, dtype), None, count.reshape(shape), *place)


def _as_counts(place: Place, kept: np.ndarray, like: np.ndarray) -> np.ndarray:
    """Whole floating numbers as integers. XLA alone knows what becomes of those that do not fit."""
    info = dtypes.iinfo(like.dtype)
    if like.dtype.isbuiltin == 1 and ((kept >= float(info.min)) & (kept < float(info.max) + 1)).all():
        return kept.astype(like.dtype)
    return mapped(_whole_program, place, [kept, like])[0]


_poisson_samples = Composite(_poisson, host=_poisson_on_host)


@public
@drawn("lam", price=LOOPS)
@placeable
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
    shape = shared_shape("poisson", shape, lam=lam)
    return _poisson_samples(found, convert_element_type(spread(lam, shape), SINGLE), shape=shape, dtype=wanted)


__all__ = ["geometric", "poisson"]
