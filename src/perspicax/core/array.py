"""`Array`: what every array is, whether it has a value or is traced.

The class carries the interface; the numpy room fills in the operators and methods once, at import (`install_methods`),
so that `isinstance(x, Array)` holds for concrete arrays and tracers alike, and both answer to the same names.
"""
from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any


class Array:
    """An array: concrete, or a tracer that stands for one.

    Attributes (all concrete arrays and tracers have them): `aval`, `shape`, `dtype`, `ndim`, `size`, `weak_type`.
    """

    __slots__ = ("__weakref__",)
    __hash__: Any = None
    __array_priority__ = 100

    aval: Any

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


def install_methods(methods: Mapping[str, Callable[..., Any] | property]) -> None:
    """Give `Array` the operators and methods that the numpy room defines; called once, at import."""
    for name, method in methods.items():
        setattr(Array, name, method)
