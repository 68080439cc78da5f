"""Concrete arrays: a device buffer, a NumPy value, or both, each made from the other when first needed."""
from __future__ import annotations

import itertools
import operator
import weakref
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from perspicax.binding import runtime
from perspicax.core import dtypes
from perspicax.core.array import Array
from perspicax.core.avals import ShapedArray, abstract_token, oversized
from perspicax.core.tracer import typers
from perspicax.diagnose.boundary import public_methods
from perspicax.diagnose.errors import PerspicaxError
from perspicax.xla import client, sharding
from perspicax.xla.array_errors import ArrayConversionError, MemoryLayoutError, NonAddressableArrayError, RankLimitError
from perspicax.xla.emit import physical_aval
from perspicax.xla.errors import DeletedArrayError, DLPackError, JaxRuntimeError
from perspicax.xla.explicit import part_of_type
from perspicax.xla.sharding_errors import SpecError

_live: weakref.WeakSet | None = None


@public_methods("__array__", "__bytes__", "__dlpack__", "__reduce__", "__copy__", "__deepcopy__", "__hash__", "__bool__",
                "__int__", "__float__", "__complex__", "__index__", "item", "tolist", "tobytes", "__format__", "__str__",
                "__repr__", "addressable_shards", "global_shards", "addressable_data", "block_until_ready",
                "unsafe_buffer_pointer", "on_device_size_in_bytes")
