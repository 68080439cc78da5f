"""Abstract values: what is known of a value before it exists (shape, dtype, weak type, sharding).

Avals are interned: two equal avals are one object, so `is` compares them and the default hash is theirs. Every
cache of Perspicax (type rules, promotion plans, kernels, jit's dispatch) is keyed on this identity.
"""
from __future__ import annotations

import collections
import enum
import math
import operator
import weakref
from collections.abc import Callable, Sequence
from typing import Any, Protocol

import numpy as np

from perspicax.core import dtypes
from perspicax.core.errors import ShapeError, TokenOperandError
from perspicax.core.symbolic import SymbolicSize, as_size, symbolic_in
from perspicax.core.symbolic_errors import SymbolicSizeConversionError

Shape = tuple[int, ...]
_NOWHERE: frozenset = frozenset()


class MemorySpace(enum.Enum):
    """A memory of whatever device an array is on."""

    Device = 1
    Host = 2
    Any = 3  # where it is

    __repr__ = enum.Enum.__str__


class AbstractValue:
    """What is known of a value while it is traced."""

    __slots__ = ("__weakref__",)

    shape: Any
    dtype: Any
    weak_type: Any
    mlir: Any
    extended: Any = False
    vma: frozenset = frozenset()
    """The axes of a mesh along which the values may differ, inside of `shard_map`; none elsewhere."""
    explicit: Any = None
    """How the value is split over the explicit axes of a mesh, where it is: a sharding over the mesh's axes alone."""
    memory: Any = None
    """The memory that the value is in, a `MemorySpace`; `None` for that in which devices compute."""

    def str_short(self, short_dtypes: bool = False, **_: Any) -> str:
        raise NotImplementedError(type(self).__name__)

    def __repr__(self) -> str:
        return self.str_short()


_interned: weakref.WeakValueDictionary[tuple, ShapedArray] = weakref.WeakValueDictionary()
_recent: collections.deque[ShapedArray] = collections.deque(maxlen=4096)
"""The types made last, kept alive: a type that only short-lived arrays have is not made again for each of them."""
oversized: weakref.WeakSet[ShapedArray] = weakref.WeakSet()
"""The types whose sizes, multiplied (those of 0 left out), may be more bytes than can be addressed: XLA ends the process when
a program holds one."""
MAX_SIZE = 2**63 - 1
_lookup = _interned.data  # type: ignore[attr-defined]  # the Python-level `get` of the class costs four times as much


