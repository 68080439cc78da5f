"""Types of Flax's interface: `flax.typing`."""
from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import wraps
from typing import Any, Generic, Protocol, TypeGuard, TypeVar, runtime_checkable

import numpy as np

from perspicax import Array as JaxArray
from perspicax import tree_util
from perspicax.flax.core.frozen_dict import FrozenDict as FrozenDict
from perspicax.typing import DTypeLike

__all__ = [
    "MISSING", "A", "Array", "ArrayPytree", "Axes", "Axis", "AxisName", "BaseConfigContext", "Collection",
    "ConvGeneralDilatedT", "DotGeneralT", "Dtype", "EinsumT", "F", "FrozenDict", "FrozenVariableDict", "HA", "HB",
    "HashableMapping", "In", "InOutAxis", "InOutScanAxis", "Initializer", "K", "Key", "LaxPadding", "Leaf",
    "LogicalNames", "LogicalPartitionSpec", "LogicalPartitionSpecPytree", "LogicalRules", "Missing",
    "MutableCollection", "MutableVariableDict", "Out", "PRNGFoldable", "PRNGKey", "PaddingLike",
    "PartitionSpecPytree", "Path", "PathParts", "PrecisionLike", "PromoteDtypeFn", "PytreeDeque", "RNGSequences",
    "ScanAxis", "Shape", "ShapeDtype", "Sharding", "SizeBytes", "T", "TupleArg", "VariableDict", "has_shape_dtype",
    "is_key_like",
]

A = TypeVar("A")
T = TypeVar("T")
F = TypeVar("F", bound=Callable[..., Any])
HA = TypeVar("HA", bound=Hashable)
HB = TypeVar("HB", bound=Hashable)
TupleArg = TypeVar("TupleArg", bound=tuple[Any, ...])

Array = JaxArray | Any
PRNGKey = JaxArray
RNGSequences = dict[str, PRNGKey]
Dtype = DTypeLike | Any
Shape = Sequence[int]


class Key(Hashable, Protocol):
    """What may be a key in a tree: it has a hash and an order."""

    def __lt__(self: K, value: K, /) -> bool:
        """Whether it comes before another one."""
        ...


K = TypeVar("K", bound=Key)


def is_key_like(x: Any) -> TypeGuard[Key]:
    """Whether a value has what a key needs: a hash, and `<`."""
    return hasattr(x, "__hash__") and hasattr(x, "__lt__")


Path = str
PathParts = tuple[Key, ...]
Leaf = Any
Collection = Mapping[str, Any]
MutableCollection = dict[str, Any]
VariableDict = Mapping[str, Collection]
FrozenVariableDict = FrozenDict[str, Collection]
MutableVariableDict = dict[str, MutableCollection]
PRNGFoldable = int | str
ArrayPytree = Any
PartitionSpecPytree = Any

Axis = int | None
ScanAxis = int
Axes = int | Sequence[int]
AxisName = str | tuple[str, ...] | None
PaddingLike = str | int | Sequence[int | tuple[int, int]]
LaxPadding = str | Sequence[tuple[int, int]]
LogicalNames = tuple[str | None, ...]
LogicalRules = Sequence[tuple[str, AxisName]]
LogicalPartitionSpec = Any
LogicalPartitionSpecPytree = Any
Sharding = tuple[AxisName, ...]

Initializer = Callable[..., Any]
PrecisionLike = Any
DotGeneralT = Callable[..., Array]
ConvGeneralDilatedT = Callable[..., Array]
EinsumT = Callable[..., Array]


@dataclass(frozen=True)
class In(Generic[T]):
    """An axis of a lifted transformation that holds on the way in alone."""

    axis: T


@dataclass(frozen=True)
class Out(Generic[T]):
    """An axis of a lifted transformation that holds on the way out alone."""

    axis: T


InOutAxis = int | None | In[Any] | Out[Any]
InOutScanAxis = int | In[int] | Out[int]


class Missing:
    """Stands for a value that was not given."""


MISSING = Missing()


class PromoteDtypeFn(Protocol):
    """A function that brings several values to a common dtype."""

    def __call__(self, args: TupleArg, /, *, dtype: Any = None, inexact: bool = True) -> TupleArg:
        """The values, converted."""
        ...


@runtime_checkable
class ShapeDtype(Protocol):
    """What has a shape and a dtype."""

    shape: Shape
    dtype: Dtype