class ArrayImpl(Array):
    """An array that has a value.

    Exactly one of these holds: it has a buffer, it has a NumPy value, it has both, or it was deleted. `_place` is `None`
    for the common case, uncommitted on the first device; else the pair of sharding and whether the user placed it.
    """

    __slots__ = ("_buf", "_donated_to", "_np", "_place", "aval")  # `_donated_to` is set when it happens, and not before

    def __init__(self, aval: ShapedArray, buf: Any, value: np.ndarray | None = None, placed: Any = None,
                 committed: bool = False) -> None:
        self.aval = aval
        self._buf = buf
        self._np = value
        self._place = None if placed is None and not committed else placement(placed, committed)

    @property
    def _sharding(self) -> Any:
        """Where it was placed; `None` for the first device."""
        place = self._place
        return None if place is None else place[0]

    @property
    def _committed(self) -> bool:
        place = self._place
        return place is not None and place[1]

    # -- the two representations

    def buffer(self) -> Any:
        """The device buffer; made from the NumPy value when there is none yet."""
        buf = self._buf
        if buf is None:
            if self._np is None:
                raise self._deleted_error()
            placed = self.sharding
            if len(placed.devices) > 1:
                buf = spread(self._np, physical_aval(self.aval), placed, self._committed)
            else:
                buf = runtime.put(physical_aval(self.aval), placed, [self._np], placed.devices, self._committed)
            self._buf = buf
        return buf

    def value(self) -> np.ndarray:
        """The NumPy value (words, for an extended dtype); read-only, shared with the buffer where that is possible."""
        found = self._np
        if found is None:
            buf = self._buf
            if buf is None or buf.is_deleted():
                raise self._deleted_error()
            try:
                place = self._place
                if place is None or len(place[0].devices) == 1:
                    found = runtime.host_view(buf)
                elif place[0].is_fully_replicated:
                    found = runtime.host_view(buf._fully_replicated_shard())
                elif not place[0].is_fully_addressable:
                    raise NonAddressableArrayError(type_text=self.aval.str_short(), sharding=str(place[0]))
                else:
                    found = self._assemble()
            except runtime.RuntimeFailure as error:
                if not self.sharding.addressable_devices:
                    raise NonAddressableArrayError(type_text=self.aval.str_short(), sharding=str(self.sharding)) from None
                raise failure(error, "computing an array") from callback_cause(error)
            except ValueError:
                if self.aval.ndim <= NUMPY_AXES:
                    raise
                raise RankLimitError(type_text=self.aval.str_short(), rank=self.aval.ndim) from None
            if self.aval.dtype == dtypes.float0:  # its buffer holds truth values, since XLA has no such type
                found = np.zeros(self.aval.shape, dtypes.float0)
            self._np = found
        found.setflags(write=False)  # arrays never change: others may share this memory
        return found

    def _assemble(self) -> np.ndarray:
        placed = self._sharding
        if placed.splits_types and placed.spec.unreduced:
            raise SpecError(kind="unmade", what=repr(placed.spec), got="")
        aval = physical_aval(self.aval)
        whole = np.empty(aval.shape, aval.dtype)
        for shard in self.addressable_shards:
            whole[shard.index] = shard.data.value()
        return whole

    def _deleted_error(self, what: str = "used") -> DeletedArrayError:
        function, place = getattr(self, "_donated_to", ("", None))
        return DeletedArrayError(type_text=self.aval.str_short(), what=what, donated_to=function, donated_at=place)

    def donate(self, function: str, place: Any = None) -> None:
        """The memory has been given to a program: forget it, and remember to which, and where."""
        self._donated_to = function, place
        self._buf = self._np = None

    # -- placement

    @property
    def sharding(self) -> Any:
        """Where the array is."""
        place = self._place
        return sharding.first_sharding() if place is None else place[0]

    @property
    def format(self) -> Any:
        """How the array lies in memory, and where."""
        from perspicax.xla.layouts import format_of  # few programs ask

        return format_of(self.aval.ndim, self.sharding)

    @property
    def committed(self) -> bool:
        """Whether the user placed it: then operations follow it, and never move it."""
        return self._committed

    def devices(self) -> set:
        """The devices that hold it."""
        return set(self.sharding.devices)

    @property
    def device(self) -> Any:
        """Its device, or its sharding when it lives on several."""
        placed = self.sharding
        return placed.device if isinstance(placed, sharding.SingleDeviceSharding) else placed

    @property
    def is_fully_addressable(self) -> bool:
        return self.sharding.is_fully_addressable

    @property
    def is_fully_replicated(self) -> bool:
        return self.sharding.is_fully_replicated

    @property
    def addressable_shards(self) -> list[Shard]:
        """The pieces on this process's devices."""
        placed = self.sharding
        mine = placed.addressable_devices
        where = dict(zip([d for d in placed.devices if d in mine], self.buffer()._arrays))
        pieces = placed.devices_indices_map(self.shape)
        return [Shard(device, pieces[device], replica, _wrap_piece(self, where[device], pieces[device], device))
                for replica, device in _with_replicas(pieces) if device in where]

    @property
    def global_shards(self) -> list[Shard]:
        """The pieces on all devices; those of other processes have no data here."""
        here = {shard.device: shard for shard in self.addressable_shards}
        pieces = self.sharding.devices_indices_map(self.shape)
        return [here.get(device) or Shard(device, pieces[device], replica, None)
                for replica, device in _with_replicas(pieces)]

    def addressable_data(self, index: int) -> ArrayImpl:
        """The piece on the device number `index` of this process."""
        shards = self.addressable_shards
        if self.is_fully_replicated:  # as JAX, which does not look at the number then
            return shards[0].data
        return shards[index].data

    # -- life and death

    def is_deleted(self) -> bool:
        """Whether the memory was given away or freed."""
        if self._buf is not None:
            return self._buf.is_deleted()
        return self._np is None

    def delete(self) -> None:
        """Free the memory now; later uses raise.

        What else refers to the memory (a NumPy view, a DLPack tensor, a program that closed over the array) keeps it:
        jaxlib's own `delete` would end the process there.
        """
        self._buf = self._np = None

    def block_until_ready(self) -> ArrayImpl:
        """Wait until the value is computed; returns the array itself.

        Raises:
            JaxRuntimeError: computing it failed.
        """
        buf = self._buf
        if buf is not None:
            try:
                buf.block_until_ready()
            except runtime.RuntimeFailure as error:
                if buf.is_deleted():
                    raise self._deleted_error("waited for") from None
                raise failure(error, "computing an array") from callback_cause(error)
        elif self._np is None:
            raise self._deleted_error("waited for")
        return self

    def is_ready(self) -> bool:
        """Whether the value is computed already."""
        return self._buf is None or self._buf.is_ready()

    def copy_to_host_async(self) -> None:
        """Start copying to the host; a later conversion to NumPy finds the copy."""
        if self._np is None and self._buf is not None and len(self.sharding.devices) == 1:
            self._buf._copy_single_device_array_to_host_async()

    def unsafe_buffer_pointer(self) -> int:
        """Address of the device memory."""
        return self.buffer().unsafe_buffer_pointer()

    def on_device_size_in_bytes(self) -> int:
        """Bytes of device memory, over all devices."""
        return self.buffer().on_device_size_in_bytes()

    # -- protocols

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        self._refuse_extended("array")
        value = self.value()
        if dtype is not None and np.dtype(dtype) != value.dtype:
            if copy is False:
                raise MemoryLayoutError(found=str(value.dtype), wanted=str(np.dtype(dtype)))
            return value.astype(dtype)
        return value.copy() if copy else value

    def __bytes__(self) -> bytes:
        return self.value().tobytes()

    def __buffer__(self, flags: int) -> memoryview:  # Python asks for it from 3.12 on
        return self.__array__().data

    def __dlpack__(self, *, stream: int | None = None, max_version: Any = None, dl_device: Any = None,
                   copy: bool | None = None) -> Any:
        self._refuse_extended("dlpack")
        self._refuse_pieces()
        own = self.__dlpack_device__()
        if (dl_device is not None and tuple(dl_device) != own) or (stream is not None and own[0] == 1):
            raise DLPackError(kind="elsewhere", got=self.aval.str_short())
        if max_version is not None and tuple(max_version) < _DLPACK:
            raise DLPackError(kind="version", got=f"{max_version[0]}.{max_version[1]}")
        several = len(self.sharding.devices) > 1
        if copy:
            buf = ArrayImpl(self.aval, None, self.value().copy(), None if several else self._sharding, self._committed).buffer()
        else:
            buf = self.buffer()._fully_replicated_shard() if several else self.buffer()
        return runtime.to_dlpack(buf, stream)

    def _refuse_pieces(self) -> None:
        if not self.sharding.is_fully_replicated:
            raise DLPackError(kind="spread", got=self.aval.str_short())

    def __dlpack_device__(self) -> tuple[int, int]:
        self._refuse_pieces()
        device = self.sharding.devices[0]
        kinds = {"cpu": 1, "cuda": 2, "gpu": 2, "rocm": 10}
        return kinds[device.platform], 0 if device.platform == "cpu" else device.local_hardware_id

    def __reduce__(self) -> tuple:
        return _unpickle, (np.asarray(self.value()), self.aval.dtype if self.aval.extended else None,
                           self.aval.weak_type)

    def __copy__(self) -> ArrayImpl:
        return self._copy()

    def __deepcopy__(self, memo: dict) -> ArrayImpl:
        return self._copy()

    def _copy(self) -> ArrayImpl:
        if len(self.sharding.devices) == 1:
            made = ArrayImpl(self.aval, None, self.value().copy(), self._sharding, self._committed)
        else:
            made = copy_of(self)
        for note in copies_noted:
            note(self, made)
        return made

    def __hash__(self) -> int:
        raise ArrayConversionError(wanted="hash", type_text=self.aval.str_short(), key=self.aval.extended)

    def _refuse_extended(self, what: str) -> None:
        """Elements of an extended dtype (keys) are no numbers."""
        if self.aval.extended:
            raise ArrayConversionError(wanted=what, type_text=self.aval.str_short(), key=True)

    def __bool__(self) -> bool:
        self._refuse_extended("bool")
        if self.aval.size != 1:
            from perspicax.core.errors import TruthValueError

            raise TruthValueError(type_text=self.aval.str_short(), size=self.aval.size)
        return bool(self.value().reshape(())[()])

    def __int__(self) -> int:
        return int(self._scalar("int"))

    def __float__(self) -> float:
        return float(self._scalar("float"))

    def __complex__(self) -> complex:
        return complex(self._scalar("complex"))

    def __index__(self) -> int:
        if self.aval.shape != () or not (dtypes.issubdtype(self.aval.dtype, np.integer)):
            raise ArrayConversionError(wanted="index", type_text=self.aval.str_short(), key=self.aval.extended)
        return operator.index(self.value()[()])

    def _scalar(self, kind: str) -> Any:
        self._refuse_extended(kind)
        if self.aval.shape != ():
            raise ArrayConversionError(wanted=kind, type_text=self.aval.str_short())
        return self.value().item()

    def item(self, *args: Any) -> Any:
        """One element as a Python scalar."""
        self._refuse_extended("item")
        return self.value().item(*args)

    def tolist(self) -> Any:
        """The elements as nested lists of Python scalars."""
        self._refuse_extended("list")
        return self.value().tolist()

    def tobytes(self, order: Any = "C") -> bytes:
        """The elements as bytes."""
        return self.value().tobytes(order)

    def __format__(self, spec: str) -> str:
        if self.aval.extended or self.is_deleted():
            return format(str(self), spec)
        return format(self.value() if self.aval.shape else self.value()[()], spec)

    def __str__(self) -> str:
        return array_text(self, representation=False)

    def __repr__(self) -> str:
        return array_text(self, representation=True)


