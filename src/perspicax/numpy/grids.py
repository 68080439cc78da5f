"""Objects that make arrays of what is written in brackets: `mgrid`, `ogrid`, `r_`, `c_`; and index arrays for grids, `ix_`."""
from __future__ import annotations

import builtins
from typing import Any

import numpy as np

from perspicax.core import dtypes
from perspicax.core.array import Array
from perspicax.core.tracer_errors import static_value
from perspicax.diagnose.boundary import public, public_methods
from perspicax.lax import shape as lax_shape
from perspicax.numpy.construct import asarray
from perspicax.numpy.creation import ZeroStepError, arange, linspace, meshgrid
from perspicax.numpy.errors import ArgumentKindError, ArgumentValueError
from perspicax.numpy.joining import concatenate, stack
from perspicax.numpy.logic import kind
from perspicax.numpy.promote import array_like, promote_dtypes
from perspicax.numpy.search import nonzero
from perspicax.numpy.shapes import reshape


def _points(part: slice, name: str) -> Any:
    """The values that a slice stands for: an imaginary step is a number of points, both ends included."""
    start, stop, step = [static_value(v, f"jnp.{name}", what)
                         for v, what in ((part.start, "start"), (part.stop, "stop"), (part.step, "step"))]
    if stop is None:  # as `arange` has it: what is given alone is the end
        start, stop = None, 0 if start is None else start
    if np.iscomplexobj(step) and not isinstance(step, Array):
        return linspace(0 if start is None else start, stop, int(abs(step)))
    if isinstance(step, (int, float)) and step == 0:
        raise ZeroStepError(says=f"`jnp.{name}` was given the step 0.", why="then there is no end")
    return arange(0 if start is None else start, stop, 1 if step is None else step)


@public_methods("__getitem__")
class Grid:
    """Grids of coordinates by slices: `mgrid` of full size, `ogrid` with axes of size 1."""

    def __init__(self, name: str, sparse: bool, doc: str) -> None:
        self._name, self._sparse, self.__doc__ = name, sparse, doc

    def __getitem__(self, key: Any) -> Any:
        parts = key if isinstance(key, tuple) else (key,)
        for part in parts:
            if not isinstance(part, slice):
                raise ArgumentKindError(says=f"`{self._name}` was given {part!r} in its brackets.", why="it takes slices")
        lines = [_points(part, self._name) for part in parts]
        if not isinstance(key, tuple):
            return lines[0]
        lines = [asarray(x) for x in promote_dtypes(*lines)] if lines else []
        grids = meshgrid(*lines, indexing="ij", sparse=self._sparse)
        if self._sparse:
            return grids
        return stack(grids) if grids else asarray(np.zeros((0,), np.int32))

    def __repr__(self) -> str:
        return f"jnp.{self._name}"


@public_methods("__getitem__")
class Joined:
    """Arrays and ranges joined along an axis: `r_` along the first, `c_` as columns."""

    def __init__(self, name: str, axis: int, ndmin: int, one_first: int, doc: str) -> None:
        self._name, self._axis, self._ndmin, self._one_first, self.__doc__ = name, axis, ndmin, one_first, doc

    def __getitem__(self, key: Any) -> Array:
        parts = list(key) if isinstance(key, tuple) else [key]
        axis, ndmin, place, matrix = self._axis, self._ndmin, self._one_first, ""
        if parts and isinstance(parts[0], str):
            if parts[0] in ("r", "c"):
                matrix = parts.pop(0)
            else:
                axis, ndmin, place = self._directive(parts.pop(0))
        entries = [self._entry(part, ndmin, place) for part in parts]
        if not entries:
            raise ArgumentValueError(says=f"`{self._name}` was given nothing to join.", why="there is no dtype and no shape")
        found = concatenate([asarray(x) for x in promote_dtypes(*entries)], axis)
        if matrix and found.ndim < 2:
            return reshape(found, (1, -1) if matrix == "r" else (-1, 1))
        return found

    def _directive(self, text: str) -> tuple[int, int, int]:
        """What a text in front of the entries says: the axis, the least number of axes, where a vector's own axis goes."""
        try:
            numbers = [int(v) for v in text.split(",")]
        except ValueError:
            numbers = []
        if not numbers:
            raise ArgumentValueError(says=f"`{self._name}` was given the directive {text!r}.",
                                     why="it is the axis, the least number of axes, and where a vector's axis goes, "
                                         'separated by commas, as in "0,2,1"; or "r" or "c" for a matrix')
        axis, ndmin, place = [*numbers, *(self._axis, self._ndmin, self._one_first)[len(numbers):]][:3]
        return axis, ndmin, place

    def _entry(self, part: Any, ndmin: int, place: int) -> Any:
        if isinstance(part, str):
            raise ArgumentValueError(says=f"`{self._name}` was given the text {part!r} behind its first entry.",
                                     why="a directive comes first")
        x = _points(part, self._name) if isinstance(part, slice) else asarray(part)
        if x.ndim == 0:
            x = lax_shape.reshape(x, (1,)) if ndmin <= 1 else x
        added = ndmin - x.ndim
        if added <= 0:
            return x
        if x.ndim == 0:
            return lax_shape.reshape(x, (1,) * ndmin)
        before = place if place >= 0 else place + added + 1
        before = builtins.min(builtins.max(before, 0), added)
        return lax_shape.reshape(x, (1,) * before + x.shape + (1,) * (added - before))

    def __len__(self) -> int:
        return 0

    def __repr__(self) -> str:
        return f"jnp.{self._name}"


