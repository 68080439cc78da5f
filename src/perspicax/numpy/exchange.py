"""Arrays of other libraries, taken over by the DLPack protocol."""
from __future__ import annotations

from typing import Any

from perspicax.core.array import Array
from perspicax.diagnose.boundary import public
from perspicax.xla import array
from perspicax.xla import sharding as shardings

__all__ = ["from_dlpack"]


@public
def from_dlpack(x: Any, /, *, device: Any = None, copy: bool | None = None) -> Array:
    """An array of another library's, by the DLPack protocol.

    Args:
        x: has `__dlpack__` and `__dlpack_device__`. Where its memory is shared, it must not be written to any more.
        device: a device, or the sharding of one, where the result lives; memory is shared only on the first device.
        copy: `True` for memory of its own, `False` to insist on shared memory, `None` to share where that is possible.

    Raises:
        DLPackError: `x` does not speak the protocol, or its memory cannot be shared although `copy=False`.
        NotADeviceError: `device` is no device, and no sharding of one.

    >>> from_dlpack(np.arange(3, dtype=np.float32))
    Array([0., 1., 2.], dtype=float32)
    """
    return array.from_dlpack(x, device.device if isinstance(device, shardings.SingleDeviceSharding) else device, copy)
