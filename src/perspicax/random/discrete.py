"""Discrete distributions: coins, integers, permutations, choices, categories."""
from __future__ import annotations

import math
import operator
from typing import Any

import numpy as np

from perspicax.core import dtypes
from perspicax.core.array import Array
from perspicax.core.avals import ShapedArray
from perspicax.core.tracer import Tracer, get_aval
from perspicax.diagnose.boundary import public
from perspicax.lax.bitwise import bitwise_and
from perspicax.lax.compare import gt, le, lt, select
from perspicax.lax.convert import convert_element_type
from perspicax.lax.elementwise import add, mul, rem, sub
from perspicax.lax.elementwise import max as maximum
from perspicax.lax.elementwise import min as minimum
from perspicax.lax.random_bits import BITS_DTYPES, host_place, random_bits_p
from perspicax.lax.shape import broadcast_to_rank, iota
from perspicax.lax.sorting import sort_key_val
from perspicax.random.bits import (
    Distribution,
    Staged,
    check_broadcast,
    draw,
    parameter,
    placeable,
    sample_dtype,
    sample_shape,
    staged_here,
)
from perspicax.random.chunks import FEW
from perspicax.random.draws import drawn
from perspicax.random.errors import SampleDTypeError, SamplingError, SamplingIndexError
from perspicax.random.keys import single_key, split_in_two, split_keys
from perspicax.random.sampling import two_uniforms, uniform_of
from perspicax.random.selection import taken
from perspicax.random.threefry import Threefry
from perspicax.xla.array import ArrayImpl
from perspicax.xla.dispatch import as_array

WORKING = {8: np.dtype(np.int32), 16: np.dtype(np.int32)}  # narrow integers are drawn as these


# -- coins

def _bernoulli(key: Any, p: Any, *, shape: tuple[int, ...], dtype: Any, mode: str) -> Any:
    if get_aval(p).shape:  # type: ignore[attr-defined]
        p = broadcast_to_rank(p, len(shape))
    if mode == "low":
        return lt(uniform_of(key, 0., 1., shape, dtype), p)
    high, low = two_uniforms(key, shape, dtype)
    fine = mul(low, np.asarray(dtypes.finfo(dtype).eps, dtype)[()])
    return lt(fine, sub(p, high))


_coins = Distribution(_bernoulli, draws=lambda *, mode: 2 if mode == "high" else 1, fast=True)


@public
@drawn("p")
@placeable
def bernoulli(key: Any, p: Any = 0.5, shape: Any = None, mode: str = "low", *, out_sharding: Any = None) -> Any:
    """Booleans that are true with probability `p`.

    Args:
        key: one key.
        p: floating number or array that broadcasts to `shape`.
        shape: of the samples; that of `p` by default.
        mode: `"high"` takes twice as many bits, so that probabilities near 0 are accurate.

    Raises:
        KeyTypeError: `key` is no key.
        SampleDTypeError: `p` is not floating.
        SampleShapeError: `p` does not broadcast to `shape`.
        SamplingError: there is no such mode.
    """
    found, _ = single_key("bernoulli", key)
    if mode not in ("low", "high"):
        raise SamplingError(says=f"{mode!r} is no mode of `bernoulli`.", why='there are "low" and "high"')
    p = parameter("bernoulli", "p", p)
    aval: Any = get_aval(p)
    if aval.extended or not dtypes.issubdtype(aval.dtype, np.floating):
        raise SampleDTypeError(function="bernoulli", dtype=dtypes.name_of(aval.dtype), takes="a floating probability",
                               argument="p")
    shape = sample_shape("bernoulli", aval.shape if shape is None else shape)
    check_broadcast("bernoulli", shape, p=p)
    return _coins(found, convert_element_type(p, aval.dtype), shape=shape, dtype=aval.dtype, mode=mode)


def _rademacher(key: Any, *, shape: tuple[int, ...], dtype: Any, wanted: Any) -> Any:
    """Signs of coins, which are drawn by uniform samples of `dtype`."""
    coins = _coins.staged(key, dtype.type(0.5), shape=shape, dtype=dtype, mode="low")
    working = np.dtype(np.int32) if wanted == np.dtype(bool) else wanted
    one = np.ones((), working)[()]
    signs = sub(mul(np.asarray(2, working)[()], convert_element_type(coins, working)), one)
    return signs if working is wanted else convert_element_type(signs, wanted)


