"""The default generator: Threefry-2x32, whose bits of element `i` depend on the key and on `i` alone.

Facts of JAX 0.10.2 (`jax_threefry_partitionable`), found by running it: counters are the 64-bit positions in row-major
order; 32 bits are the xor of both words of a block, 64 bits both words, fewer bits the low ones; new keys are blocks
too. With the option off, counters are the positions of the words in two halves.
"""
from __future__ import annotations

import functools
import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from perspicax.core.avals import ShapedArray
from perspicax.core.config import threefry_partitionable
from perspicax.core.jaxpr import ClosedJaxpr, DebugInfo
from perspicax.core.symbolic import surely_less
from perspicax.core.trace import stage_flat
from perspicax.lax import bitwise, elementwise
from perspicax.lax import shape as shapes
from perspicax.lax.convert import convert_element_type
from perspicax.lax.random_bits import BITS_DTYPES, Generator, Place, register, threefry2x32_p
from perspicax.lax.slicing import index_in_dim
from perspicax.lax.threefry import (
    MASK,
    UINT32,
    block_in_place,
    block_of_ints,
    block_of_lanes,
    emit_block,
    lanes_of,
    words_of_lanes,
)
from perspicax.random.chunks import FixedProgram, mapped, run_counted
from perspicax.xla.array import on_host

FEW_BLOCKS = 96  # up to so many, lanes of one of Python's integers are faster than NumPy
IN_CACHE = 1 << 12  # counters that NumPy works on at a time
HOST_BITS = 1 << 15  # blocks; above it a compiled kernel pays, which takes 60 ms to compile
MANY_KEYS = 1 << 15  # blocks under different keys; above it a compiled kernel pays
OFTEN = 400  # calls for blocks under different keys; then it pays for fewer too
HALF = np.uint64(32)

Words = tuple[np.ndarray, np.ndarray]


# -- NumPy

def blocks(k0: np.ndarray, k1: np.ndarray, n: int) -> Words:
    """Blocks of the counters `0 … n - 1` under each key, both words of shape `keys.shape + (n,)`."""
    if k0.size * n <= FEW_BLOCKS:
        words = _few_blocks(k0, k1, n)
        return words[..., 0], words[..., 1]
    if k0.size * n <= IN_CACHE:
        first, second = _counters(k0.shape, n)
        block_in_place(k0[..., None], k1[..., None], first, second)
        return first, second
    first, second = np.empty((*k0.shape, n), UINT32), np.empty((*k0.shape, n), UINT32)
    for at in np.ndindex(k0.shape):
        _count(k0[at], k1[at], 0, first[at], second[at])
    return first, second


def new_keys(words: np.ndarray, n: int) -> np.ndarray:
    """The words `keys.shape + (n, 2)` of `n` new keys of each key."""
    k0, k1 = words[..., 0], words[..., 1]
    if k0.size * n <= FEW_BLOCKS:
        return _few_blocks(k0, k1, n).copy()
    if k0.size * n > IN_CACHE:
        return np.stack(blocks(k0, k1, n), -1)
    made = np.empty((*k0.shape, n, 2), UINT32)
    block_in_place(k0[..., None], k1[..., None], *_counters(k0.shape, n), made)
    return made


def _counters(keys: tuple[int, ...], n: int) -> Words:
    """The counters `0 … n - 1` for each key, in two words."""
    first, second = np.zeros((*keys, n), UINT32), np.empty((*keys, n), UINT32)
    second[...] = np.arange(n, dtype=UINT32)
    return first, second


def _few_blocks(k0: np.ndarray, k1: np.ndarray, n: int) -> np.ndarray:
    """`blocks` by integers of Python, both words beside one another: `keys.shape + (n, 2)`."""
    ones, counters = _lanes(k0.size, n)
    a, b = (k0, k1) if k0.size == 1 else [np.repeat(k, n) for k in (k0, k1)]
    return _in_lanes(a, b, 0, counters, ones, k0.size * n).reshape((*k0.shape, n, 2))