class ShapedArray(AbstractValue):
    """The type of an array: `shape`, `dtype`, `weak_type` and, on more than one device, `sharding`.

    Args:
        shape: sizes of the axes, each an int >= 0 (or a symbolic dimension).
        dtype: a NumPy dtype, or an extended one (PRNG keys).
        weak_type: whether the dtype gives way in promotion, as a Python scalar's does.
        sharding: `None`, or the sharding that is part of the type: what it says of explicit axes of its mesh is kept, as
            `explicit`.
        vma: names of the axes of a mesh along which the values may differ ("varying manual axes").
        memory_space: the memory that the values are in, by default that in which devices compute. Keys are in that one.
    """

    __slots__ = (
        "_batched",
        "_strong",
        "_tangent",
        "_unbatched",
        "_varied",
        "dtype",
        "explicit",
        "extended",
        "memory",
        "mlir",
        "mlir_element",
        "ndim",
        "shape",
        "size",
        "symbolic",
        "vma",
        "weak_type",
    )

    shape: Shape
    dtype: Any
    weak_type: bool
    ndim: int
    size: int
    mlir: str
    mlir_element: str
    extended: bool
    symbolic: bool
    """Whether an axis has a symbolic size."""
    _tangent: ShapedArray | None
    _strong: ShapedArray | None
    _batched: dict[tuple[int, int], ShapedArray]
    _unbatched: dict[int, ShapedArray]
    _varied: dict[frozenset, ShapedArray]

    def __new__(cls, shape: Any, dtype: Any, weak_type: bool = False, *, sharding: Any = None, vma: frozenset = _NOWHERE,
                memory_space: Any = None, **_ignored: Any) -> ShapedArray:
        if memory_space is not None and memory_space is not MemorySpace.Device:
            return _make(cls, canonical_shape(shape), dtypes.to_dtype(dtype), bool(weak_type), sharding, frozenset(vma),
                         memory_space)
        try:
            found = _lookup.get((shape, dtype, weak_type, sharding, vma))
        except TypeError:  # a list for a shape
            found = None
        if found is not None:
            aval = found()
            if aval is not None:
                return aval
        return _make(cls, canonical_shape(shape), dtypes.to_dtype(dtype), bool(weak_type), sharding,
                     frozenset(vma))

    def __reduce__(self) -> tuple:
        return _rebuild, (self.shape, self.dtype, self.weak_type, self.explicit, self.vma, self.memory)

    def __copy__(self) -> ShapedArray:
        return self

    def __deepcopy__(self, memo: dict) -> ShapedArray:
        return self

    def update(self, **changes: Any) -> ShapedArray:
        """The same type with some fields changed."""
        fields = dict(shape=self.shape, dtype=self.dtype, weak_type=self.weak_type, sharding=self.explicit,
                      vma=self.vma, memory_space=self.memory)
        if self.explicit is not None and len(changes.get("shape", self.shape)) != self.ndim:
            fields["sharding"] = None
        fields.update(changes)
        return ShapedArray(**fields)

    def at_shape(self, shape: Shape) -> ShapedArray:
        """This dtype and weak type at another shape."""
        return ShapedArray(shape, self.dtype, self.weak_type, vma=self.vma, memory_space=self.memory)

    @property
    def memory_space(self) -> MemorySpace:
        """The memory that such a value is in."""
        return self.memory or MemorySpace.Device

    def in_memory(self, memory: MemorySpace | None) -> ShapedArray:
        """This type, in a memory of the devices; `None` for that in which they compute."""
        if memory is self.memory or self.extended:
            return self
        return ShapedArray(self.shape, self.dtype, self.weak_type, sharding=self.explicit, vma=self.vma, memory_space=memory)

    @property
    def sharding(self) -> Any:
        """How such a value lies over the explicit axes of its mesh; one that nothing splits is whole, on the current mesh."""
        return self.explicit if self.explicit is not None else _sharding_hooks[0].whole(self.ndim)

    def sharding_over(self, mesh: Any) -> Any:
        """How such a value lies over a mesh: as its type says, or whole."""
        return self.explicit if self.explicit is not None else _sharding_hooks[0].whole_on(mesh, self.ndim)

    def laid(self, explicit: Any) -> ShapedArray:
        """This type, split over explicit axes of a mesh as `explicit` says (as `xla.explicit.part_of_type` returns it)."""
        if explicit is self.explicit:
            return self
        return ShapedArray(self.shape, self.dtype, self.weak_type, sharding=explicit, vma=self.vma, memory_space=self.memory)

    def varying(self, axes: frozenset) -> ShapedArray:
        """This type for values that may differ along just these axes of a mesh, along which it is not "reduced" then."""
        if axes == self.vma:
            return self
        found = self._varied.get(axes)
        if found is None:
            explicit = self.explicit
            if explicit is not None and axes:
                explicit = _sharding_hooks[0].not_reduced(explicit, axes)
            found = self._varied[axes] = self.update(vma=axes, sharding=explicit)
        return found

    @property
    def manual_axis_type(self) -> Any:
        """Of which kind such a value is along the axes over which `shard_map` maps here: a `ManualAxisType`."""
        here = frozenset().union(*[axes() for axes in manual_scope])
        return _sharding_hooks[0].manual_axis_type(self.vma, self.explicit, here)

    mat = manual_axis_type

    @property
    def strong(self) -> ShapedArray:
        """The same type, not weak."""
        if not self.weak_type:
            return self
        if self._strong is None:
            self._strong = self.update(weak_type=False)
        return self._strong

    strip_weak_type = property(lambda self: lambda: self.strong)

    def to_tangent_aval(self) -> ShapedArray:
        """The type of a tangent of a value of this type: the same for floating and complex, `float0` otherwise."""
        if self._tangent is None:
            moves = isinstance(self.dtype, dtypes.MeetingDType) if self.extended else dtypes.issubdtype(self.dtype, np.inexact)
            self._tangent = self if moves else ShapedArray(self.shape, dtypes.float0)
        return self._tangent

    def to_cotangent_aval(self) -> ShapedArray:
        """The type of a cotangent: as of a tangent; where the value is a sum over devices that has not been made yet, its
        cotangent is the same for all of them, and the reverse."""
        tangent = self.to_tangent_aval()
        return tangent if tangent.explicit is None else tangent.laid(_sharding_hooks[0].dual(tangent.explicit))

    def batched(self, size: int, axis: int, part: Any = None) -> ShapedArray:
        """This type with an axis of `size` inserted at `axis`; `part` names the explicit axes of a mesh that split it."""
        key = (size, axis) if part is None else (size, axis, part)
        found = self._batched.get(key)  # type: ignore[arg-type]
        if found is None:
            shape = self.shape[:axis] + (size,) + self.shape[axis:]
            found = self.at_shape(shape)
            if self.explicit is not None:
                found = found.laid(_sharding_hooks[0].with_axis(self.explicit, axis, part))
            elif part is not None:
                found = found.laid(_sharding_hooks[0].along(found.ndim, axis, part))
            self._batched[key] = found  # type: ignore[index]
        return found

    def unbatched(self, axis: int) -> ShapedArray:
        """This type without its axis `axis`."""
        found = self._unbatched.get(axis)
        if found is None:
            found = self.at_shape(self.shape[:axis] + self.shape[axis + 1:])
            if self.explicit is not None:
                found = found.laid(_sharding_hooks[0].without_axis(self.explicit, axis))
            self._unbatched[axis] = found
        return found

    def str_short(self, short_dtypes: bool = False, **_: Any) -> str:
        name = dtypes.short_name(self.dtype) if short_dtypes else dtypes.name_of(self.dtype)
        if self.memory is not None:
            name += f"<{self.memory.name.lower()}>"
        sizes = map(str, self.shape) if self.explicit is None else _sharding_hooks[0].sizes_text(self.shape, self.explicit)
        sums = "" if self.explicit is None else _sharding_hooks[0].sums_text(self.explicit)
        varying = _varying_text(self.vma) if self.vma else ""
        return f"{name}[{','.join(sizes)}]{f'{varying[:-1]}, {sums[1:]}' if varying and sums else varying or sums}"

    def __repr__(self) -> str:
        return f"ShapedArray({self.str_short()}{', weak_type=True' if self.weak_type else ''})"

    def __str__(self) -> str:
        return f"{'~' if self.weak_type else ''}{self.str_short()}"

    def __bool__(self) -> bool:
        return True

    def __len__(self) -> int:
        if not self.shape:
            raise TypeError("len() of unsized object")
        return self.shape[0]


