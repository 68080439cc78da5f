"""`jax.ds`: slices whose start is a value, as indices of arrays: `x[jax.ds(i, 3)]`, `x.at[jax.ds(i, 3)].set(y)`."""
from __future__ import annotations

import operator
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from perspicax.core.array import Array
from perspicax.core.tree_register import register_pytree_node
from perspicax.diagnose.boundary import public
from perspicax.lax import compare, slicing
from perspicax.numpy.errors import ArgumentKindError, ArgumentValueError

__all__ = ["Slice", "SlicedUpdateRef", "ds", "has_slices", "read_slices"]


@dataclass(frozen=True)
class Slice:
    """`size` entries of an axis from `start` on, each `stride` after the one before; made by `ds`.

    Attributes:
        start: an integer, or a scalar array that may be traced; from the end where it is negative.
        size: how many entries.
        stride: how far apart they are, at least 0.
    """

    start: Any
    size: int
    stride: int = 1

    is_dynamic_start = property(lambda self: isinstance(self.start, Array))
    is_dynamic_size = False


def _integer(name: str, value: Any) -> int:
    try:
        return operator.index(value)
    except TypeError as error:
        if type(error) is not TypeError:  # a traced one has its own report
            raise
        raise ArgumentKindError(says=f"`ds` was given {name}={value!r}.", why="it is an integer") from None


register_pytree_node(
    Slice, lambda s: ((s.start,), (True, s.size, s.stride)) if s.is_dynamic_start else ((), (s.start, s.size, s.stride)),
    lambda aux, children: Slice(*children, *aux[1:]) if children else Slice(*aux))


@public
def ds(start: Any, size: Any = None, stride: int | None = None) -> slice | Slice:
    """An index: `size` entries from `start` on, where `start` may be traced.

    Args:
        start: the first entry, an integer or an integer array without axes; with nothing else, how many from 0 on. `None`
            stands for all, as `:` does.
        size: how many, an integer.
        stride: how far they are apart; 1 by default.

    Returns:
        What `x[...]`, `x.at[...]` and `ref[...]` take. A slice that would reach beyond the end is read from as far back as
        it fits, entry by entry where a stride is given; an update that would do so changes nothing there.

    Differs: a negative start counts from the end always; in JAX not with a stride, nor beside an array of indices.

    Raises:
        ArgumentKindError: `start`, `size` or `stride` is no integer.
        ArgumentValueError: `size` or `stride` is negative.
        TracerIntegerConversionError: `size` or `stride` is traced.

    >>> jax.jit(lambda x, i: x[jax.ds(i, 2)])(jnp.arange(5.), 3)
    Array([3., 4.], dtype=float32)
    """
    if start is None:
        return slice(None)
    if size is None:
        start, size = 0, start
    if not isinstance(start, Array):
        _integer("start", start)
    elif start.shape or start.aval.extended or start.dtype.kind not in "iu":
        raise ArgumentKindError(says=f"`ds` was given a start of type {start.aval.str_short()}.",
                                why="it is an integer, or an integer array without axes")
    size, stride = _integer("size", size), _integer("stride", 1 if stride is None else stride)
    for name, value in (("size", size), ("stride", stride)):
        if value < 0:
            raise ArgumentValueError(says=f"`ds` was given {name}={value}.", why="it is not negative")
    return Slice(start, size, stride)


def has_slices(index: Any) -> bool:
    """Whether an index is a `Slice`, or has one in it."""
    return type(index) is Slice or (type(index) is tuple and Slice in map(type, index))


def _placed(x: Any, index: Any) -> tuple[list[tuple[int, Slice]], Any]:
    """The axis of each `Slice` in an index of `x`, and the index with `:` in their places."""
    parts = index if type(index) is tuple else (index,)
    taken = [_axes_of(part) for part in parts]
    found, axis = [], 0
    for part, count in zip(parts, taken):
        if part is Ellipsis:
            axis += max(0, len(x.aval.shape) - sum(taken))
            continue
        if type(part) is Slice and axis < len(x.aval.shape):  # beyond, the index has too many entries, which it will say
            found.append((axis, part))
        axis += count
    return found, tuple([slice(None) if type(part) is Slice else part for part in parts])


def _axes_of(part: Any) -> int:
    """How many axes an entry of an index takes."""
    if part is None or part is Ellipsis or isinstance(part, (bool, np.bool_)):
        return 0
    return len(part.shape) if getattr(part, "dtype", None) == np.dtype(bool) else 1


def _start(s: Slice, size: int) -> Any:
    """The start counted from 0."""
    if isinstance(s.start, Array):
        return compare.select(s.start < 0, s.start + size, s.start)
    start = _integer("start", s.start)
    return start + size if start < 0 else start


def _entries(s: Slice, size: int) -> Any:
    """The entries of a slice with a stride, one by one."""
    start: Any = _start(s, size)
    steps = np.arange(s.size, dtype=np.int32) * s.stride
    return start + steps


def _windows(x: Any, found: list[tuple[int, Slice]]) -> Any:
    """`x` with each of its sliced axes cut down to the slice."""
    for axis, s in found:
        if s.stride == 1:
            x = slicing.dynamic_slice_in_dim(x, _start(s, x.aval.shape[axis]), s.size, axis, allow_negative_indices=False)
        else:
            x = x.at[(slice(None),) * axis + (_entries(s, x.aval.shape[axis]),)].get(mode="clip")
    return x


def read_slices(x: Any, index: Any) -> Any:
    """`x[index]`, for an index with slices."""
    found, rest = _placed(x, index)
    return _windows(x, found)[rest]


class SlicedUpdateRef:
    """`x.at[index]` for an index with slices: the same methods, on the part that the slices cut out."""

    __slots__ = ("array", "index")

    def __init__(self, array: Any, index: Any) -> None:
        self.array, self.index = array, index

    @public
    def get(self, **options: Any) -> Any:
        """The part itself."""
        found, rest = _placed(self.array, self.index)
        return _windows(self.array, found).at[rest].get(**options)

    def _update(self, method: str, *values: Any, **options: Any) -> Any:
        found, rest = _placed(self.array, self.index)
        return _put_back(self.array, found, lambda part: getattr(part.at[rest], method)(*values, **options))


def _put_back(x: Any, found: list[tuple[int, Slice]], change: Callable[[Any], Any]) -> Any:
    """`x` with what the slices cut out changed; the slice of the first axis is cut first, and put back last."""
    if not found:
        return change(x)
    (axis, s), *others = found
    size = x.aval.shape[axis]
    part = _put_back(_windows(x, [(axis, s)]), others, change)
    if s.stride != 1:
        at = (slice(None),) * axis + (_entries(s, size),)
        return x.at[at].set(part, mode="drop")
    start = _start(s, size)
    changed = slicing.dynamic_update_slice_in_dim(x, part, start, axis, allow_negative_indices=False)
    if not isinstance(start, Array):
        return changed if 0 <= start <= size - s.size else x
    return compare.select((start >= 0) & (start <= size - s.size), changed, x)


def _method(name: str) -> Callable[..., Any]:
    @public
    def method(self: SlicedUpdateRef, *values: Any, **options: Any) -> Any:
        return self._update(name, *values, **options)

    method.__name__ = name
    method.__doc__ = f"The array with `{name}` done to the part; see `IndexUpdateRef.{name}`."
    return method


for _name in ("set", "add", "subtract", "multiply", "mul", "divide", "power", "min", "max", "apply"):
    setattr(SlicedUpdateRef, _name, _method(_name))