_signs = Distribution(_rademacher, fast=True)


def signs_of(key: Any, shape: tuple[int, ...], dtype: Any) -> Any:
    """Signs inside of another distribution."""
    return _signs(key, shape=shape, dtype=dtypes.default_dtype("float"), wanted=dtype)


@public
@drawn()
@placeable
def rademacher(key: Any, shape: Any = (), dtype: Any = None, *, out_sharding: Any = None) -> Any:
    """Samples that are 1 or -1, equally likely.

    Args:
        key: one key.
        shape: of the samples.
        dtype: of any kind; the default integer type else.

    Raises:
        KeyTypeError: `key` is no key.
        ShapeError: `shape` is no shape.
    """
    found, _ = single_key("rademacher", key)
    wanted = dtypes.default_dtype("int") if dtype is None else dtypes.requested_dtype(dtype, "jax.random.rademacher")
    return signs_of(found, sample_shape("rademacher", shape), wanted)


# -- integers

def _clipped(x: Any, dtype: Any) -> Any:
    """A bound in the dtype of the samples, the nearest that it has."""
    own = get_aval(x).dtype  # type: ignore[attr-defined]
    low = max(int(dtypes.iinfo(own).min), int(dtypes.iinfo(dtype).min))
    high = min(int(dtypes.iinfo(own).max), int(dtypes.iinfo(dtype).max))
    if (low, high) != (int(dtypes.iinfo(own).min), int(dtypes.iinfo(own).max)):
        x = minimum(np.asarray(high, own)[()], maximum(np.asarray(low, own)[()], x))
    return convert_element_type(x, dtype)


def _beyond(maxval: Any, dtype: Any) -> Any:
    """Whether the upper bound is one more than the dtype's largest number, which a wider dtype can say."""
    own = get_aval(maxval).dtype  # type: ignore[attr-defined]
    last = min(int(dtypes.iinfo(dtype).max), int(dtypes.iinfo(own).max))
    return gt(maxval, np.asarray(last, own)[()])