def has_shape_dtype(x: Any) -> TypeGuard[ShapeDtype]:
    """Whether a value has a shape and a dtype."""
    return hasattr(x, "shape") and hasattr(x, "dtype")


class BaseConfigContext(ABC):
    """A setting that holds inside of a `with` block, or while a decorated function runs.

    A subclass says where the stack of its values is, and what holds outside of all blocks.
    """

    def __init__(self, value: Any, /) -> None:
        self.value = value

    @classmethod
    @abstractmethod
    def get_default(cls) -> Any:
        """The value that holds outside of all blocks."""

    @classmethod
    @abstractmethod
    def get_stack(cls) -> list[Any]:
        """The list of the values of the open blocks, the innermost last."""

    @classmethod
    def current_value(cls) -> Any:
        """The value that holds now."""
        stack = cls.get_stack()
        return stack[-1] if stack else cls.get_default()

    def __enter__(self) -> None:
        self.get_stack().append(self.value)

    def __exit__(self, exc_type: Any, exc_value: Any, traceback: Any) -> None:
        self.get_stack().pop()

    def __call__(self, f: F) -> F:
        @wraps(f)
        def call(*args: Any, **kwargs: Any) -> Any:
            with self:
                return f(*args, **kwargs)

        return call  # type: ignore[return-value]


class HashableMapping(Mapping[HA, HB], Hashable):
    """A mapping with a hash, which regards the entries and not their order.

    Args:
        mapping: the entries.
        copy: whether to copy them; otherwise nobody may change them afterwards.
    """

    _mapping: Mapping[HA, HB]

    def __init__(self, mapping: Mapping[HA, HB], copy: bool = True) -> None:
        self._mapping = dict(mapping) if copy else mapping

    def __contains__(self, key: object) -> bool:
        return key in self._mapping

    def __getitem__(self, key: HA) -> HB:
        return self._mapping[key]

    def __iter__(self) -> Iterator[HA]:
        return iter(self._mapping)

    def __len__(self) -> int:
        return len(self._mapping)

    def __eq__(self, other: Any) -> bool:
        return isinstance(other, HashableMapping) and self._mapping == other._mapping

    def __hash__(self) -> int:
        return hash(frozenset(self._mapping.items()))

    def __repr__(self) -> str:
        return repr(self._mapping)

    def update(self, other: Mapping[HA, HB]) -> HashableMapping[HA, HB]:
        """A copy with further or other entries."""
        return HashableMapping({**self._mapping, **other}, copy=False)


class PytreeDeque(deque[A]):
    """A `deque` that is a pytree."""


def _deque_with_keys(values: PytreeDeque[Any]) -> tuple[tuple[Any, ...], tuple[()]]:
    return tuple([(tree_util.SequenceKey(i), value) for i, value in enumerate(values)]), ()


tree_util.register_pytree_with_keys(
    PytreeDeque, _deque_with_keys, lambda _, values: PytreeDeque(values), lambda values: (tuple(values), ()))


_UNITS = ((1e9, "GB"), (1e6, "MB"), (1e3, "KB"))


@dataclass(frozen=True, slots=True)
class SizeBytes:
    """How many numbers something has, and how many bytes they take.

    Attributes:
        size: the numbers.
        bytes: the bytes.
    """

    size: int
    bytes: int

    @classmethod
    def from_array(cls, x: ShapeDtype) -> SizeBytes:
        """The size of one array, or of anything with a shape and a dtype."""
        size = int(math.prod(x.shape))
        dtype: Any = x.dtype
        itemsize = dtype.itemsize if hasattr(dtype, "itemsize") else np.dtype(dtype).itemsize
        return cls(size, size * itemsize)

    @classmethod
    def from_any(cls, x: Any) -> SizeBytes:
        """The size of all arrays in a tree; other leaves count nothing."""
        total = cls(0, 0)
        for leaf in tree_util.tree_leaves(x):
            if has_shape_dtype(leaf):
                total = total + cls.from_array(leaf)
        return total

    def __add__(self, other: SizeBytes) -> SizeBytes:
        return SizeBytes(self.size + other.size, self.bytes + other.bytes)

    def __bool__(self) -> bool:
        return bool(self.size)

    def __repr__(self) -> str:
        for unit, name in _UNITS:
            if self.bytes > unit:
                return f"{self.size:,} ({self.bytes / unit:,.1f} {name})"
        return f"{self.size:,} ({self.bytes:,} B)"