def _make(cls: type[ShapedArray], shape: Shape, dtype: Any, weak_type: bool, sharding: Any, vma: frozenset,
          memory: MemorySpace | None = None) -> ShapedArray:
    if sharding is not None:
        sharding = _sharding_hooks[0].part_of_type(sharding, len(shape))
    extended = isinstance(dtype, dtypes.ExtendedDType)
    key: tuple = (shape, dtype, weak_type, sharding, vma)
    if memory is not None and not extended:
        key = (*key, memory)
    found = _interned.get(key)
    if found is not None:
        return found
    self = object.__new__(cls)
    self.shape, self.dtype, self.weak_type, self.explicit = shape, dtype, weak_type, sharding
    self.vma, self.memory = vma, None if extended else memory
    self.ndim = len(shape)
    self.size = math.prod(shape)
    self.extended = extended
    self._tangent = self._strong = None
    self._batched, self._unbatched, self._varied = {}, {}, {}
    if self.extended:
        element, physical = dtypes.mlir_element_type(dtype.physical_dtype), shape + tuple(dtype.physical_shape)
    elif dtype == dtypes.float0:
        element, physical = "i1", shape
    else:
        element, physical = dtypes.mlir_element_type(dtype), shape
    self.mlir_element = element
    if symbolic_in(shape):
        self.mlir = f"tensor<{''.join(['?x' if type(n) is SymbolicSize else f'{n}x' for n in physical])}{element}>"
        self.symbolic = True
    else:
        self.mlir = f"tensor<{''.join([f'{n}x' for n in physical])}{element}>"
        self.symbolic = False
        _check_size(self, shape)
    # setdefault, not assignment: another thread may have interned the same type meanwhile
    aval = _interned.setdefault(key, self)
    _recent.append(aval)
    return aval


