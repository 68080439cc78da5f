"""Programs of fixed size that run over pieces of any number of elements.

Bits of element `i` depend on the key and on `i` alone, and a sample depends on its bits alone. So eager sampling needs
no kernel for each shape: a distribution is compiled for a few lengths, and what is asked for is computed piece by
piece, the last one padded. The bits of a sample are those of the same function under `jit`, which tests compare.
"""
from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

import numpy as np

from perspicax.core import config as config_module
from perspicax.core.avals import ShapedArray
from perspicax.core.jaxpr import ClosedJaxpr, DebugInfo
from perspicax.core.trace import stage_flat
from perspicax.lax.random_bits import Place
from perspicax.transform.jit_primitive import program_for
from perspicax.xla import sharding as shardings
from perspicax.xla.array import ArrayImpl, on_host

TINY = 1 << 2  # XLA runs a program of so few elements in the caller's thread, without the way to another and back
SMALL, LARGE = 1 << 10, 1 << 15
FEW = 1 << 13  # up to so many elements, pieces of the small size cost less than one of the large size
MAX_PROGRAMS = 1024

state_key = config_module.state_key


class FixedProgram:
    """A traceable function of arrays, compiled once for each combination of types.

    Args:
        name: of the compiled module.
        body: `body(*arrays, **static)` returns one array.
    """

    __slots__ = ("body", "name", "staged")

    def __init__(self, name: str, body: Callable[..., Any]) -> None:
        self.name, self.body = name, body
        self.staged: dict[Any, ClosedJaxpr] = {}

    def __call__(self, place: Place, values: Sequence[np.ndarray], static: tuple[tuple[str, Any], ...]) -> ArrayImpl:
        """Start it; the result may not be ready yet."""
        avals = tuple([ShapedArray(x.shape, x.dtype) for x in values])
        key = (avals, static, state_key())
        closed = self.staged.get(key)
        if closed is None:
            closed = self._stage(avals, static)
            if len(self.staged) >= MAX_PROGRAMS:
                self.staged.clear()
            self.staged[key] = closed
        program = program_for(closed, place.sharding or shardings.default_sharding(), place.committed, name=self.name)
        return program([ArrayImpl(a, None, x, *place) for a, x in zip(avals, values)])[0]

    def _stage(self, avals: tuple, static: tuple[tuple[str, Any], ...]) -> ClosedJaxpr:
        return stage_flat(lambda *arrays: [self.body(*arrays, **dict(static))], avals, DebugInfo("eager", self.name))


def pieces(n: int) -> Iterator[tuple[int, int, int]]:
    """`(start, stop, size)` of the pieces of `n` elements; a piece may be shorter than its program's size."""
    start = 0
    while n - start > FEW:
        yield start, min(start + LARGE, n), LARGE
        start += LARGE
    for at in range(start, n, SMALL):
        yield at, min(at + SMALL, n), SMALL


def run_pieces(program: FixedProgram, place: Place, bits: np.ndarray, operands: Sequence[np.ndarray],
               static: tuple[tuple[str, Any], ...]) -> np.ndarray:
    """Samples of `bits`.

    Args:
        program: its body takes `bits` and the operands, and returns one sample for each element of the last axis.
        place: where it runs.
        bits: unsigned integers of shape `[draws..., n]`.
        operands: parameters of the distribution, scalars or of shape `[n]`.
        static: what the program depends on otherwise.
    """
    n = bits.shape[-1]

    def started() -> Iterator[tuple[int, int, ArrayImpl]]:
        for start, stop, size in pieces(n):
            values = [piece(bits, start, stop, size), *[piece(x, start, stop, size) if x.ndim else x for x in operands]]
            yield start, stop, program(place, values, static)

    return joined(started(), n)


def run_counted(program: FixedProgram, place: Place, words: np.ndarray, n: int, operands: Sequence[np.ndarray],
                static: tuple[tuple[str, Any], ...]) -> np.ndarray:
    """Samples of a key.

    Args:
        program: its body takes four words (the key, then the number of the first sample in two words) and the operands.
        words: of the key, two.
    """
    def started() -> Iterator[tuple[int, int, ArrayImpl]]:
        for start, stop, size in counted_pieces(n):
            seed = np.array([words[0], words[1], start >> 32, start & 0xFFFFFFFF], np.uint32)
            values = [seed, *[piece(x, start, stop, size) if x.ndim else x for x in operands]]
            yield start, stop, program(place, values, (("size", size), *static))

    return joined(started(), n)


def counted_pieces(n: int) -> Iterable[tuple[int, int, int]]:
    """`pieces`, with a size of their own for a handful of elements."""
    return [(0, n, TINY)] if n <= TINY else pieces(n)


def joined(started: Iterator[tuple[int, int, ArrayImpl]], n: int) -> np.ndarray:
    """The results of all pieces, one behind the other; starts them all, then waits for them.

    The memory for the whole is asked for when the first is started, which tells the dtype: what does not fit fails at once.
    """
    first = next(started)
    if first[1] == n:
        return first[2].value()[:n].copy()  # a copy, not a view: that would keep the whole piece alive
    aval = ShapedArray((n,), first[2].dtype)
    found = on_host(aval, lambda: np.empty(n, aval.dtype))
    for start, stop, part in [first, *started]:
        found[start:stop] = part.value()[:stop - start]
    return found


def piece(x: np.ndarray, start: int, stop: int, size: int) -> np.ndarray:
    """Elements `start:stop` of the last axis, padded with zeros to `size`."""
    part = x[..., start:stop]
    if stop - start == size:
        return np.ascontiguousarray(part)
    padded = np.zeros((*x.shape[:-1], size), x.dtype)
    padded[..., :stop - start] = part
    return padded