def _in_lanes(k0: np.ndarray, k1: np.ndarray, x0: int, x1: int, ones: int, n: int) -> np.ndarray:
    """`block_of_lanes` of one key, or of one for each of `n` counters; both words beside one another: `[n, 2]`."""
    a, b = [k.item() * ones if k.size == 1 else lanes_of(k) for k in (k0, k1)]
    first, second = block_of_lanes(a, b, x0, x1, ones)
    return words_of_lanes(first | second << 32, n).view("<u4").reshape((n, 2))


@functools.lru_cache(maxsize=256)
def _lanes(keys: int, n: int) -> tuple[int, int]:
    """Ones, and the numbers `0 … n - 1` for each key, as lanes."""
    return lanes_of(np.ones(keys * n)), lanes_of(np.tile(np.arange(n), keys))


def _count(k0: Any, k1: Any, start: int, first: np.ndarray, second: np.ndarray) -> None:
    """Blocks of the counters from `start` on, written to `first` and `second`; piece by piece, so as to stay in cache."""
    for low in range(0, first.size, IN_CACHE):
        x0, x1 = first[low:low + IN_CACHE], second[low:low + IN_CACHE]
        if start + low + x0.size <= MASK:
            x0[...] = 0
            x1[...] = np.arange(start + low, start + low + x0.size, dtype=UINT32)
        else:
            counters = np.arange(start + low, start + low + x0.size, dtype=np.uint64)
            x0[...] = counters >> HALF
            x1[...] = counters & np.uint64(MASK)
        block_in_place(k0, k1, x0, x1)


def _halves(k0: Any, k1: Any, n: int) -> np.ndarray:
    """`n` words the other way: the counters `0 … n - 1` in two halves, one padded with 0 when `n` is odd."""
    counters = np.zeros(n + n % 2, UINT32)
    counters[:n] = np.arange(n, dtype=UINT32)
    x0, x1 = np.split(counters, 2)
    block_in_place(k0, k1, x0, x1)
    return counters[:n]


def joined_bits(words: Words, bit_width: int) -> np.ndarray:
    """The bits of blocks."""
    first, second = words
    if bit_width == 64:
        return first.astype(np.uint64) << HALF | second
    return (first ^ second).astype(BITS_DTYPES[bit_width], copy=False)


# -- kernels of fixed size, for many bits, and for distributions that are drawn from often

def counted_bits(words: Any, size: int, bit_width: int) -> Any:
    """Traceable: the bits number `start …` of a key, for `words` of the key and of `start`."""
    first, second = _blocks_from(words, size)
    if bit_width == 64:
        first, second = [convert_element_type(x, np.uint64) for x in (first, second)]
        return bitwise.bitwise_or(bitwise.shift_left(first, HALF), second)
    return convert_element_type(bitwise.bitwise_xor(first, second), BITS_DTYPES[bit_width])


def _blocks_from(words: Any, size: int) -> Any:
    k0, k1, high, low = [index_in_dim(words, i, 0, False) for i in range(4)]
    return threefry2x32_p(k0, k1, high, elementwise.add(shapes.iota(UINT32, size), low))


def blocks_at(k0: np.ndarray, k1: np.ndarray, counters: np.ndarray, place: Place) -> Words:
    """A block of each counter (integers `[n]` below 2**64), under keys of its own `[n]`, or under one key.

    By NumPy, and by a kernel where there are many, or when this is done often.
    """
    first = (counters >> HALF).astype(UINT32) if counters.dtype.itemsize == 8 else np.zeros(counters.size, UINT32)
    second = counters.astype(UINT32)
    if counters.size <= FEW_BLOCKS:
        ones, _ = _lanes(1, counters.size)
        words = _in_lanes(k0, k1, lanes_of(first), lanes_of(second), ones, counters.size)
        return words[:, 0], words[:, 1]
    _one_block.calls += 1
    if counters.size > MANY_KEYS or _one_block.calls > OFTEN:
        made = mapped(_one_block.program, place, [k0, k1, first, second])
        return made[0], made[1]
    for low in range(0, counters.size, IN_CACHE):
        part = slice(low, low + IN_CACHE)
        keys = (k0[part], k1[part]) if k0.ndim else (k0, k1)
        block_in_place(*keys, first[part], second[part])
    return first, second