class IndexExpression:
    """What is written in brackets, as an index: `s_[1:3]` is `slice(1, 3)`."""

    __slots__ = ("maketuple",)

    def __init__(self, maketuple: bool) -> None:
        self.maketuple = maketuple

    def __getitem__(self, item: Any) -> Any:
        return (item,) if self.maketuple and not isinstance(item, tuple) else item


mgrid = Grid("mgrid", False, """Grids of coordinates: `mgrid[0:2, 0:1:3j]`.

    Each slice gives the values along one axis, as `arange`; an imaginary step is a number of points, both ends included. The
    result is an array with one grid for each axis along its first one; of a single slice the values themselves.""")
ogrid = Grid("ogrid", True, """Coordinates that broadcast to grids: `ogrid[0:2, 0:1:3j]`.

    As `mgrid`, but a list of arrays whose other axes have size 1.""")
r_ = Joined("r_", 0, 1, -1, """Arrays, numbers and ranges joined along the first axis: `r_[0, x, 1:4, 0:1:5j]`.

    A text in front says how: `"axis,ndmin,place"`, that is, along which axis they are joined, how many axes each has at
    least, and where the axis of a vector goes among them; `"r"` and `"c"` make a row or a column.""")
c_ = Joined("c_", -1, 2, 0, "Arrays, numbers and ranges joined as columns: `c_[x, y]`; see `r_`.")
s_ = IndexExpression(False)
index_exp = IndexExpression(True)


@public
def ix_(*args: Any) -> tuple[Array, ...]:
    """Index arrays that select the grid of all combinations: `x[jnp.ix_([0, 2], [1, 3])]`.

    Args:
        args: for each axis a vector of indices, or a boolean vector that says which.

    Returns:
        Arrays that broadcast with each other: each runs along its own axis.

    Raises:
        ArgumentValueError: one of them is no vector.

    >>> ix_(jnp.array([0, 2]), jnp.array([1, 3]))
    (Array([[0],
           [2]], dtype=int32), Array([[1, 3]], dtype=int32))
    """
    found = []
    for i, arg in enumerate(args):
        x = asarray(array_like(arg, "ix_", i)) if not isinstance(arg, (list, tuple)) else asarray(arg)
        if x.ndim != 1:
            raise ArgumentValueError(says=f"`ix_` was given {x.aval.str_short()}.",  # type: ignore[attr-defined]
                                     why="each index is a vector")
        if kind(x) == "bool":
            (x,) = nonzero(x)
        elif x.size == 0:
            x = asarray(x, dtypes.default_dtype("int"))
        found.append(lax_shape.reshape(x, tuple([x.shape[0] if k == i else 1 for k in range(len(args))])))
    return tuple(found)


__all__ = ["Grid", "IndexExpression", "Joined", "c_", "index_exp", "ix_", "mgrid", "ogrid", "r_", "s_"]
