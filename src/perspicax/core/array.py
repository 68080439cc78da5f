"""`Array`: what every array is, whether it has a value or is traced.

The class carries the interface; the numpy room fills in the operators and methods once, at import (`install_methods`),
so that `isinstance(x, Array)` holds for concrete arrays and tracers alike, and both answer to the same names.
"""
from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, NoReturn

from perspicax.core.attribute_errors import ArrayAttributeError


class Array:
    """An array: concrete, or a tracer that stands for one.

    Attributes (all concrete arrays and tracers have them): `aval`, `shape`, `dtype`, `ndim`, `size`, `weak_type`.
    """

    __slots__ = ("__weakref__",)
    __hash__: Any = None
    __array_priority__ = 100

    aval: Any

    if TYPE_CHECKING:  # what `install_methods` brings

        def __getattr__(self, name: str) -> Any: ...
        def __getitem__(self, index: Any) -> Any: ...
        def __len__(self) -> int: ...
        def __iter__(self) -> Any: ...
        def __add__(self, other: Any) -> Any: ...
        def __radd__(self, other: Any) -> Any: ...
        def __sub__(self, other: Any) -> Any: ...
        def __rsub__(self, other: Any) -> Any: ...
        def __mul__(self, other: Any) -> Any: ...
        def __rmul__(self, other: Any) -> Any: ...
        def __truediv__(self, other: Any) -> Any: ...
        def __rtruediv__(self, other: Any) -> Any: ...
        def __floordiv__(self, other: Any) -> Any: ...
        def __mod__(self, other: Any) -> Any: ...
        def __pow__(self, other: Any) -> Any: ...
        def __matmul__(self, other: Any) -> Any: ...
        def __and__(self, other: Any) -> Any: ...
        def __or__(self, other: Any) -> Any: ...
        def __lt__(self, other: Any) -> Any: ...
        def __le__(self, other: Any) -> Any: ...
        def __gt__(self, other: Any) -> Any: ...
        def __ge__(self, other: Any) -> Any: ...
        def __neg__(self) -> Any: ...
        def __invert__(self) -> Any: ...
        def __bool__(self) -> bool: ...
        def __int__(self) -> int: ...
        def __float__(self) -> float: ...
        def __index__(self) -> int: ...

    @property
    def shape(self) -> tuple[int, ...]:
        return self.aval.shape

    @property
    def dtype(self) -> Any:
        return self.aval.dtype

    @property
    def ndim(self) -> int:
        return len(self.aval.shape)

    @property
    def size(self) -> int:
        return self.aval.size

    @property
    def weak_type(self) -> bool:
        return self.aval.weak_type

    @property
    def itemsize(self) -> int:
        return self.aval.dtype.itemsize

    @property
    def nbytes(self) -> int:
        return self.size * self.itemsize

    # -- what only an array with a value has: `ArrayImpl` defines it. Here is what stands for it while a function is traced.

    def _without_value(self, question: str) -> NoReturn:
        """Raise what is said of an array that has no value: tracers know how."""
        raise ArrayAttributeError(attribute=question)

    @property
    def sharding(self) -> Any:
        """Where the array is; tracers do not have it."""
        raise AttributeError("sharding")  # `Tracer.__getattr__`, which Python asks then, has the report

    @property
    def device(self) -> Any:
        """Its device, or its sharding when it lives on several; tracers do not have it."""
        raise AttributeError("device")

    @property
    def copy_to_host_async(self) -> Any:
        """Start copying to the host; tracers do not have it."""
        raise AttributeError("copy_to_host_async")

    @property
    def committed(self) -> bool:
        """Whether the user placed it: then operations follow it, and never move it."""
        self._without_value("place")

    @property
    def is_fully_addressable(self) -> bool:
        """Whether all of it is on devices of this process."""
        self._without_value("place")

    @property
    def is_fully_replicated(self) -> bool:
        """Whether each of its devices holds all of it."""
        self._without_value("place")

    @property
    def addressable_shards(self) -> Any:
        """The pieces on this process's devices."""
        self._without_value("place")

    @property
    def global_shards(self) -> Any:
        """The pieces on all devices."""
        self._without_value("place")

    def addressable_data(self, index: int) -> Any:
        """The piece on the device number `index` of this process."""
        self._without_value("place")

    def item(self, *args: Any) -> Any:
        """One element as a Python scalar."""
        self._without_value("item")

    def __copy__(self) -> Any:
        return self  # nobody can tell two equal placeholders apart

    def __deepcopy__(self, memo: dict) -> Any:
        return self


def install_methods(methods: Mapping[str, Callable[..., Any] | property]) -> None:
    """Give `Array` the operators and methods that the numpy room defines; called once, at import."""
    for name, method in methods.items():
        setattr(Array, name, method)