def numbered_blocks(keys: Sequence[Words], numbers: Sequence[int], place: Place) -> list[Words]:
    """For each key array `[n]` in turn the blocks of the number beside it."""
    n = keys[0][0].size
    k0, k1 = [np.concatenate([k[i] for k in keys]) for i in range(2)]
    first, second = blocks_at(k0, k1, np.repeat(np.array(numbers, UINT32), n), place)
    return [(first[at:at + n], second[at:at + n]) for at in range(0, n * len(numbers), n)]


class _Counted:
    """A program with the number of calls."""

    __slots__ = ("calls", "program")

    def __init__(self, program: FixedProgram) -> None:
        self.program, self.calls = program, 0


def _numbered_keys(words: Any, *, size: int) -> Any:
    """Traceable: the words `[size, 2]` of the new keys number `start …`, for `words` of the key and of `start`."""
    made = _blocks_from(words, size)
    return shapes.concatenate([shapes.reshape(x, (size, 1)) for x in made], 1)


_one_block = _Counted(FixedProgram("threefry_block", lambda *words: tuple(threefry2x32_p(*words))))
_many_keys = FixedProgram("threefry_keys", _numbered_keys)
_many_bits = FixedProgram("threefry_bits", lambda words, *, size, bit_width: counted_bits(words, size, bit_width))


def counts(generator: Generator) -> bool:
    """Whether a generator's bits are numbered, so that a piece of them can be computed alone."""
    return generator is threefry and threefry_partitionable.value


# -- StableHLO

@functools.lru_cache(maxsize=256)
def _block_of(aval: ShapedArray) -> ClosedJaxpr:
    """A block for each element of four arrays of one type, as a jaxpr."""
    return stage_flat(threefry2x32_p, [aval] * 4, DebugInfo("jit", "threefry2x32"))


def _word(b: Any, words: Any, index: int) -> Any:
    """Word number `index` of each key."""
    rank = words.ndim - 1
    part = b.slice(words, (*[0] * rank, index), (*words.shape[:rank], index + 1))
    return b.reshape(part, words.shape[:rank])


def _emit_blocks(b: Any, words: Any, n: int) -> tuple[Any, Any]:
    """`blocks` as StableHLO: one axis of counters, whatever shape is wanted in the end."""
    keys = words.shape[:-1]
    aval = ShapedArray((*keys, n), UINT32)
    k0, k1 = _word(b, words, 0), _word(b, words, 1)
    if keys:
        k0, k1 = [b.broadcast(k, aval.shape, range(len(keys))) for k in (k0, k1)]
    if not surely_less(MASK + 1, n):  # an unknown number is taken for one that 32 bits count
        low = b.hlo("iota", [], aval, f"iota_dimension = {len(keys)} : i64")
        high = b.constant(np.uint32(0), aval)
    else:
        wide = ShapedArray(aval.shape, np.dtype(np.uint64))
        counters = b.hlo("iota", [], wide, f"iota_dimension = {len(keys)} : i64")
        high = b.convert(b.op("shift_right_logical", [counters, b.constant(HALF, wide)], wide), UINT32)
        low = b.convert(counters, UINT32)
    return emit_block(b, k0, k1, high, low)


