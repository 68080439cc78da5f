"""What the Python array API standard asks of a namespace beside its functions: version, devices, dtypes."""
from __future__ import annotations

from typing import Any

import numpy as np

from perspicax.core import dtypes
from perspicax.core.config import enable_x64
from perspicax.diagnose.boundary import public
from perspicax.numpy.errors import ArgumentValueError
from perspicax.xla import client
from perspicax.xla.array import NUMPY_AXES

VERSION = "2024.12"
_KINDS = {
    "bool": ("bool",), "signed integer": ("int8", "int16", "int32", "int64"),
    "unsigned integer": ("uint8", "uint16", "uint32", "uint64"), "real floating": ("float32", "float64"),
    "complex floating": ("complex64", "complex128"),
}
_GROUPS = {
    **{kind: (kind,) for kind in _KINDS}, "integral": ("signed integer", "unsigned integer"),
    "numeric": ("signed integer", "unsigned integer", "real floating", "complex floating"),
}


class DtypeKindError(ArgumentValueError, KeyError):
    """A kind of dtypes was asked for that the array API standard does not know."""


class ArrayNamespaceInfo:
    """What the namespace can do, as the array API standard wants it told."""

    def capabilities(self) -> dict[str, Any]:
        """What shapes may depend on, and how many axes an array may have.

        Boolean indices and shapes that depend on values work outside of compiled functions only, so that a library must not
        count on them.
        """
        return {"boolean indexing": False, "data-dependent shapes": False, "max dimensions": NUMPY_AXES}

    def default_device(self) -> None:
        """`None`: the device is left to the configuration."""
        return

    def devices(self) -> list[Any]:
        """All devices, and `None` for the default one."""
        return [None, *client.devices()]

    def default_dtypes(self, *, device: Any = None) -> dict[str, np.dtype]:
        """The dtypes that new arrays have, by kind.

        Args:
            device: is ignored: they are the same everywhere.
        """
        integer = np.dtype(dtypes.default_dtype("int"))
        return {"real floating": np.dtype(dtypes.default_dtype("float")),
                "complex floating": np.dtype(dtypes.default_dtype("complex")), "integral": integer, "indexing": integer}

    @public
    def dtypes(self, *, device: Any = None, kind: str | tuple[str, ...] | None = None) -> dict[str, np.dtype]:
        """The dtypes of the standard that arrays can have; those of 64 bits only while they are switched on.

        Args:
            device: is ignored: they are the same everywhere.
            kind: "bool", "signed integer", "unsigned integer", "integral", "real floating", "complex floating", "numeric",
                or a tuple of these; all by default.

        Raises:
            DtypeKindError: there is no such kind.
        """
        asked = tuple(_KINDS) if kind is None else kind if isinstance(kind, tuple) else (kind,)
        for name in asked:
            if name not in _GROUPS:
                raise DtypeKindError(says=f"`dtypes` was asked for the kind {name!r}.",
                                     why=f"it is one of {', '.join(map(repr, _GROUPS))}, or a tuple of these")
        names = [n for group in asked for own in _GROUPS[group] for n in _KINDS[own]]
        found = {name: np.dtype(name) for name in names}
        if enable_x64.value:
            return found
        return {name: dtype for name, dtype in found.items() if name not in ("int64", "uint64", "float64", "complex128")}


_INFO = ArrayNamespaceInfo()


def info() -> ArrayNamespaceInfo:
    """The namespace's description of itself: `jnp.__array_namespace_info__()`."""
    return _INFO


__all__ = ["VERSION", "ArrayNamespaceInfo", "DtypeKindError", "info"]