def placement(placed: Any, committed: bool) -> tuple[Any, bool] | None:
    """The place of an array: `None` for uncommitted on the first device. What is committed alike has one object for it, so
    that places are compared by identity first."""
    if placed is None:
        placed = sharding.first_sharding()
    if committed:
        return placed.committed_place
    return None if placed is sharding.first_sharding() else (placed, False)


def made(aval: Any, buf: Any, place: tuple[Any, bool] | None) -> ArrayImpl:
    """An array of a program's result."""
    x = object.__new__(ArrayImpl)
    x.aval, x._buf, x._np, x._place = aval, buf, None, place
    return x


class Shard:
    """One device's piece of an array.

    Attributes:
        device: where it lives.
        index: which part of the whole it is, one slice for each axis.
        replica_id: 0 for the first device that holds this part, 1 for the next, …
        data: the piece, an array on that device; `None` if the device is another process's.
    """

    __slots__ = ("data", "device", "index", "replica_id")

    def __init__(self, device: Any, index: tuple[slice, ...], replica_id: int, data: Any) -> None:
        self.device, self.index, self.replica_id, self.data = device, index, replica_id, data

    def __repr__(self) -> str:
        return (f"Shard(device={self.device!r}, index={self.index}, replica_id={self.replica_id}, "
                f"data={self.data})")


