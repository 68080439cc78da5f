"""Steps of one key that are repeated until each element is done, on the host.

As one program, a loop over all elements runs until the last is done, and XLA takes seconds to compile it with a generator
inside. Here each step is a small program over pieces of those elements alone that are not done. The bits of an element
depend on its index, and what it is done with does not change, so the samples are the same.
"""
from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from perspicax.core.tracer import get_aval
from perspicax.lax.random_bits import Place, random_bits_p
from perspicax.lax.reductions import reduce_or
from perspicax.random.bits import bit_width
from perspicax.random.chunks import FixedProgram, mapped
from perspicax.random.keys import split_keys
from perspicax.random.threefry import blocks_at, counts, joined_bits
from perspicax.xla.array import ArrayImpl


def any_of(x: Any) -> Any:
    """Traceable: whether one of the booleans is true, for the loop as one program."""
    return reduce_or(x, tuple(range(len(get_aval(x).shape))))  # type: ignore[attr-defined]


def repeated(program: FixedProgram, place: Place, key: ArrayImpl, *, next_key: int = 0, constants: Sequence[np.ndarray],
             state: Sequence[np.ndarray], left: np.ndarray, shape: tuple[int, ...], dtype: Any,
             most: int | None = None) -> None:
    """Repeat a step until no element is left, and write what comes out to `state`.

    Args:
        program: takes bits, the constants and the state of some elements; returns their next state, and for each whether
            it is still to be repeated.
        key: of the first step, which splits it into the one that it draws from and that of the next step.
        next_key: which one is the next step's.
        constants, state: arrays `[n]`.
        left: the indices of the elements with which to begin.
        shape: of all samples.
        dtype: of the uniform samples that bits are drawn for.
        most: how many steps there are at most.
    """
    steps = 0
    while left.size and (most is None or steps < most):
        keys = split_on_host(key, 2, place)
        key = keys.pop(next_key)
        bits = _bits_of(keys[0], left, shape, bit_width(dtype), place)
        *found, again = mapped(program, place, [bits, *[x[left] for x in (*constants, *state)]])
        for x, values in zip(state, found):
            x[left] = values
        left = left[again]
        steps += 1


def last_accepted(program: FixedProgram, place: Place, key: ArrayImpl, *, constants: Sequence[np.ndarray],
                  wanted: np.ndarray, shape: tuple[int, ...], dtype: Any, most: int | None = None) -> np.ndarray:
    """Samples by a loop that goes on until each element has accepted a proposal, and keeps the last one that was accepted.

    So a sample depends on when the others are done, as it does in JAX. First the loop is followed for those elements alone
    that have accepted nothing yet, then backwards for those that have not found their last proposal.

    Args:
        program: takes the bits of two draws and the constants of some elements; returns proposals, and which are accepted.
        wanted: the indices of the elements whose samples are of interest.
        The rest is as for `repeated`.

    Returns:
        Samples `[n]`; -1 where there is none.
    """
    steps: list[list[ArrayImpl]] = []
    width = bit_width(dtype)

    def proposed(keys: list[ArrayImpl], left: np.ndarray) -> list[np.ndarray]:
        return mapped(program, place, [*[_bits_of(k, left, shape, width, place) for k in keys],
                                       *[x[left] for x in constants]])

    left = np.arange(math.prod(shape))
    while left.size and (most is None or len(steps) < most):
        key, *keys = split_on_host(key, 3, place)
        steps.append(keys)
        left = left[~proposed(keys, left)[1]]
    found = np.full(math.prod(shape), -1, dtype)
    while steps and wanted.size:
        values, accepted = proposed(steps.pop(), wanted)
        found[wanted[accepted]] = values[accepted]
        wanted = wanted[~accepted]
    return found


def split_on_host(key: ArrayImpl, count: int, place: Place) -> list[ArrayImpl]:
    """Keys of a key, each an array of its own."""
    return [ArrayImpl(key.aval, None, words, *place) for words in split_keys(key, (count,)).value()]


def _bits_of(key: ArrayImpl, left: np.ndarray, shape: tuple[int, ...], width: int, place: Place) -> np.ndarray:
    """The bits of some elements of `shape`."""
    if left.size < math.prod(shape) and counts(key.aval.dtype.generator):
        words = key.value()
        return joined_bits(blocks_at(words[0, ...], words[1, ...], left.astype(np.uint64), place), width)
    return random_bits_p(key, bit_width=width, shape=shape).value().reshape(-1)[left]


__all__ = ["any_of", "last_accepted", "repeated", "split_on_host"]