def _randint(key: Any, minval: Any, maxval: Any, *, shape: tuple[int, ...], dtype: Any) -> Any:
    """Two draws make a number of twice the bits, whose remainder is uniform but for one part in 2 ** bits."""
    width = dtypes.itemsize_bits(dtype)
    words = BITS_DTYPES[width]
    beyond = broadcast_to_rank(_beyond(maxval, dtype), len(shape))
    low = broadcast_to_rank(_clipped(minval, dtype), len(shape))
    high = broadcast_to_rank(_clipped(maxval, dtype), len(shape))
    first, second = split_in_two(key)
    upper, lower = draw(first, width, shape), draw(second, width, shape)
    one = words.type(1)
    span = convert_element_type(sub(high, low), words)
    span = select(le(high, low), np.broadcast_to(one, get_aval(span).shape), span)  # type: ignore[attr-defined]
    span = select(bitwise_and(beyond, gt(high, low)), add(span, one), span)
    power = rem(words.type(1 << width // 2), span)
    power = rem(mul(power, power), span)
    offset = rem(add(mul(rem(upper, span), power), rem(lower, span)), span)
    return add(low, convert_element_type(offset, dtype))


_staged_randint = Staged(_randint)


def _rem(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """The remainder of unsigned integers as XLA has it: of a division by 0 it is the dividend."""
    if (y == 0).any():
        return np.where(y == 0, x, np.remainder(x, np.where(y == 0, y.dtype.type(1), y)))
    return np.remainder(x, y)


def _randint_on_host(key: ArrayImpl, minval: np.ndarray, maxval: np.ndarray, shape: tuple[int, ...],
                     dtype: Any) -> np.ndarray:
    """`_randint` by NumPy: unsigned arithmetic, which gives the same bits."""
    width = dtypes.itemsize_bits(dtype)
    words, last = BITS_DTYPES[width], dtypes.iinfo(dtype)
    # NumPy warns when a scalar overflows, and not when an array does: hence arrays of one axis at least
    upper, lower = _drawn(split_keys(key, (2,)), width, shape)
    minval, maxval = np.atleast_1d(minval), np.atleast_1d(maxval)
    beyond = maxval > int(last.max)
    low, high = _nearest(minval, dtype), _nearest(maxval, dtype)
    span = np.where(high <= low, words.type(1), high.view(words) - low.view(words))
    span = np.where(beyond & (high > low), span + words.type(1), span)
    power = _rem(np.full_like(span, 1 << width // 2), span)
    power = _rem(power * power, span)
    offset = _rem(_rem(upper, span) * power + _rem(lower, span), span)
    return (low.view(words) + offset).view(dtype)


def _drawn(keys: ArrayImpl, width: int, shape: tuple[int, ...]) -> list[np.ndarray]:
    """Bits of each of a few keys."""
    if math.prod(shape) <= FEW and isinstance(keys.aval.dtype.generator, Threefry):
        return [np.atleast_1d(x) for x in random_bits_p(keys, bit_width=width, shape=shape).value()]
    single = [ArrayImpl(ShapedArray((), keys.dtype), None, k, keys._sharding, keys._committed) for k in keys.value()]
    return [np.atleast_1d(random_bits_p(k, bit_width=width, shape=shape).value()) for k in single]


def _nearest(x: np.ndarray, dtype: Any) -> np.ndarray:
    """Integers as the nearest of another integer type."""
    own, info = dtypes.iinfo(x.dtype), dtypes.iinfo(dtype)
    low, high = max(int(own.min), int(info.min)), min(int(own.max), int(info.max))
    return np.clip(x, x.dtype.type(low), x.dtype.type(high)).astype(dtype)


@public
@drawn("minval maxval")
@placeable
def randint(key: Any, shape: Any, minval: Any, maxval: Any, dtype: Any = None, *, out_sharding: Any = None) -> Any:
    """Integers from `minval` to below `maxval`, all equally likely.

    Args:
        key: one key.
        shape: of the samples.
        minval, maxval: numbers or arrays that broadcast to `shape`; where `maxval` is not the larger, samples are
            `minval`.
        dtype: of the samples, an integer type.

    Raises:
        IntegerRangeError: a bound is a Python integer of more bits than an array holds.
        KeyTypeError: `key` is no key.
        SampleDTypeError: `dtype` is no integer type.
        SampleShapeError: a bound does not broadcast to `shape`.

    >>> randint(jax.random.key(0), (2,), 0, 5)
    Array([4, 0], dtype=int32)
    """
    found, _ = single_key("randint", key)
    wanted = sample_dtype("randint", dtype, "int")
    shape = sample_shape("randint", shape)
    minval, maxval = parameter("randint", "minval", minval), parameter("randint", "maxval", maxval)
    check_broadcast("randint", shape, minval=minval, maxval=maxval)
    return integers(found, shape, minval, maxval, wanted)


def integers(key: Any, shape: tuple[int, ...], minval: Any, maxval: Any, dtype: Any) -> Any:
    """`randint` of checked arguments."""
    bits = dtypes.itemsize_bits(dtype)
    working = dtype if bits in (32, 64) else WORKING.get(bits, np.dtype(np.int32))
    minval, maxval = [_as_integer(x, working) for x in (minval, maxval)]
    if working is not dtype:
        info = dtypes.iinfo(dtype)
        minval = _between(minval, int(info.min), int(info.max))
        maxval = _between(maxval, int(info.min), int(info.max) + 1)
    if type(key) is ArrayImpl and not isinstance(minval, Tracer) and not isinstance(maxval, Tracer) and not staged_here():
        bounds = [as_array(minval), as_array(maxval)]
        place = host_place([key, *bounds])
        if place is not None:
            made = _randint_on_host(key, bounds[0].value(), bounds[1].value(), shape, working)
            return ArrayImpl(ShapedArray(shape, dtype), None, made.reshape(shape).astype(dtype, copy=False),
                             place.sharding, place.committed)
    made = _staged_randint(key, minval, maxval, shape=shape, dtype=working)
    return made if working is dtype else convert_element_type(made, dtype)


def _as_integer(x: Any, dtype: Any) -> Any:
    aval: Any = get_aval(x)
    return x if dtypes.issubdtype(aval.dtype, np.integer) else convert_element_type(x, dtype)


def _between(x: Any, low: int, high: int) -> Any:
    own = get_aval(x).dtype  # type: ignore[attr-defined]
    info = dtypes.iinfo(own)
    low, high = max(low, int(info.min)), min(high, int(info.max))
    return minimum(np.asarray(high, own)[()], maximum(np.asarray(low, own)[()], x))


# -- permutations

def rounds(n: int) -> int:
    """How often to sort by random words: so that equal words are unlikely to leave a trace, for `n` elements."""
    return math.ceil(3 * math.log(max(1, n)) / math.log(0xFFFFFFFF))


def _shuffle(key: Any, x: Any, *, axis: int) -> Any:
    shape = get_aval(x).shape  # type: ignore[attr-defined]
    for _ in range(rounds(math.prod(shape))):
        key, used = split_in_two(key)
        x = sort_key_val(draw(used, 32, shape), x, axis)[1]
    return x


_staged_shuffle = Staged(_shuffle)


def _shuffle_on_host(key: ArrayImpl, x: np.ndarray, axis: int) -> np.ndarray:
    """`_shuffle` by NumPy: a stable order of integers is one."""
    for _ in range(rounds(x.size)):
        words = split_keys(key, (2,)).value()
        key, used = [ArrayImpl(key.aval, None, w, key._sharding, key._committed) for w in words]
        order = np.argsort(random_bits_p(used, bit_width=32, shape=x.shape).value(), axis=axis, kind="stable")
        x = np.take_along_axis(x, order, axis)
    return x


def shuffled(key: Any, x: Any, axis: int) -> Any:
    """The entries of an array in random order along an axis, each line of its own when there are further axes."""
    if type(key) is ArrayImpl and not isinstance(x, Tracer) and not staged_here():
        array = as_array(x)
        place = host_place([key, array])
        if place is not None and not array.aval.extended:
            found = _shuffle_on_host(key, np.array(array.value()), axis)
            return ArrayImpl(array.aval.strong.in_memory(None), None, found, place.sharding, place.committed)
    return _staged_shuffle(key, x, axis=axis)


def order_of(key: Any, n: int) -> Any:
    """The numbers `0 … n - 1` in random order."""
    return shuffled(key, iota(dtypes.default_dtype("int"), n), 0)


def checked_axis(axis: Any, rank: int) -> int:
    """An axis from 0 up.

    Raises:
        SamplingIndexError: there is no such axis.
    """
    index = operator.index(axis)
    if not -rank <= index < rank:
        raise SamplingIndexError(says=f"Axis {index} does not exist in an array of {rank} "
                                      f"{'axis' if rank == 1 else 'axes'}.",
                                 why=f"axes count from {-rank} to {rank - 1}" if rank else "a scalar has no axes")
    return index % rank


@public
@drawn(arrays="x")
@placeable
def permutation(key: Any, x: Any, axis: int = 0, independent: bool = False, *, out_sharding: Any = None) -> Any:
    """The entries of an array in random order along an axis.

    Args:
        key: one key.
        x: array; or an integer `n`, for `0 … n - 1`.
        axis: the axis.
        independent: shuffle each line along the axis in an order of its own; otherwise slices stay together.

    Raises:
        KeyTypeError: `key` is no key.
        ParameterTypeError: `x` is no array or number.
        SampleDTypeError: `x` is one number, and no integer.
        SamplingIndexError: there is no such axis.
    """
    found, _ = single_key("permutation", key)
    sample_shape("permutation", ())
    x = parameter("permutation", "x", x, keys=True)
    aval: Any = get_aval(x)
    axis = checked_axis(axis, aval.ndim or 1)
    if aval.ndim == 0:
        if aval.extended or not dtypes.issubdtype(aval.dtype, np.integer):
            raise SampleDTypeError(function="permutation", dtype=dtypes.name_of(aval.dtype),
                                   takes="an integer, or an array of at least one axis", argument="x")
        return order_of(found, max(0, operator.index(x)))
    if not aval.extended and (independent or aval.ndim == 1):
        return shuffled(found, x if isinstance(x, Array) else as_array(x), axis)
    return taken(x, order_of(found, aval.shape[axis]), axis)


__all__ = ["bernoulli", "checked_axis", "integers", "order_of", "permutation", "rademacher", "randint",
           "rounds", "shuffled", "signs_of"]