def _with_replicas(pieces: Any) -> list[tuple[int, Any]]:
    seen: dict[Any, int] = {}
    found = []
    for device, index in pieces.items():
        key = tuple((s.start, s.stop) for s in index)
        found.append((seen.get(key, 0), device))
        seen[key] = seen.get(key, 0) + 1
    return found


def _wrap_piece(whole: ArrayImpl, buffer: Any, index: tuple[slice, ...], device: Any) -> ArrayImpl:
    shape = tuple([len(range(n)[s]) for n, s in zip(whole.shape, index)])
    placed = sharding.on_device(device)
    if whole.sharding.chosen_kind is not None:
        placed = placed.with_memory_kind(whole.sharding.chosen_kind)
    aval = ShapedArray(shape, whole.dtype, whole.weak_type, memory_space=whole.aval.memory)
    return ArrayImpl(aval, buffer, None, placed, True)


def array_text(x: ArrayImpl, representation: bool) -> str:
    """How an array prints; no compilation, no copy of more than what is shown."""
    aval: Any = x.aval
    if aval is abstract_token:
        return "Token()"
    if x.is_deleted():
        return f"Array(deleted, {aval.str_short()})" if representation else f"<deleted array {aval.str_short()}>"
    if aval.extended:
        return f"Array({aval.shape}, dtype={dtypes.name_of(aval.dtype)}) overlaying:\n{np.asarray(x.value())}"
    if not (x.is_fully_addressable or (x.is_fully_replicated and x.sharding.addressable_devices)):  # as JAX shows it
        return f"Array(shape={aval.shape}, dtype={dtypes.name_of(aval.dtype)})"
    value = x.value()
    if not representation:
        return str(value)
    end = f"dtype={dtypes.name_of(aval.dtype)}{', weak_type=True' if aval.weak_type else ''})"
    if aval.size == 0:
        return f"Array([], shape={aval.shape}, {end}"
    body = np.array2string(value, separator=", ", prefix="Array(", suffix=",")
    last_line = len(body) - body.rfind("\n") - 1
    gap = " " if last_line + len(end) + 3 <= np.get_printoptions()["linewidth"] else "      "  # as JAX spaces it
    return f"Array({body},{gap}{end}"


_DLPACK = (0, 5)  # the oldest version of DLPack whose capsules have the fields of today's

NUMPY_AXES = 64  # the most that a NumPy array has


def beyond_numpy(aval: Any) -> bool:
    """Whether NumPy has no arrays of this type's shape; XLA has them, or tells why not."""
    size = aval.size
    return len(aval.shape) > NUMPY_AXES or ((size == 0 or size >> 59 != 0) and aval in oversized)


