"""Programs of fixed size that run over pieces of any number of elements.

Bits of element `i` depend on the key and on `i` alone, and a sample depends on its bits alone. So eager sampling needs
no kernel for each shape: a distribution is compiled for a few lengths, and what is asked for is computed piece by
piece, the last one padded. The bits of a sample are those of the same function under `jit`, which tests compare.
"""
from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

from perspicax.core import config as config_module
from perspicax.core import dtypes
from perspicax.core.avals import ShapedArray
from perspicax.core.jaxpr import ClosedJaxpr, DebugInfo
from perspicax.core.trace import stage_flat
from perspicax.lax.random_bits import Place
from perspicax.transform.jit_primitive import program_for
from perspicax.xla import sharding as shardings
from perspicax.xla.array import ArrayImpl, on_host
from perspicax.xla.compile import FAST_COMPILE

TINY = 1 << 2  # XLA runs a program of so few elements in the caller's thread, without the way to another and back
SMALL, LARGE = 1 << 10, 1 << 15
FEW = 1 << 13  # up to so many elements, pieces of the small size cost less than one of the large size
MAX_PROGRAMS = 1024
SPARED = 100  # times that a program for a large piece is run on a smaller one: then a program for small ones would have paid

state_key = config_module.state_key


class FixedProgram:
    """A traceable function of arrays, compiled once for each combination of types.

    Args:
        name: of the compiled module.
        body: `body(*arrays, **static)` returns one array, or several.
        fast: whether `FAST_COMPILE` gives the same bits where all its numbers are float32, as a test of all bits found.
    """

    __slots__ = ("body", "cut", "fast", "name", "spared", "staged")

    def __init__(self, name: str, body: Callable[..., Any], fast: bool = False) -> None:
        self.name, self.body, self.fast = name, body, fast
        self.staged: dict[Any, ClosedJaxpr] = {}
        self.cut: set[tuple] = set()
        """The sizes of pieces that it was run on, with what it depends on otherwise."""
        self.spared = 0

    def pieces(self, n: int, static: tuple, least: int = 0) -> Iterator[tuple[int, int, int]]:
        """`pieces`, or large ones alone as long as that spares a compilation.

        Args:
            n: how many elements.
            static: what the program depends on besides the size.
            least: the size of a piece for so many elements or fewer; 0 where there is none.
        """
        if least and n <= least:
            self.cut.add((least, static))
            return iter([(0, n, least)])
        sizes = {(size, static) for size in sizes_of(n)}
        large = (LARGE, static)
        if (large in sizes or large in self.cut) and not sizes - {large} <= self.cut and self.spared < SPARED:
            self.spared += 1
            self.cut.add(large)
            return ((start, min(start + LARGE, n), LARGE) for start in range(0, n, LARGE))
        self.cut |= sizes
        return pieces(n)

    def __call__(self, place: Place, values: Sequence[np.ndarray], static: tuple[tuple[str, Any], ...]) -> list[ArrayImpl]:
        """Start it; the results may not be ready yet."""
        arrays = [_array(x, place) for x in values]
        return self.compiled(place, arrays, static)(arrays)

    def compiled(self, place: Place, arrays: Sequence[ArrayImpl],
                 static: tuple[tuple[str, Any], ...]) -> Callable[[Sequence[ArrayImpl]], list[ArrayImpl]]:
        """The program for arrays of these types."""
        avals = tuple([x.aval for x in arrays])
        key = (avals, static, state_key())
        closed = self.staged.get(key)
        if closed is None:
            closed = self._stage(avals, static)
            if len(self.staged) >= MAX_PROGRAMS:
                self.staged.clear()
            self.staged[key] = closed
        return program_for(closed, place.sharding or shardings.default_sharding(), place.committed, name=self.name,
                           compiler_options=FAST_COMPILE if self.fast and in_single_precision(closed) else ())

    def _stage(self, avals: tuple, static: tuple[tuple[str, Any], ...]) -> ClosedJaxpr:
        def results(*arrays: Any) -> list[Any]:
            made = self.body(*arrays, **dict(static))
            return list(made) if type(made) is tuple else [made]

        return stage_flat(results, avals, DebugInfo("eager", self.name))


def in_single_precision(closed: ClosedJaxpr) -> bool:
    """Whether a program takes and returns no floating numbers but those of float32."""
    kinds = {a.dtype for a in (*closed.in_avals, *closed.out_avals) if dtypes.issubdtype(a.dtype, np.inexact)}
    return kinds <= {dtypes.float32}


