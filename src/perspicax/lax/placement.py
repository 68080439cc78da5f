"""Moving arrays between devices: `device_put` as a primitive, so that it can be traced, differentiated and vectorised."""
from __future__ import annotations

import enum
import functools
from collections.abc import Sequence
from typing import Any

import numpy as np

from perspicax.core.avals import MemorySpace
from perspicax.core.jaxpr import ClosedJaxpr, DebugInfo, Jaxpr, Var
from perspicax.core.primitive import Primitive
from perspicax.core.trace import Linear, Zero
from perspicax.core.tracer import get_aval
from perspicax.transform.jit_primitive import run_jaxpr
from perspicax.xla import array as arrays
from perspicax.xla import sharding as shardings
from perspicax.xla.array import ArrayImpl
from perspicax.xla.dispatch import as_array
from perspicax.xla.emit import Value
from perspicax.xla.explicit import part_of_type
from perspicax.xla.sharding import NamedSharding
from perspicax.xla.sharding_errors import ShardingFitError

__all__ = ["ArrayCopySemantics", "MemorySpace", "device_put_p", "in_memory", "put"]


class ArrayCopySemantics(enum.Enum):
    """What the result of a transfer may share with its operand."""

    REUSE_INPUT = 0  # the same memory, where it is there already
    ALWAYS_COPY = 1
    DONATE_INPUT = 2  # the operand is not used any more

    __repr__ = enum.Enum.__str__


def in_memory(x: Any, memory: MemorySpace | None) -> Any:
    """`x`, in the memory that a type tells."""
    return device_put_p(x, devices=(memory or MemorySpace.Device,), srcs=(None,),
                        copy_semantics=(ArrayCopySemantics.REUSE_INPUT,))[0]


def put(x: Any, placed: Any, semantics: ArrayCopySemantics, exchanging: bool = False) -> ArrayImpl:
    """A concrete array on the devices of `placed`; `None` leaves it where it is, or on the default device.

    A space of memory is that of the devices on which the array is: the one in which they compute, or that of the host.

    Args:
        exchanging: whether devices rather exchange pieces among themselves than give them to the host.
    """
    always = semantics is ArrayCopySemantics.ALWAYS_COPY
    if type(x) is np.ndarray and placed is not None and not isinstance(placed, MemorySpace) and not splits_sums(placed):
        aval: Any = get_aval(x)
        if x.dtype == aval.dtype:  # the memory is copied on its way to the devices, and need not be before
            return _placed(x, aval, placed)
    x = as_array(x)
    free = isinstance(placed, MemorySpace) and not x._committed  # a space names no device
    if placed is None:
        return arrays.copy_of(x) if always else x
    if isinstance(placed, MemorySpace):
        placed = _in_memory(x.sharding, placed)
    if x.is_deleted():
        raise x._deleted_error("placed")
    if not always and (x.sharding is placed or x.sharding == placed):
        return ArrayImpl(x.aval, x._buf, x._np, x.sharding, not free)
    if splits_sums(placed) and x.sharding.devices != placed.devices:
        x = _placed(x.value(), x.aval, placed.update(spec=placed.spec.update(unreduced=())))
    if _by_program(x, placed, exchanging):
        return moved_between(x, placed)
    if not x.is_fully_addressable and not x.is_fully_replicated and x.sharding.has_addressable_devices:
        x = _collected(x)  # by all processes that have a part; none of them could read it
    return _placed(x.value().copy() if always else x.value(), x.aval, placed, not free)


def _collected(x: ArrayImpl) -> ArrayImpl:
    """What an array over several processes holds, in each of them."""
    own = x.sharding
    mesh = own.mesh if isinstance(own, NamedSharding) else shardings.Mesh(np.array(own.devices, object), ("devices",))
    return moved_between(x, NamedSharding(mesh, shardings.PartitionSpec())).addressable_data(0)