def on_host(aval: ShapedArray, make: Callable[[], np.ndarray]) -> np.ndarray:
    """A NumPy array of the type `aval`, made by `make`.

    Raises:
        JaxRuntimeError: there is not enough memory, as XLA would say.
    """
    try:
        return make()
    except (MemoryError, ValueError) as error:
        if isinstance(error, ValueError) and aval not in oversized:
            raise
        raise JaxRuntimeError(status="RESOURCE_EXHAUSTED", doing=f"making an array of type {aval.str_short()}",
                              detail=f"Out of memory allocating {aval.size * aval.dtype.itemsize} bytes") from None


def _unpickle(value: np.ndarray, extended: Any, weak_type: bool) -> ArrayImpl:
    if extended is not None:
        words = len(extended.physical_shape)
        return ArrayImpl(ShapedArray(value.shape[:value.ndim - words], extended), None, value, None, False)
    return from_numpy(value, weak_type)


def from_numpy(value: np.ndarray, weak_type: bool = False, placed: Any = None, committed: bool = False) -> ArrayImpl:
    """An array of a NumPy value that nobody else will write to; its dtype must be canonical already."""
    return ArrayImpl(ShapedArray(value.shape, value.dtype, weak_type), None, value, placed, committed)


def from_buffers(aval: ShapedArray, placed: Any, pieces: Sequence[ArrayImpl], committed: bool = True) -> ArrayImpl:
    """One array of the pieces on those devices of `placed` that this process has, in the order of its devices."""
    devices, aval = tuple(placed.devices), type_there(aval, placed)
    if len(devices) != len(pieces):
        devices = tuple([d for d in devices if d in placed.addressable_devices])
    buf = runtime.put(physical_aval(aval), placed, [p.buffer() for p in pieces], devices, committed)
    return ArrayImpl(aval, buf, None, placed, committed)


copies_noted: list[Callable[[ArrayImpl, ArrayImpl], None]] = []
"""What is told of an array and its copy: the ledger of keys, while it is on."""


def copy_of(x: ArrayImpl) -> ArrayImpl:
    """A copy in memory of its own, placed alike."""
    own = x.sharding
    if len(own.devices) > 1 and x._np is None and not x.is_deleted() and not (own.splits_types and own.spec.unreduced):
        mine = own.addressable_devices
        pieces = [runtime.host_view(piece).copy() for piece in x.buffer()._arrays]
        buf = runtime.put(physical_aval(x.aval), own, pieces, [d for d in own.devices if d in mine], x._committed)
        return ArrayImpl(x.aval, buf, None, own, x._committed)
    return place(x.value().copy(), x.aval, x.sharding, x._committed)


def type_there(aval: ShapedArray, placed: Any) -> ShapedArray:
    """The type of an array that lies so."""
    if placed.splits_types or aval.explicit is not None:
        aval = aval.laid(part_of_type(placed, aval.ndim))
    return aval if placed.chosen_kind is None and aval.memory is None else aval.in_memory(placed.memory)


def place(value: np.ndarray, aval: ShapedArray, placed: Any, committed: bool) -> ArrayImpl:
    """Put a NumPy value onto the devices of `placed`."""
    aval = type_there(aval, placed)
    if placed.splits_types and placed.spec.unreduced and len(placed.devices) > 1:
        raise SpecError(kind="placed sum", what=repr(placed.spec), got="")
    physical = physical_aval(aval)
    if len(placed.devices) == 1:
        buf = runtime.put(physical, placed, [value], placed.devices, committed)
    else:
        buf = spread(value, physical, placed, committed)
    return made(aval, buf, placement(placed, committed))


def spread(value: np.ndarray, aval: ShapedArray, placed: Any, committed: bool) -> Any:
    """The buffer of a NumPy value on the devices of `placed` that this process has."""
    devices, indices = placed.pieces(aval.shape)
    if 0 in value.strides:  # entries that were repeated without a copy: one piece of memory
        value = np.ascontiguousarray(value)
    view = value.flags.c_contiguous and value.dtype.kind in "biufc"  # jaxlib reads pieces of such a one where they are
    shards = [np.array(value[index], order="C") if shared else value[index] if view else np.asarray(value[index], order="C")
              for index, shared in indices]  # jaxlib fails where two shards share their memory
    return runtime.put(aval, placed, shards, devices, committed)