class ShardingHooks(Protocol):
    """What types ask of the room of shardings, which hands it over at import."""

    def part_of_type(self, sharding: Any, ndim: int) -> Any: ...
    def whole(self, ndim: int) -> Any: ...
    def whole_on(self, mesh: Any, ndim: int) -> Any: ...
    def with_axis(self, explicit: Any, axis: int, part: Any) -> Any: ...
    def without_axis(self, explicit: Any, axis: int) -> Any: ...
    def along(self, ndim: int, axis: int, part: Any) -> Any: ...
    def sizes_text(self, shape: Shape, explicit: Any) -> list[str]: ...
    def sums_text(self, explicit: Any) -> str: ...
    def dual(self, explicit: Any) -> Any: ...
    def not_reduced(self, explicit: Any, axes: frozenset) -> Any: ...
    def manual_axis_type(self, vma: frozenset, explicit: Any, here: frozenset) -> Any: ...


_sharding_hooks: list[ShardingHooks] = []
manual_scope: list[Callable[[], frozenset]] = []
"""Filled by transform: `manual_scope[0]()` has the axes over which `shard_map` maps what is traced."""


def set_sharding_hooks(hooks: ShardingHooks) -> None:
    """Install what knows of shardings."""
    _sharding_hooks[:] = [hooks]


def _varying_text(axes: frozenset) -> str:
    names = ",".join(sorted(map(str, axes)))
    return f"{{V:{names}}}" if len(axes) == 1 else f"{{V:({names})}}"


def _check_size(self: ShapedArray, shape: Shape) -> None:
    """Mark a type that is too large to exist.

    Raises:
        ShapeError: a size does not fit into 64 bits.
    """
    if self.size >> 59 or (not self.size and math.prod([n for n in shape if n]) >> 59):
        if max(shape) > MAX_SIZE:
            raise ShapeError(shape=repr(shape), why=f"the size of an axis is a number of 64 bits: at most {MAX_SIZE}")
        oversized.add(self)


def _rebuild(shape: Shape, dtype: Any, weak_type: bool, sharding: Any, vma: frozenset = _NOWHERE,
             memory: Any = None) -> ShapedArray:
    return ShapedArray(shape, dtype, weak_type, sharding=sharding, vma=vma, memory_space=memory)


def canonical_shape(shape: Any) -> Shape:
    """A tuple of Python ints from anything that names a shape (an int, a list, NumPy integers).

    Raises:
        ShapeError: an entry is no integer or is negative.
    """
    if isinstance(shape, int) or getattr(shape, "shape", None) == ():
        shape = (shape,)
    try:
        sizes = tuple(operator.index(n) for n in shape)
    except SymbolicSizeConversionError:
        if not isinstance(shape, Sequence):  # some of an iterator is gone
            raise ShapeError(shape=repr(shape), why="a shape with a symbolic size is a tuple or a list") from None
        sizes = tuple([as_size(n) for n in shape])
    except TypeError as error:
        if type(shape) is SymbolicSize:
            return (shape,)  # type: ignore[return-value]
        raise_if_traced(shape, error)
        raise ShapeError(shape=repr(shape), why="a shape is a sequence of integers") from None
    if any(n < 0 for n in sizes):
        raise ShapeError(shape=repr(sizes), why="the size of an axis is at least 0")
    return sizes


def raise_if_traced(shape: Any, error: TypeError) -> None:
    """A traced entry has its own report already; let that one through."""
    if type(error) is not TypeError:
        raise error


class AbstractToken(AbstractValue):
    """The type of a value that only orders effects: it has no elements, and so no dtype, and nothing moves it."""

    __slots__ = ()
    shape = ()
    weak_type = False
    mlir = "!stablehlo.token"

    def _refuse(self) -> Any:  # whoever asks takes it for an array
        raise TokenOperandError

    dtype = ndim = size = property(_refuse)
    strong = property(lambda self: self)
    vma = _NOWHERE

    def varying(self, axes: frozenset) -> AbstractToken:
        """Each device of a mesh has a token of its own: the type is the same."""
        return self

    def batched(self, size: int, axis: int) -> Any:
        """Of an array, its type with an axis more."""
        self._refuse()

    def str_short(self, short_dtypes: bool = False, **_: Any) -> str:
        return "Tok"

    def to_tangent_aval(self) -> ShapedArray:
        """The type of its tangent, which is zero always: `float0`, as that of an integer."""
        return ShapedArray((), dtypes.float0)

    def __reduce__(self) -> str:
        return "abstract_token"

    def __repr__(self) -> str:
        return "AbstractToken()"


abstract_token = AbstractToken()