def _emit_halves(b: Any, words: Any, n: int) -> Any:
    """`_halves` as StableHLO."""
    keys, half = words.shape[:-1], (n + 1) // 2
    aval = ShapedArray((*keys, half), UINT32)
    k0, k1 = _word(b, words, 0), _word(b, words, 1)
    if keys:
        k0, k1 = [b.broadcast(k, aval.shape, range(len(keys))) for k in (k0, k1)]
    low = b.hlo("iota", [], aval, f"iota_dimension = {len(keys)} : i64")
    high = b.op("add", [low, b.constant(np.uint32(half), aval)], aval)
    if n % 2:
        padding = b.compare(high, b.constant(np.uint32(n), aval), "EQ", "UNSIGNED")
        high = b.select(padding, b.constant(np.uint32(0), aval), high)
    return _emit_pair(b, *emit_block(b, k0, k1, low, high), len(keys), n)


def _emit_pair(b: Any, first: Any, second: Any, axis: int, n: int) -> Any:
    """The first `n` elements of two arrays, one behind the other."""
    shape = (*first.shape[:axis], 2 * first.shape[axis])
    both = b.hlo("concatenate", [first, second], ShapedArray(shape, UINT32), f"dimension = {axis} : i64")
    return both if n == shape[axis] else b.slice(both, [0] * (axis + 1), (*shape[:axis], n))


def _emit_join(b: Any, first: Any, second: Any, bit_width: int) -> Any:
    if bit_width == 64:
        wide = ShapedArray(first.shape, np.dtype(np.uint64))
        high = b.op("shift_left", [b.convert(first, wide.dtype), b.constant(HALF, wide)], wide)
        return b.op("or", [high, b.convert(second, wide.dtype)], wide)
    return b.convert(b.op("xor", [first, second], first.aval), BITS_DTYPES[bit_width])


def _emit_stack(b: Any, first: Any, second: Any) -> Any:
    """Two words as the words of keys."""
    shape = (*first.shape, 2)
    parts = [b.reshape(x, (*first.shape, 1)) for x in (first, second)]
    return b.hlo("concatenate", parts, ShapedArray(shape, UINT32), f"dimension = {len(shape) - 1} : i64")


def _apart(b: Any, words: Any) -> Any:
    """New keys, computed before whatever draws from them.

    XLA would else compute them again for each element that is drawn, and take seconds to compile that.
    """
    return b.hlo("optimization_barrier", [words], [words.aval])[0]


# -- the generator

