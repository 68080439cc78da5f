"""XLA's own generator of bits as generators of keys: `rbg` and `unsafe_rbg`, quicker to compile than Threefry.

A key has four words: two keys of Threefry, one behind the other. Both draw bits by XLA's `rng_bit_generator`, whose
algorithm is the platform's choice. `rbg` makes new keys by Threefry, of each half; `unsafe_rbg` of drawn bits, of which
nobody has shown that the streams are independent.

Under `vmap` all bits are made of the first key of the batch: what XLA can do in one operation.

Facts of JAX 0.10.2, found by running it: of the drawn rows of four words, `unsafe_rbg` takes every tenth for keys, and for
`fold_in` the tenth of those of the number's own key, which is combined with the key by xor.
"""
from __future__ import annotations

import math
from typing import Any

import numpy as np

from perspicax.core.avals import ShapedArray
from perspicax.lax.random_bits import BITS_DTYPES, Generator, Place, register
from perspicax.lax.threefry import UINT32
from perspicax.random.threefry import threefry

WORDS = 4
APART = 10  # rows of bits from one new key to the next
STATE = ShapedArray((WORDS // 2,), np.dtype(np.uint64))


def _drawn(b: Any, words: Any, shape: tuple[int, ...], dtype: Any) -> Any:
    """Bits of one key's words `[4]`."""
    start = b.hlo("bitcast_convert", [b.reshape(words, (2, 2))], STATE)
    algorithm = "rng_algorithm = #stablehlo<rng_algorithm DEFAULT>"
    return b.hlo("rng_bit_generator", [start], [STATE, ShapedArray(shape, dtype)], algorithm)[1]


def _first(b: Any, words: Any) -> Any:
    """The words of the first key."""
    if words.ndim == 1:
        return words
    rank = words.ndim - 1
    return b.reshape(b.slice(words, [0] * (rank + 1), (*[1] * rank, WORDS)), (WORDS,))


def _every(b: Any, rows: Any, start: int, stop: int, step: int) -> Any:
    """Rows `start`, `start + step`, … of the last axis but one."""
    aval = rows.aval
    lead = aval.ndim - 2
    count = -(-(stop - start) // step)
    shape = (*aval.shape[:lead], count, WORDS)
    texts = [[0] * lead + [start, 0], [*aval.shape[:lead], stop, WORDS], [1] * lead + [step, 1]]
    named = ", ".join(f"{name} = array<i64: {', '.join(map(str, values))}>"
                      for name, values in zip(("start_indices", "limit_indices", "strides"), texts))
    return b.hlo("slice", [rows], ShapedArray(shape, UINT32), named)


class _HardwareBits(Generator):
    """What both have: seeds and bits."""

    __slots__ = ()
    key_shape = (WORDS,)

    def seed(self, seeds: np.ndarray) -> Any:
        half = threefry.seed(seeds)
        return np.concatenate([half, half], -1)

    def bits(self, words: np.ndarray, bit_width: int, shape: tuple[int, ...], place: Place) -> Any:
        return NotImplemented

    def emit_seed(self, b: Any, seeds: Any) -> Any:
        half = threefry.emit_seed(b, seeds)
        return b.hlo("concatenate", [half, half], ShapedArray((*seeds.shape, WORDS), UINT32),
                     f"dimension = {len(seeds.shape)} : i64")

    def emit_bits(self, b: Any, words: Any, bit_width: int, shape: tuple[int, ...]) -> Any:
        keys = words.shape[:-1]
        if 0 in (*keys, *shape):
            return b.constant(BITS_DTYPES[bit_width].type(0), ShapedArray((*keys, *shape), BITS_DTYPES[bit_width]))
        return _drawn(b, _first(b, words), (*keys, *shape), BITS_DTYPES[bit_width])


class HardwareGenerator(_HardwareBits):
    """Bits by XLA, new keys by Threefry."""

    __slots__ = ()
    name, tag = "rbg", "rbg"

    def split(self, words: np.ndarray, shape: tuple[int, ...], place: Place) -> Any:
        keys = words.shape[:-1]
        made = threefry.split(words.reshape((*keys, 2, 2)), shape, place)
        return np.moveaxis(made, len(keys), -2).reshape((*keys, *shape, WORDS))

    def fold_in(self, words: np.ndarray, data: np.ndarray) -> Any:
        halves = words.reshape((*data.shape, 2, 2))
        return threefry.fold_in(halves, np.broadcast_to(data[..., None], halves.shape[:-1])).reshape(words.shape)

    def emit_split(self, b: Any, words: Any, shape: tuple[int, ...]) -> Any:
        keys, rank = words.shape[:-1], words.ndim - 1
        made = threefry.emit_split(b, b.reshape(words, (*keys, 2, 2)), shape)
        order = (*range(rank), *range(rank + 1, rank + 1 + len(shape)), rank, rank + 1 + len(shape))
        return b.reshape(b.transpose(made, order), (*keys, *shape, WORDS))

    def emit_fold_in(self, b: Any, words: Any, data: Any) -> Any:
        keys = words.shape[:-1]
        wide = b.broadcast(data, (*keys, 2), range(len(keys)))
        return b.reshape(threefry.emit_fold_in(b, b.reshape(words, (*keys, 2, 2)), wide), words.shape)


class UnsafeGenerator(_HardwareBits):
    """Bits by XLA, and new keys of them."""

    __slots__ = ()
    name, tag = "unsafe_rbg", "urbg"
    folds_one_number = True

    def split(self, words: np.ndarray, shape: tuple[int, ...], place: Place) -> Any:
        return NotImplemented

    def fold_in(self, words: np.ndarray, data: np.ndarray) -> Any:
        return NotImplemented

    def emit_split(self, b: Any, words: Any, shape: tuple[int, ...]) -> Any:
        keys, n = words.shape[:-1], math.prod(shape)
        if n == 0 or 0 in keys:
            return b.constant(np.uint32(0), ShapedArray((*keys, *shape, WORDS), UINT32))
        rows = _drawn(b, _first(b, words), (*keys, APART * n, WORDS), UINT32)
        return b.reshape(_every(b, rows, 0, APART * n, APART), (*keys, *shape, WORDS))

    def emit_fold_in(self, b: Any, words: Any, data: Any) -> Any:
        keys = words.shape[:-1]
        if 0 in keys:
            return words
        rows = _drawn(b, _first(b, self.emit_seed(b, data)), (*data.shape, APART, WORDS), UINT32)
        last = b.reshape(_every(b, rows, APART - 1, APART, 1), (*data.shape, WORDS))
        if last.shape != words.shape:
            last = b.broadcast(last, words.shape, (len(keys),))
        return b.op("xor", [words, last], words.aval)


rbg = register(HardwareGenerator())
unsafe_rbg = register(UnsafeGenerator())