def pieces(n: int) -> Iterator[tuple[int, int, int]]:
    """`(start, stop, size)` of the pieces of `n` elements; a piece may be shorter than its program's size."""
    start = 0
    while n - start > FEW:
        yield start, min(start + LARGE, n), LARGE
        start += LARGE
    for at in range(start, n, SMALL):
        yield at, min(at + SMALL, n), SMALL


def sizes_of(n: int) -> set[int]:
    """The sizes of the pieces of `n` elements, of which there may be more than can be listed."""
    many = max(0, -(-(n - FEW) // LARGE))
    return ({LARGE} if many else set()) | ({SMALL} if n > many * LARGE else set())


def mapped(program: FixedProgram, place: Place, operands: Sequence[np.ndarray],
           static: tuple[tuple[str, Any], ...] = (), least: int = 0) -> list[np.ndarray]:
    """The results of a program for each element.

    Args:
        program: takes the operands, and returns arrays whose first axis is that of the elements, `[n, ...]`.
        place: where it runs.
        operands: scalars, or arrays `[..., n]`. Of scalars alone the results are scalars.
        static: what the program depends on otherwise.
        least: see `FixedProgram.pieces`.
    """
    n = next((x.shape[-1] for x in operands if x.ndim), None)
    if n is None:
        return [np.asarray(x.value()) for x in program(place, operands, static)]

    cut = program.pieces(n, tuple([(x.shape[:-1], x.dtype) for x in operands]), least)
    return joined(_started(program, place, cut, operands, lambda size: static), n)


def run_counted(program: FixedProgram, place: Place, words: np.ndarray, n: int, operands: Sequence[np.ndarray],
                static: tuple[tuple[str, Any], ...]) -> np.ndarray:
    """Samples of a key.

    Args:
        program: its body takes four words (the key, then the number of the first sample in two words) and the operands.
        words: of the key, two.
    """
    def first(start: int) -> list[np.ndarray]:
        return [np.array([words[0], words[1], start >> 32, start & 0xFFFFFFFF], np.uint32)]

    cut = program.pieces(n, static, TINY)
    return joined(_started(program, place, cut, operands, lambda size: (("size", size), *static), first), n)[0]


def _started(program: FixedProgram, place: Place, cut: Iterator[tuple[int, int, int]], operands: Sequence[np.ndarray],
             static_of: Callable[[int], tuple[tuple[str, Any], ...]],
             first: Callable[[int], list[np.ndarray]] = lambda start: []) -> Iterator[tuple[int, int, list[ArrayImpl]]]:
    """The results of the pieces, each started when it is asked for.

    Args:
        cut: the pieces.
        operands: of the whole. Scalars go to the device once, and the program of each size is looked up once.
        static_of: what a program depends on, of its size.
        first: operands that stand before these, of the number of a piece's first element.
    """
    shared = [None if x.ndim else _array(x, place) for x in operands]
    ready: dict[int, Callable[[Sequence[ArrayImpl]], list[ArrayImpl]]] = {}
    for start, stop, size in cut:
        arrays = [_array(x, place) for x in first(start)]
        arrays += [_array(piece(x, start, stop, size), place) if one is None else one for x, one in zip(operands, shared)]
        if size not in ready:
            ready[size] = program.compiled(place, arrays, static_of(size))
        yield start, stop, ready[size](arrays)


def _array(x: np.ndarray, place: Place) -> ArrayImpl:
    return ArrayImpl(ShapedArray(x.shape, x.dtype), None, x, *place)


def joined(started: Iterator[tuple[int, int, list[ArrayImpl]]], n: int) -> list[np.ndarray]:
    """The results of all pieces, one behind the other; starts them all, then waits for them.

    The memory for the whole is asked for when the first is started, which tells the types: what does not fit fails at once.
    """
    first = next(started)
    if first[1] == n:
        return [x.value()[:n].copy() for x in first[2]]  # copies, not views: those would keep the whole pieces alive
    found = [_room(ShapedArray((n, *x.shape[1:]), x.dtype)) for x in first[2]]
    for start, stop, parts in [first, *started]:
        for whole, part in zip(found, parts):
            whole[start:stop] = part.value()[:stop - start]
    return found


def _room(aval: ShapedArray) -> np.ndarray:
    return on_host(aval, lambda: np.empty(aval.shape, aval.dtype))


def piece(x: np.ndarray, start: int, stop: int, size: int) -> np.ndarray:
    """Elements `start:stop` of the last axis, padded with zeros to `size`."""
    part = x[..., start:stop]
    if stop - start == size:
        return np.ascontiguousarray(part)
    padded = np.zeros((*x.shape[:-1], size), x.dtype)
    padded[..., :stop - start] = part
    return padded