SMALL = 1 << 16  # bytes: for less, making a program costs more than it saves


def _by_program(x: ArrayImpl, placed: Any, exchanging: bool) -> bool:
    """Whether the devices of an array shall move its pieces among themselves, by a program made for it.

    They can between two layouts over the same devices, and must where no process has all pieces. Where the devices are
    processors, with the memory of the host, XLA's exchange of pieces takes longer than a copy, but for pieces of what each
    device has whole.

    Args:
        exchanging: whether the user asked for an exchange: then nothing waits for the array to be computed.
    """
    own = x.sharding
    if not isinstance(placed, NamedSharding) or placed.open or len(own.devices) == 1 or placed.devices != own.devices or (
            own.memory_kind != placed.memory_kind):
        return False
    if splits_sums(own) or splits_sums(placed) or not own.is_fully_addressable:
        return True
    if x._buf is None or x._np is not None or x.size * x.dtype.itemsize <= SMALL:
        return False
    return exchanging or own.is_fully_replicated or own.devices[0].platform != "cpu"


def splits_sums(sharding: Any) -> bool:
    """Whether arrays that lie so are sums over devices that have not been made yet."""
    return isinstance(sharding, NamedSharding) and bool(sharding.spec.unreduced)


def moved_between(x: ArrayImpl, placed: NamedSharding) -> ArrayImpl:
    """An array over several devices, laid otherwise over the same devices by a program of theirs.

    Raises:
        ShardingFitError: it cannot be split so.
    """
    try:
        placed.check_compatible_aval(x.shape)
        placed.shard_shape(x.shape)
    except ShardingFitError as error:
        error.type_text, error.function = x.aval.str_short(), "device_put"
        raise
    return run_jaxpr(_identity(x.aval), [x], name="device_put", out_shardings=(placed,))[0]


@functools.lru_cache(maxsize=4096)
def _identity(aval: Any) -> ClosedJaxpr:
    """The jaxpr of one value, handed on."""
    value = Var(aval)
    return ClosedJaxpr(Jaxpr([], [value], [value], [], debug_info=DebugInfo("device_put", "device_put")))


def _in_memory(sharding: Any, space: MemorySpace) -> Any:
    """The same pieces on the same devices, in the memory of a space."""
    kind = shardings.HOST_KIND if space is MemorySpace.Host else shardings.default_memory_kind(sharding.devices[0])
    if sharding.memory_kind == kind or not hasattr(sharding, "with_memory_kind"):  # what the compiler chose has one memory
        return sharding
    return sharding.with_memory_kind(kind)


def _placed(value: np.ndarray, aval: Any, placed: Any, committed: bool = True) -> ArrayImpl:
    try:
        placed.check_compatible_aval(aval.shape)  # keys have more axes in memory
        return arrays.place(value, aval, placed, committed)
    except ShardingFitError as error:
        error.type_text, error.function = aval.str_short(), "device_put"
        raise


def _type(aval: Any, placed: Any) -> Any:
    """The type of a value that was put: split, and in the memory, as its place says; what stays where it is stays as it is."""
    if placed is None:
        return aval
    if isinstance(placed, MemorySpace):
        return aval.in_memory(placed if placed is MemorySpace.Host else None)
    if placed.splits_types or aval.explicit is not None:
        aval = aval.laid(part_of_type(placed, aval.ndim))
    return aval.in_memory(placed.memory)


def _types(*avals: Any, devices: tuple, **_: Any) -> list[Any]:
    """The types of values that were put.

    Raises:
        ShardingFitError: a place cannot split one so.
    """
    for i, (aval, placed) in enumerate(zip(avals, devices)):
        if isinstance(placed, NamedSharding) and not placed.open and not aval.symbolic:
            try:
                placed.shard_shape(aval.shape)
            except ShardingFitError as error:
                error.operand, error.type_text, error.function = i, aval.str_short(), "device_put"
                raise
    return [_type(a, s) for a, s in zip(avals, devices)]


