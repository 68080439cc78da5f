"""`jax.Ref`: a mutable reference to an array, and `jax.ref`'s functions."""
from __future__ import annotations

from typing import Any

import numpy as np

from perspicax.core.array import Array
from perspicax.core.ref_errors import RefValueError
from perspicax.core.refs import RefCell
from perspicax.core.tracer import Tracer, get_aval
from perspicax.diagnose.boundary import public, public_methods
from perspicax.lax.compare import clamp
from perspicax.lax.convert import convert_to
from perspicax.numpy.construct import asarray
from perspicax.numpy.creation import zeros


class AbstractRef:
    """The type of a reference.

    Args:
        inner_aval: the type of its value.
        memory_space, kind: as in `new_ref`.
    """

    __slots__ = ("inner_aval", "kind", "memory_space")

    def __init__(self, inner_aval: Any, memory_space: Any = None, kind: Any = None) -> None:
        self.inner_aval, self.memory_space, self.kind = inner_aval, memory_space, kind

    shape = property(lambda self: self.inner_aval.shape)
    dtype = property(lambda self: self.inner_aval.dtype)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, AbstractRef) and (self.inner_aval, self.memory_space, self.kind) == (
            other.inner_aval, other.memory_space, other.kind)

    def __hash__(self) -> int:
        return hash((self.inner_aval, self.memory_space, self.kind))

    def __repr__(self) -> str:
        return f"Ref{{{self.inner_aval.str_short()}}}"


@public_methods("__getitem__", "__setitem__", "addupdate")
class Ref(RefCell):
    """A mutable reference to an array: `ref[...]` reads, `ref[...] = x` writes.

    Made by `jax.new_ref`. Loops, branches and `jit` take references along that their functions use, as arguments (of `jit`)
    or closed over. What is written keeps the reference's type: it is neither converted nor broadcast.
    """

    __slots__ = ()

    aval = property(lambda self: AbstractRef(get_aval(self._value)))
    shape = property(lambda self: self._value.shape)
    dtype = property(lambda self: self._value.dtype)
    ndim = property(lambda self: len(self._value.shape))
    size = property(lambda self: int(np.prod(self._value.shape)))
    sharding = property(lambda self: self._value.sharding)
    committed = property(lambda self: self._value.committed)

    def __len__(self) -> int:
        return len(self._value)

    def __getitem__(self, index: Any) -> Any:
        value = self.read()
        self._check_index(index)
        return value if index is Ellipsis else value[index]

    def __setitem__(self, index: Any, x: Any) -> None:
        self._update(index, x, "set")

    def addupdate(self, x: Any, index: Any = ...) -> None:
        """Add `x` to the entries at `index`."""
        self._update(index, x, "addupdate")

    def swap(self, index: Any, x: Any) -> Any:
        """Write `x` to the entries at `index`, and return what was there."""
        before = self[index]
        self._update(index, x, "swap")
        return before

    def _update(self, index: Any, x: Any, operation: str) -> None:
        value: Any = self.read()
        self._check_index(index)
        there: Any = get_aval(value if index is Ellipsis else value[index])
        try:
            given: Any = get_aval(x)
        except TypeError:
            raise RefValueError(kind="value", operation=operation, expected="", got=type(x).__name__) from None
        for kind in ("dtype", "shape"):
            if getattr(given, kind) != getattr(there, kind):
                raise RefValueError(kind=kind, operation=operation, expected=there.str_short(), got=given.str_short())
        index = _within(index, value.shape)
        if operation == "addupdate":  # entries that `index` names several times get every addition
            whole = value + x if index is Ellipsis else value.at[index].add(x)
        else:
            whole = x if index is Ellipsis else value.at[index].set(x)
        self.write(convert_to(asarray(whole), get_aval(value)))

    def _check_index(self, index: Any) -> None:
        parts = index if isinstance(index, tuple) else (index,)
        if Ellipsis in [p for p in parts if not hasattr(p, "shape")]:
            return
        for part, size in zip(parts, self._value.shape):
            if isinstance(part, Array) and not isinstance(part, Tracer) and part.ndim == 0 and not isinstance(
                    self._value, Tracer) and np.issubdtype(part.dtype, np.integer):
                part = int(part)
            if isinstance(part, (int, np.integer)) and not isinstance(part, bool) and not -size <= part < size:
                raise RefValueError(kind="index", operation="get", expected=str(size), got=str(part))

    def __iter__(self) -> Any:
        return iter(self.read())

    def __copy__(self) -> Ref:
        return self  # a reference is its identity: what is written to either shows in both

    def __deepcopy__(self, memo: dict) -> Ref:
        return type(self)(self.read())

    def __reduce__(self) -> Any:
        return type(self), (self.read(),)

    def __repr__(self) -> str:
        text = repr(self._value)
        return "Ref" + text.removeprefix("Array") if text.startswith("Array") else f"Ref({get_aval(self._value)})"

    def unsafe_buffer_pointer(self) -> int:
        """Address of the memory of the value."""
        return self.read().unsafe_buffer_pointer()


