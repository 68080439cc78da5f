"""`jax.Ref`: a mutable reference to an array, and `jax.ref`'s functions."""
from __future__ import annotations

from typing import Any

import numpy as np

from perspicax.api.ref_primitives import (
    MAKES,
    RefIndex,
    addupdate_p,
    free_ref_p,
    freeze_p,
    get_p,
    of_references,
    swap_p,
    within,
)
from perspicax.core.array import Array
from perspicax.core.avals import ShapedArray
from perspicax.core.config import local
from perspicax.core.primitive import Primitive
from perspicax.core.ref_errors import RefValueError
from perspicax.core.refs import AbstractRef, Recording, RefCell, recording
from perspicax.core.trace import JaxprTrace
from perspicax.core.tracer import Tracer, get_aval
from perspicax.diagnose.boundary import public, public_methods
from perspicax.lax.convert import convert_to
from perspicax.numpy.construct import asarray
from perspicax.numpy.creation import zeros


@public_methods("__getitem__", "__setitem__", "addupdate")
class Ref(RefCell):
    """A mutable reference to an array: `ref[...]` reads, `ref[...] = x` writes.

    Made by `jax.new_ref`. Loops, branches and `jit` take references along that their functions use, as arguments (of `jit`)
    or closed over. What is written keeps the reference's type: it is neither converted nor broadcast.
    """

    __slots__ = ()

    aval = property(lambda self: AbstractRef(self.inner_aval()))
    shape = property(lambda self: self.inner_aval().shape)
    dtype = property(lambda self: self.inner_aval().dtype)
    ndim = property(lambda self: self.inner_aval().ndim)
    size = property(lambda self: self.inner_aval().size)
    sharding = property(lambda self: self._value.sharding)
    committed = property(lambda self: self._value.committed)

    def __len__(self) -> int:
        return len(self.inner_aval())

    def __getitem__(self, index: Any) -> Any:
        trace = self.recorder()
        value: Any = self.read() if trace is None else None
        self._check_index(index)
        if trace is not None:
            return self._record(trace, get_p, index)
        return value if index is Ellipsis else value[index]

    def __setitem__(self, index: Any, x: Any) -> None:
        self._update(index, x, "set")

    def addupdate(self, x: Any, index: Any = ...) -> None:
        """Add `x` to the entries at `index`."""
        self._update(index, x, "addupdate")

    def swap(self, index: Any, x: Any) -> Any:
        """Write `x` to the entries at `index`, and return what was there."""
        trace = self.recorder(writes=True)
        before = self[index] if trace is None else None
        after = self._update(index, x, "swap")
        return before if trace is None else after

    def _update(self, index: Any, x: Any, operation: str) -> Any:
        trace = self.recorder(writes=True)
        value: Any = self.read() if trace is None else None
        self._check_index(index)
        if trace is not None:
            described, operands = RefIndex.of(index)
            there: Any = get_p.infer((self.aval, *map(get_aval, operands)), (described,))
        else:
            there = get_aval(value if index is Ellipsis else value[index])
        try:
            given: Any = get_aval(x)
        except TypeError:
            raise RefValueError(kind="value", operation=operation, expected="", got=type(x).__name__) from None
        for kind in ("dtype", "shape"):
            if getattr(given, kind) != getattr(there, kind):
                raise RefValueError(kind=kind, operation=operation, expected=there.str_short(), got=given.str_short())
        if trace is not None:
            return self._record(trace, addupdate_p if operation == "addupdate" else swap_p, index, convert_to(x, there))
        index = within(index, value.shape)
        if operation == "addupdate":  # entries that `index` names several times get every addition
            whole = value + x if index is Ellipsis else value.at[index].add(x)
        else:
            whole = x if index is Ellipsis else value.at[index].set(x)
        self.write(convert_to(asarray(whole), get_aval(value)))
        return None

    def _record(self, trace: JaxprTrace, primitive: Primitive, index: Any, *values: Any) -> Any:
        """The equation of what is done, in a trace that keeps references."""
        described, operands = RefIndex.of(index)
        return trace.record(primitive, [self.variable(trace), *values, *operands], (described,))

    def _check_index(self, index: Any) -> None:
        parts = index if isinstance(index, tuple) else (index,)
        if Ellipsis in [p for p in parts if not hasattr(p, "shape")]:
            return
        for part, size in zip(parts, self.shape):
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
        return "Ref" + text.removeprefix("Array") if text.startswith("Array") else f"Ref({self.inner_aval()})"

    def unsafe_buffer_pointer(self) -> int:
        """Address of the memory of the value."""
        return self.read().unsafe_buffer_pointer()


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
    return _made(new_ref_p, [init_val], (None, None))


def _made(primitive: Primitive, operands: list, values: tuple) -> Ref:
    """A new reference, by an equation where the current trace keeps references."""
    trace = local.trace
    if type(trace) is JaxprTrace and trace.keeps_refs:
        trace.met_refs = True
        return Ref(trace.record(primitive, operands, values))
    made: Ref = primitive.extra["perform"](*operands, **primitive.unpack(values))
    return made


def _new(x: Any, kind: Any, memory_space: Any) -> Ref:
    return Ref(asarray(x) if not hasattr(x, "aval") else x)


new_ref_p = of_references("new_ref", ("kind", "memory_space"), lambda x, **_: AbstractRef(x), _new, MAKES)
empty_ref_p = of_references("empty_ref", ("memory_space", "ty"), lambda memory_space, ty: AbstractRef(ty),
                            lambda memory_space, ty: Ref(zeros(ty.shape, ty.dtype)), MAKES)


@public
def empty_ref(ty: Any, memory_space: Any = None) -> Ref:
    """A reference to an array whose entries are of no interest.

    Args:
        ty: what has its `shape` and `dtype`.
        memory_space: only None.
    """
    if memory_space is not None:
        raise RefValueError(kind="space", operation="empty_ref", expected="None", got=f"{memory_space!r}")
    return _made(empty_ref_p, [], (None, ShapedArray(ty.shape, ty.dtype)))


@public
def freeze(ref: Ref) -> Any:
    """The value of a reference that is not written to any more.

    Raises:
        RefValueError: a later write, in a staged function that made the reference.
    """
    trace = ref.recorder()
    if trace is None:
        return freeze_p.extra["perform"](ref)
    value = trace.record(freeze_p, [ref.variable(trace)], ())
    ref.finish("freeze")
    return value


@public
def free_ref(ref: Ref) -> None:
    """Say that a reference is not needed any more. Its memory is freed with its last value.

    Raises:
        RefValueError: a later use, in a staged function that made the reference.
    """
    trace = ref.recorder()
    if trace is None:
        free_ref_p.extra["perform"](ref)
    else:
        trace.record(free_ref_p, [ref.variable(trace)], ())
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


recording[:] = [Recording(cell=Ref, read=lambda ref: ref[...], write=lambda ref, x: ref.__setitem__(..., x))]

__all__ = ["AbstractRef", "Ref", "addupdate", "empty_ref", "empty_ref_p", "free_ref", "freeze", "get", "new_ref", "new_ref_p",
           "set", "swap"]