class Threefry(Generator):
    """Threefry-2x32 with 20 rounds, counted by position."""

    __slots__ = ()
    name, tag, key_shape = "threefry2x32", "fry", (2,)

    def seed(self, seeds: np.ndarray) -> np.ndarray:
        words = np.zeros((*seeds.shape, 2), UINT32)
        if seeds.dtype.itemsize == 8:
            words[..., 0] = seeds.astype(np.uint64) >> HALF
        words[..., 1] = seeds.astype(np.uint64) & np.uint64(MASK)
        return words

    def split(self, words: np.ndarray, shape: tuple[int, ...], place: Place) -> np.ndarray:
        n, keys = math.prod(shape), words.shape[:-1]
        if threefry_partitionable.value:
            if not keys and n > HOST_BITS:
                return run_counted(_many_keys, place, words, n, (), ()).reshape((*shape, 2))
            made = on_host(ShapedArray((*keys, n, 2), UINT32), lambda: new_keys(words, n))
            return made.reshape((*keys, *shape, 2))
        found = np.empty((*keys, 2 * n), UINT32)
        for at in np.ndindex(keys):
            found[at] = _halves(words[at][0], words[at][1], 2 * n)
        return found.reshape((*keys, *shape, 2))

    def fold_in(self, words: np.ndarray, data: np.ndarray) -> np.ndarray:
        if data.size == 1:
            k0, k1 = words.reshape(2).tolist()
            return np.array(block_of_ints(k0, k1, 0, data.item()), UINT32).reshape(words.shape)
        if data.size <= FEW_BLOCKS:
            ones, _ = _lanes(1, data.size)
            return _in_lanes(words[..., 0], words[..., 1], 0, lanes_of(data), ones, data.size).reshape(words.shape).copy()
        x0, x1 = np.zeros(data.shape, UINT32), data.astype(UINT32)
        block_in_place(words[..., 0], words[..., 1], x0, x1)
        return np.stack([x0, x1], -1)

    def bits(self, words: np.ndarray, bit_width: int, shape: tuple[int, ...], place: Place) -> Any:
        n, keys = math.prod(shape), words.shape[:-1]
        if not threefry_partitionable.value:
            return self._bits_in_halves(words, bit_width, shape)
        if n * math.prod(keys) <= HOST_BITS:
            return joined_bits(blocks(words[..., 0], words[..., 1], n), bit_width).reshape((*keys, *shape))
        if keys:
            return NotImplemented
        return run_counted(_many_bits, place, words, n, (), (("bit_width", bit_width),)).reshape(shape)

    def _bits_in_halves(self, words: np.ndarray, bit_width: int, shape: tuple[int, ...]) -> np.ndarray:
        n, keys = math.prod(shape), words.shape[:-1]
        aval = ShapedArray((*keys, n), BITS_DTYPES[bit_width])
        found = on_host(aval, lambda: np.empty(aval.shape, aval.dtype))
        count = -(-n * bit_width // 32)
        for at in np.ndindex(keys):
            made = _halves(words[at][0], words[at][1], count)
            if bit_width == 64:
                found[at] = joined_bits((made[:n], made[n:]), 64)
            else:
                found[at] = made.view(BITS_DTYPES[bit_width])[:n]
        return found.reshape((*keys, *shape))

    def emit_seed(self, b: Any, seeds: Any) -> Any:
        low = b.convert(seeds, UINT32)
        high = b.constant(np.uint32(0), low.aval)
        if seeds.dtype.itemsize == 8:
            high = b.convert(b.op("shift_right_logical", [seeds, b.constant(32, seeds.aval.strong)], seeds.aval), UINT32)
        return _emit_stack(b, high, low)

    def emit_split(self, b: Any, words: Any, shape: tuple[int, ...]) -> Any:
        n, keys = math.prod(shape), words.shape[:-1]
        if threefry_partitionable.value:
            made = _emit_stack(b, *_emit_blocks(b, words, n))
        else:
            made = _emit_halves(b, words, 2 * n)
        return _apart(b, b.reshape(made, (*keys, *shape, 2)))

    def emit_fold_in(self, b: Any, words: Any, data: Any) -> Any:
        k0, k1 = _word(b, words, 0), _word(b, words, 1)
        # One function of the module for all: a program with dropout in every layer folds many numbers into its key.
        made = b.call(_block_of(data.aval), [k0, k1, b.constant(np.uint32(0), data.aval), data], "threefry2x32")
        return _apart(b, _emit_stack(b, *made))

    def emit_bits(self, b: Any, words: Any, bit_width: int, shape: tuple[int, ...]) -> Any:
        n, keys = math.prod(shape), words.shape[:-1]
        if threefry_partitionable.value:
            made = _emit_join(b, *_emit_blocks(b, words, n), bit_width)
        else:
            made = self._emit_bits_in_halves(b, words, bit_width, n)
        return b.reshape(made, (*keys, *shape))

    def _emit_bits_in_halves(self, b: Any, words: Any, bit_width: int, n: int) -> Any:
        keys = words.shape[:-1]
        count = -(-n * bit_width // 32)
        made = _emit_halves(b, words, count)
        if bit_width == 32:
            return made
        start, stop = [0] * len(keys), keys
        if bit_width == 64:
            return _emit_join(b, b.slice(made, (*start, 0), (*stop, n)), b.slice(made, (*start, n), (*stop, 2 * n)), 64)
        narrow = BITS_DTYPES[bit_width]
        per_word = 32 // bit_width
        split = b.hlo("bitcast_convert", [made], ShapedArray((*keys, count, per_word), narrow))
        flat = b.reshape(split, (*keys, count * per_word))
        return b.slice(flat, (*start, 0), (*stop, n))


threefry = register(Threefry())