def _within(index: Any, shape: tuple[int, ...]) -> Any:
    """`index`, whose traced numbers are brought inside of the axes, as when entries are read.

    Only where it has numbers and slices without steps alone: writes at arrays of indices skip what lies outside.
    """
    parts = index if isinstance(index, tuple) else (index,)
    if not any(isinstance(p, Tracer) for p in parts) or not all(_is_plain(p) for p in parts):
        return index
    axes = [i for i, p in enumerate(parts) if p is Ellipsis]
    skipped = len(shape) - len(parts) + 1
    sizes = [shape[i if not axes or i <= axes[0] else i + skipped - 1] for i in range(len(parts))]
    return tuple([_clamped(p, size) if isinstance(p, Tracer) else p for p, size in zip(parts, sizes)])


def _clamped(index: Any, size: int) -> Any:
    limits = np.iinfo(index.dtype)
    return clamp(index.dtype.type(max(-size, limits.min)), index, index.dtype.type(min(max(size - 1, 0), limits.max)))


def _is_plain(part: Any) -> bool:
    if isinstance(part, slice):
        return part.step in (None, 1)
    return part is Ellipsis or (isinstance(part, (int, np.integer, Array)) and not isinstance(part, bool)
                                and np.shape(part) == () and np.issubdtype(np.result_type(part), np.integer))


@public
def new_ref(init_val: Any, *, memory_space: Any = None, kind: str | None = None) -> Ref:
    """A mutable reference.

    Args:
        init_val: its first value, an array or a number. The array itself never changes.
        memory_space, kind: where it lives. Differs: only None, which is the device's memory.

    Raises:
        RefValueError: `init_val` is no array.

    >>> ref = new_ref(jnp.zeros(2))
    >>> ref[0] = 1.
    >>> ref[...]
    Array([1., 0.], dtype=float32)
    """
    if memory_space is not None or kind is not None:
        raise RefValueError(kind="space", operation="new_ref", expected="None", got=f"{memory_space or kind!r}")
    try:
        get_aval(init_val)
    except TypeError:
        raise RefValueError(kind="value", operation="new_ref", expected="", got=type(init_val).__name__) from None
    return Ref(asarray(init_val) if not hasattr(init_val, "aval") else init_val)


@public
def empty_ref(ty: Any, memory_space: Any = None) -> Ref:
    """A reference to an array whose entries are of no interest.

    Args:
        ty: what has its `shape` and `dtype`.
        memory_space: only None.
    """
    if memory_space is not None:
        raise RefValueError(kind="space", operation="empty_ref", expected="None", got=f"{memory_space!r}")
    return Ref(zeros(ty.shape, ty.dtype))


@public
def freeze(ref: Ref) -> Any:
    """The value of a reference that is not written to any more.

    Raises:
        RefValueError: a later write, in a staged function that made the reference.
    """
    value = ref[...]
    ref.finish("freeze")
    return value


@public
def free_ref(ref: Ref) -> None:
    """Say that a reference is not needed any more. Its memory is freed with its last value.

    Raises:
        RefValueError: a later use, in a staged function that made the reference.
    """
    ref.read()
    ref.finish("free_ref")


@public
def get(ref: Ref, idx: Any = None) -> Any:
    """`ref[idx]`; all of it without an index."""
    return ref[... if idx is None else idx]


@public
def set(ref: Ref, idx: Any, value: Any) -> None:
    """`ref[idx] = value`; all of it where `idx` is None.

    Raises:
        RefValueError: the value does not fit.
    """
    ref[... if idx is None else idx] = value


@public
def swap(ref: Ref, idx: Any, value: Any) -> Any:
    """`ref[idx] = value`; returns what was there.

    Raises:
        RefValueError: the value does not fit.
    """
    return ref.swap(... if idx is None else idx, value)


@public
def addupdate(ref: Ref, idx: Any, x: Any) -> None:
    """`ref[idx] += x`.

    Raises:
        RefValueError: the value does not fit.
    """
    ref.addupdate(x, ... if idx is None else idx)


__all__ = ["AbstractRef", "Ref", "addupdate", "empty_ref", "free_ref", "freeze", "get", "new_ref", "set", "swap"]