def _evaluate(*args: Any, devices: tuple, srcs: tuple, copy_semantics: tuple) -> list[ArrayImpl]:
    outs: list[ArrayImpl] = []
    try:
        for x, to, how in zip(args, devices, copy_semantics):
            outs.append(put(x, to, how))
    except ShardingFitError as error:
        error.operand = len(outs)
        raise
    return outs


def _jvp(primals: tuple, tangents: tuple, *, devices: tuple, srcs: tuple, copy_semantics: tuple) -> tuple[list, list]:
    outs = device_put_p(*primals, devices=devices, srcs=srcs, copy_semantics=copy_semantics)
    moving = [i for i, t in enumerate(tangents) if type(t) is not Zero]
    moved = iter(_put_some(tangents, moving, devices, srcs, copy_semantics))
    return outs, [Zero.like(x) if type(t) is Zero else next(moved) for x, t in zip(outs, tangents)]


def _put_some(values: Sequence[Any], which: Sequence[int], devices: tuple, srcs: tuple, copy_semantics: tuple) -> list:
    if not which:
        return []
    return device_put_p(*[values[i] for i in which], devices=tuple([devices[i] for i in which]),
                        srcs=tuple([srcs[i] for i in which]),
                        copy_semantics=tuple([copy_semantics[i] for i in which]))


def _transpose(cts: list, *operands: Any, devices: tuple, srcs: tuple, copy_semantics: tuple) -> list:
    """Cotangents go back to where their operands came from, where that was told."""
    back = [i for i, (ct, x) in enumerate(zip(cts, operands)) if type(x) is Linear and type(ct) is not Zero]
    returned = dict(zip(back, _put_some(cts, back, srcs, devices, (ArrayCopySemantics.REUSE_INPUT,) * len(cts))))
    return [returned.get(i, Zero(x.aval) if type(x) is Linear else None) for i, x in enumerate(operands)]


def _batch(axis: Any, args: tuple, axes: tuple, *, devices: tuple, srcs: tuple, copy_semantics: tuple) -> tuple[list, list]:
    placed = tuple([_with_axis(p, a) for p, a in zip(devices, axes)])
    sources = tuple([_with_axis(p, a) for p, a in zip(srcs, axes)])
    return device_put_p(*args, devices=placed, srcs=sources, copy_semantics=copy_semantics), list(axes)


def _with_axis(placed: Any, axis: int | None) -> Any:
    """A sharding for arrays that have one more axis, which is whole on every device."""
    if axis is None or not isinstance(placed, shardings.NamedSharding):
        return placed
    spec = list(placed.spec) + [None] * (axis - len(placed.spec))
    spec.insert(axis, None)
    return shardings.NamedSharding(placed.mesh, shardings.PartitionSpec(*spec))


def _emit(b: Any, *operands: Value, devices: tuple, srcs: tuple, copy_semantics: tuple) -> list[Value]:
    """A hint to the partitioner, where the program runs on these very devices; else nothing: a program stays whole."""
    outs = []
    for x, placed in zip(operands, devices):
        count = 1 if placed is None or isinstance(placed, MemorySpace) else len(placed.devices)
        if count == 1 or count != b.module.num_partitions:
            outs.append(x)
            continue
        outs.append(b.annotate_sharding(x, placed))
    return outs


device_put_p = Primitive(
    "device_put", params=("devices", "srcs", "copy_semantics"), multiple_results=True,
    type_rule=_types,
    jvp=_jvp, transpose=_transpose, batch=_batch, emit=_emit, evaluate=_evaluate, handles_extended=True,
    source="the placement of a value")
device_put_p.extra["knows_shardings"] = device_put_p.extra["knows_memories"] = True
device_put_p.extra["shardings"] = lambda devices, **_: [
    s for s in devices if s is not None and not isinstance(s, MemorySpace) and len(s.devices) > 1]
