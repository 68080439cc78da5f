"""The Threefry-2x32 block function with 20 rounds, three times: on Python integers, on NumPy arrays, in StableHLO.

Source: Salmon, Moraes, Dror, Shaw, "Parallel random numbers: as easy as 1, 2, 3" (SC 2011): rotations in table 2, the
parity constant and the key schedule in section 3.3. The three give the same bits; which of them runs is a matter of
size: a call of a NumPy function costs as much as six rounds on Python integers.
"""
from __future__ import annotations

from typing import Any

import numpy as np

PARITY = 0x1BD11BDA
ROTATIONS = ((13, 15, 26, 6), (17, 29, 16, 24))
GROUPS = 5  # of four rounds each; after each group the key goes in again
MASK = 0xFFFFFFFF

UINT32 = np.dtype(np.uint32)
_SHIFTS = {r: (np.uint32(r), np.uint32(32 - r)) for group in ROTATIONS for r in group}
_COUNTS = [np.uint32(i) for i in range(GROUPS + 1)]


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


def block_in_place(k0: Any, k1: Any, x0: np.ndarray, x1: np.ndarray) -> None:
    """The block function of many counters, which are overwritten; the keys broadcast to them."""
    keys = (k0, k1, k0 ^ k1 ^ np.uint32(PARITY))
    spare = np.empty_like(x1)
    x0 += k0
    x1 += k1
    for group in range(GROUPS):
        for r in ROTATIONS[group % 2]:
            left, right = _SHIFTS[r]
            np.add(x0, x1, out=x0)
            np.right_shift(x1, right, out=spare)
            np.left_shift(x1, left, out=x1)
            np.bitwise_or(x1, spare, out=x1)
            np.bitwise_xor(x1, x0, out=x1)
        x0 += keys[(group + 1) % 3]
        x1 += keys[(group + 2) % 3]
        x1 += _COUNTS[group + 1]


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


__all__ = ["MASK", "UINT32", "block_in_place", "block_of_ints", "emit_block"]
