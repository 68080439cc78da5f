"""The Threefry-2x32 block function with 20 rounds: on Python's integers, on lanes of one, on NumPy arrays, in StableHLO.

Source: Salmon, Moraes, Dror, Shaw, "Parallel random numbers: as easy as 1, 2, 3" (SC 2011): rotations in table 2, the
parity constant and the key schedule in section 3.3. The four give the same bits; which of them runs is a matter of
size: a call of a NumPy function costs as much as five of Python's operations on integers of some hundred bits.
"""
from __future__ import annotations

from typing import Any

import numpy as np

PARITY = 0x1BD11BDA
ROTATIONS = ((13, 15, 26, 6), (17, 29, 16, 24))
GROUPS = 5  # of four rounds each; after each group the key goes in again
MASK = 0xFFFFFFFF

UINT32 = np.dtype(np.uint32)
_SHIFTS = [[(np.array(r, UINT32), np.array(32 - r, UINT32)) for r in group] for group in ROTATIONS]
add, left_shift, right_shift = np.add, np.left_shift, np.right_shift
bitwise_or, bitwise_xor = np.bitwise_or, np.bitwise_xor


def block_of_ints(k0: int, k1: int, x0: int, x1: int) -> tuple[int, int]:
    """The block function of one counter."""
    keys = (k0, k1, k0 ^ k1 ^ PARITY)
    x0, x1 = (x0 + k0) & MASK, (x1 + k1) & MASK
    for group in range(GROUPS):
        for r in ROTATIONS[group % 2]:
            x0 = (x0 + x1) & MASK
            x1 = ((x1 << r) & MASK | x1 >> (32 - r)) ^ x0
        x0 = (x0 + keys[(group + 1) % 3]) & MASK
        x1 = (x1 + keys[(group + 2) % 3] + group + 1) & MASK
    return x0, x1


def block_of_lanes(k0: int, k1: int, x0: int, x1: int, ones: int) -> tuple[int, int]:
    """The block function of several counters: each operand and result is a large integer with a word in each 64 bits.

    What a word is shifted by, and what sums carry, stays in the upper half of its lane: sums of all rounds have 37 bits.

    Args:
        ones: 1 in each lane.
    """
    mask = ones * MASK
    keys = (k0, k1, k0 ^ k1 ^ ones * PARITY)
    x0, x1 = x0 + k0, (x1 + k1) & mask
    for group in range(GROUPS):
        for r in ROTATIONS[group % 2]:
            x0 += x1
            x1 <<= r
            x1 = ((x1 | x1 >> 32) ^ x0) & mask
        x0 += keys[(group + 1) % 3]
        x1 = (x1 + keys[(group + 2) % 3] + ones * (group + 1)) & mask
    return x0 & mask, x1


def lanes_of(words: np.ndarray) -> int:
    """Words as the lanes of a large integer, the first lowest."""
    return int.from_bytes(words.astype("<u8").tobytes(), "little")


def words_of_lanes(lanes: int, n: int) -> np.ndarray:
    """`n` lanes as integers of 64 bits."""
    return np.frombuffer(lanes.to_bytes(8 * n, "little"), "<u8")


def block_in_place(k0: Any, k1: Any, x0: np.ndarray, x1: np.ndarray, out: np.ndarray | None = None) -> None:
    """The block function of many counters, which are overwritten; the keys broadcast to them.

    With `out` `[..., 2]`, both words of a block are written there, beside one another.

    A call of NumPy costs as much as its work on a thousand words: so what a key word and a group's number add to is one
    sum, and all that is one word for all counters is an array without axes, which costs least to hand over.
    """
    first, second = _schedule_of_one(k0, k1) if np.size(k0) == np.size(k1) == 1 else _schedule(k0, k1)
    spare = np.empty_like(x1)
    add(x0, first[0], x0)
    add(x1, second[0], x1)
    for group in range(GROUPS):
        for left, right in _SHIFTS[group % 2]:
            add(x0, x1, x0)
            right_shift(x1, right, spare)
            left_shift(x1, left, x1)
            bitwise_or(x1, spare, x1)
            bitwise_xor(x1, x0, x1)
        last = out is not None and group == GROUPS - 1
        add(x0, first[group + 1], out[..., 0] if last else x0)  # type: ignore[index]
        add(x1, second[group + 1], out[..., 1] if last else x1)  # type: ignore[index]


def _schedule(k0: Any, k1: Any) -> tuple[list[Any], list[Any]]:
    """What is added to both words of a block before the first group of rounds, and after each."""
    keys = (k0, k1, k0 ^ k1 ^ np.uint32(PARITY))
    return ([keys[i % 3] for i in range(GROUPS + 1)],
            [k1, *[keys[(i + 1) % 3] + np.uint32(i) for i in range(1, GROUPS + 1)]])


def _schedule_of_one(k0: Any, k1: Any) -> tuple[list[Any], list[Any]]:
    """`_schedule` of one key."""
    a, b = np.asarray(k0).item(), np.asarray(k1).item()
    keys = (a, b, a ^ b ^ PARITY)
    words = np.array([*keys, *[(keys[(i + 1) % 3] + i) & MASK for i in range(1, GROUPS + 1)]], UINT32)
    made = [words[i, ...] for i in range(GROUPS + 3)]
    return [made[i % 3] for i in range(GROUPS + 1)], [made[1], *made[3:]]


def emit_block(b: Any, k0: Any, k1: Any, x0: Any, x1: Any) -> tuple[Any, Any]:
    """Emit the block function of counters `x0`, `x1` of one shape; the keys have that shape or none.

    All rounds stand in a row: XLA makes one loop over the elements of them, in registers. A loop over the rounds would
    write all elements to memory after each.
    """
    aval = x1.aval

    def spread(k: Any) -> Any:
        return k if k.shape == aval.shape else b.broadcast(k, aval.shape, ())

    mixed = b.op("xor", [b.op("xor", [k0, k1], k0.aval), b.constant(np.uint32(PARITY), k0.aval)], k0.aval)
    keys = (k0, k1, mixed)
    # what a key word and a group's number add to is one sum, made once and not once an element
    schedule = [(keys[(g + 1) % 3], b.op("add", [keys[(g + 2) % 3], b.constant(np.uint32(g + 1), k0.aval)],
                                         k0.aval)) for g in range(GROUPS)]
    x0 = b.op("add", [x0, spread(k0)], aval)
    x1 = b.op("add", [x1, spread(k1)], aval)
    for group in range(GROUPS):
        for r in ROTATIONS[group % 2]:
            x0 = b.op("add", [x0, x1], aval)
            left = b.op("shift_left", [x1, b.constant(np.uint32(r), aval)], aval)
            right = b.op("shift_right_logical", [x1, b.constant(np.uint32(32 - r), aval)], aval)
            x1 = b.op("xor", [x0, b.op("or", [left, right], aval)], aval)
        first, second = schedule[group]
        x0 = b.op("add", [x0, spread(first)], aval)
        x1 = b.op("add", [x1, spread(second)], aval)
    return x0, x1


__all__ = ["MASK", "UINT32", "block_in_place", "block_of_ints", "block_of_lanes", "emit_block", "lanes_of", "words_of_lanes"]
