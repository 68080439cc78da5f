"""`jax.dlpack`: arrays of other libraries, and of which dtypes they may be."""
from __future__ import annotations

from typing import Any

from perspicax.api.wrapping import public
from perspicax.core import dtypes
from perspicax.core.array import Array
from perspicax.numpy import exchange

__all__ = ["from_dlpack", "is_supported_dtype"]

_SUPPORTED = frozenset(("bool", "int8", "uint8", "int16", "uint16", "int32", "uint32", "int64", "uint64", "float16",
                        "bfloat16", "float32", "float64", "complex64", "complex128"))


@public
def from_dlpack(external_array: Any, device: Any = None, copy: bool | None = None) -> Array:
    """An array of another library's, by the DLPack protocol; see `jax.numpy.from_dlpack`.

    Args:
        external_array: has `__dlpack__` and `__dlpack_device__`.
        device: a device, or the sharding of one, where the result lives.
        copy: `True` for memory of its own, `False` to insist on shared memory, `None` to share where that is possible.
    """
    return exchange.from_dlpack(external_array, device=device, copy=copy)


@public
def is_supported_dtype(dtype: Any) -> bool:
    """Whether arrays of this dtype can be handed over by DLPack.

    Args:
        dtype: anything that names a dtype.

    Raises:
        UnknownDTypeError: it names none.

    >>> is_supported_dtype("bfloat16"), is_supported_dtype("int4")
    (True, False)
    """
    return dtypes.name_of(dtypes.to_dtype(dtype)) in _SUPPORTED