def from_dlpack(external: Any, device: Any = None, copy: bool | None = None) -> ArrayImpl:
    """An array from another library's, by the DLPack protocol.

    Args:
        external: an array of the host's memory that has `__dlpack__` and `__dlpack_device__`. Where its memory is
            shared, it must not be written to any more.
        device: where the result lives; its memory is shared only on the first device.
        copy: `True` for memory of its own, `False` to insist on shared memory, `None` to share where that is possible.

    Raises:
        DLPackError: `external` does not speak the protocol, or its memory cannot be shared although `copy=False`.
    """
    if not hasattr(external, "__dlpack__") or not hasattr(external, "__dlpack_device__"):
        raise DLPackError(kind="protocol", got=type(external).__name__)
    placed = sharding.default_sharding() if device is None else sharding.on_device(device)
    try:
        view = np.from_dlpack(external)
    except (BufferError, RuntimeError):  # a dtype that NumPy's importer does not know: jaxlib's does
        view = np.array(runtime.host_view(runtime.from_dlpack(external.__dlpack__(), client.local_devices()[0])))
    dtype: Any = dtypes.canonicalize_dtype(view.dtype)
    aval = ShapedArray(view.shape, dtype)
    shared = (view.dtype == dtype and view.flags.c_contiguous and view.ctypes.data % _ALIGNMENT == 0
              and placed is sharding.first_sharding())
    if copy is False and not shared:
        raise DLPackError(kind="share", got=f"{view.dtype}{list(view.shape)}")
    if copy or not shared:
        return ArrayImpl(aval, None, np.array(view, dtype, order="C"), placed, True)
    return ArrayImpl(aval, runtime.from_dlpack(external.__dlpack__(), placed.device), None, placed, True)


_ALIGNMENT = 64  # bytes; XLA's programs rely on it


_raised: deque[tuple[str, BaseException, Any]] = deque(maxlen=8)  # what callbacks raised: its mark, itself, the function
_count = itertools.count(1)


class CallbackStopped(RuntimeError):
    """Told to jaxlib in the place of what a host function raised: its text is all that comes back."""


def noting(callback: Callable[..., Any]) -> Callable[..., Any]:
    """`callback`, but what it raises is noted: jaxlib's error has only the text, and comes when the result is used."""
    def call(*arrays: Any) -> Any:
        try:
            return callback(*arrays)
        except BaseException as error:
            mark = f"[callback failure {next(_count)}]"
            _raised.append((mark, error, callback))
            raise CallbackStopped(mark) from None

    return call


def _raised_in(error: BaseException) -> tuple[BaseException, Any] | None:
    text = str(error)
    return next(((entry[1], entry[2]) for entry in reversed(_raised) if entry[0] in text), None)


def callback_cause(error: BaseException) -> BaseException:
    """What a host callback raised, where jaxlib's `error` tells of it; else `error` itself."""
    found = _raised_in(error)
    return error if found is None else found[0]


def failure(error: BaseException, doing: str, program: str = "", where: Any = None) -> JaxRuntimeError:
    """jaxlib's error as ours: same meaning, at the user's line."""
    status, _, detail = str(error).partition(":")
    found = _raised_in(error)
    if found is not None:
        return callback_failure(found[0], found[1], program)
    lost = client.loss_behind(str(error))
    if isinstance(lost, JaxRuntimeError):
        return lost
    return JaxRuntimeError(status=status.strip(), detail=detail.strip(), doing=doing, program=program, where=where)


def callback_failure(cause: BaseException, host: Any, program: str = "") -> JaxRuntimeError:
    """The error for what a host function raised, to be raised from it, at the line where the user asks for the call."""
    try:
        text = cause.report.says if isinstance(cause, PerspicaxError) else str(cause)
    except Exception as error:  # the text of a class of the user's
        text = f"its text cannot be made: {type(error).__name__}"
    first = (text.strip().splitlines() or [""])[0].rstrip(".")
    return JaxRuntimeError(status="INTERNAL", detail=f"{type(cause).__name__}: {first}".rstrip(": "),
                           doing="calling back to Python", program=program.removeprefix("jit_"),
                           callback=getattr(host, "name", ""), where=getattr(host, "place", None))


def live_arrays(platform: str | None = None) -> list[ArrayImpl]:
    """The arrays of this process whose memory has not been freed."""
    import gc

    wanted = platform or client.default_backend()
    return [x for x in gc.get_objects() if type(x) is ArrayImpl and not x.is_deleted()
            and x.sharding.devices[0].platform == wanted]


typers[ArrayImpl] = operator.attrgetter("aval")
