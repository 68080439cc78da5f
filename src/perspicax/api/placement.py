"""Where arrays are: `device_put`, `device_get`, and waiting for them."""
from __future__ import annotations

import operator
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from perspicax.api.errors import PlacementError
from perspicax.api.wrapping import public
from perspicax.binding import runtime
from perspicax.core import dtypes, tree
from perspicax.core.avals import ShapedArray
from perspicax.core.config import local
from perspicax.core.tracer import Tracer, get_aval
from perspicax.core.tree_errors import PrefixMismatchError
from perspicax.core.tree_paths import keystr
from perspicax.core.tree_prefix import broadcast_prefix
from perspicax.lax.placement import ArrayCopySemantics, MemorySpace, device_put_p
from perspicax.transform import trees
from perspicax.transform.jit_primitive import shardings_asked_for
from perspicax.transform.mesh_scope import other_devices_within, refuse_manual
from perspicax.xla import array as arrays
from perspicax.xla import client, compile
from perspicax.xla import sharding as shardings
from perspicax.xla.array import ArrayImpl
from perspicax.xla.kept import without_kept
from perspicax.xla.layouts import AutoLayout, Format, Layout, sharding_of
from perspicax.xla.sharding import in_current_mesh
from perspicax.xla.sharding_errors import ShardingFitError

__all__ = [
    "block_until_ready", "copy_to_host_async", "device_get", "device_put", "effects_barrier", "live_arrays",
    "make_array_from_callback", "make_array_from_single_device_arrays",
]

_get_buffer = operator.attrgetter("_buf")


@public
def device_put(x: Any, device: Any = None, *, src: Any = None, donate: Any = False, may_alias: Any = None) -> Any:
    """Arrays on given devices.

    Args:
        x: a pytree of arrays and numbers.
        device: a device, a sharding, a `PartitionSpec` in terms of the current mesh, a `jax.memory.Space`, a `Format` (whose
            order of axes is that of rows), or a pytree prefix of `x` of these; `None` leaves an array where it is, and puts
            numbers and NumPy arrays onto the default device.
        src: where `x` is, for values that are being traced: gradients go back there.
        donate: whether `x` is not used afterwards (a bool, or a prefix of bools).
        may_alias: whether the result may share memory with `x`; `False` makes a copy (a bool, or a prefix of bools).

    Returns:
        A pytree like `x` of arrays. Those that were given a place are committed there: operations follow them.

    Raises:
        PlacementError: `device` is no place, or has another structure than `x`, or a leaf of `x` is no array; or it is one
            device, within `shard_map`.
        MeshAxisError: within `shard_map`, a sharding names an axis that is mapped over.
        ShardingFitError: an axis cannot be split as the sharding says.
        MeshContextError: a `PartitionSpec` was given, and no mesh is set.
        LayoutError: a `Format` asks for another order in memory than that of rows, or leaves it to a compiler.
        ProcessesDifferError: an array over the devices of several processes shall be made of values that differ in them.
    """
    flat, structure = tree.tree_flatten(x)
    for i, leaf in enumerate(flat):
        _check_value(x, i, leaf)
    places = _prefix(device, x, structure, "device")
    sources = _prefix(src, x, structure, "src")
    given, alias = _prefix(donate, x, structure, "donate"), _prefix(may_alias, x, structure, "may_alias")
    if not flat:
        return x
    places = [_place(p, x, i) for i, p in enumerate(places)]
    sources = [_place(p, x, i) for i, p in enumerate(sources)]
    if not local.trace.base:
        shardings_asked_for[:] = [True]  # the program in which this is runs on these devices
        for i, place in enumerate(places):
            refuse_manual(place, "device_put")
            mesh = other_devices_within(place, eager=True)
            if mesh is not None:
                raise PlacementError(kind="within", name=_path(x, i), got=str(place.device), expected=str(mesh))
    if client.several_processes():
        from perspicax.api.agreement import check_agreement  # few programs need it

        check_agreement(flat, places, lambda i: _path(x, i))
    try:
        outs = device_put_p(*flat, devices=tuple(places), srcs=tuple(sources),
                            copy_semantics=tuple([_semantics(d, a) for d, a in zip(given, alias)]))
    except ShardingFitError as error:
        error.name = _path(x, error.operand)
        raise
    return structure.unflatten([_committed(out) if isinstance(place, MemorySpace) else out for out, place in zip(outs, places)])


def _committed(x: Any) -> Any:
    """An array that a space was asked for stays on its device, too; where a rule moves one, it is as free as before."""
    return ArrayImpl(x.aval, x._buf, x._np, x.sharding, True) if type(x) is ArrayImpl and not x._committed else x


def _prefix(given: Any, x: Any, structure: Any, option: str) -> list[Any]:
    """One entry of an option for each leaf of `x`."""
    if given is None or isinstance(given, (bool, runtime.Device, shardings.Sharding, MemorySpace, Format, Layout)):
        return [given] * structure.num_leaves
    if isinstance(given, (str, shardings.PartitionSpec)):
        return [given] * structure.num_leaves
    try:
        return list(broadcast_prefix(given, x, is_leaf=lambda leaf: leaf is None))
    except PrefixMismatchError as error:
        from perspicax.core.tree_mismatch import sentence  # only a report needs it

        raise PlacementError(kind="tree", name=option, got=sentence(error.mismatches[0], "x", option)) from None


def _place(given: Any, x: Any, index: int) -> Any:
    if isinstance(given, (Format, Layout, AutoLayout)):
        given = sharding_of(given, "device_put", _path(x, index), np.ndim(tree.tree_leaves(x)[index]))
    if given is None or isinstance(given, shardings.Sharding):
        return given
    if isinstance(given, shardings.PartitionSpec):
        return in_current_mesh(given, "device_put", "device")
    if isinstance(given, MemorySpace):
        if given is MemorySpace.Any or client.default_backend() != "cpu":
            raise PlacementError(kind="space" if given is MemorySpace.Any else "memory", name=_path(x, index),
                                 got=f"jax.memory.Space.{given.name}")
        return given
    if isinstance(given, runtime.Device):
        return shardings.on_device(given)
    raise PlacementError(kind="platform" if isinstance(given, str) else "place", name=_path(x, index), got=repr(given))


def _semantics(donate: Any, may_alias: Any) -> ArrayCopySemantics:
    if donate and may_alias:
        raise PlacementError(kind="alias", name="", got="")
    if donate:
        return ArrayCopySemantics.DONATE_INPUT
    return ArrayCopySemantics.ALWAYS_COPY if may_alias is False else ArrayCopySemantics.REUSE_INPUT


def _check_value(x: Any, index: int, leaf: Any) -> None:
    try:
        get_aval(leaf)
    except TypeError:
        raise PlacementError(kind="value", name=_path(x, index), got=f"a {type(leaf).__name__}: {_shown(leaf)}") from None


def _path(x: Any, index: int) -> str:
    path, _ = tree.tree_flatten_with_path(x)[0][index]
    return f"x{keystr(path)}"


def _shown(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."


@public
def device_get(x: Any) -> Any:
    """The values of arrays as NumPy arrays.

    Args:
        x: a pytree; leaves that are no arrays stay as they are.

    Raises:
        TracerArrayConversionError: a leaf is being traced, and has no value yet.
    """
    for leaf in tree.tree_leaves(x):
        if type(leaf) is ArrayImpl:
            leaf.copy_to_host_async()
    return tree.tree_map(_get, x)


def _get(leaf: Any) -> Any:
    if type(leaf) is ArrayImpl and leaf.aval.extended:
        return leaf
    if isinstance(leaf, Tracer) or hasattr(leaf, "__array__"):
        return np.asarray(leaf)
    return leaf


@public
def block_until_ready(x: Any) -> Any:
    """Wait until all arrays of a pytree are computed.

    Returns:
        `x` itself.

    Raises:
        JaxRuntimeError: computing one of them failed.
    """
    if type(x) is ArrayImpl:
        return x.block_until_ready()
    try:
        leaves = trees.flatten(x)[0]
    except SystemError:  # too deep, or a container in itself: the slower way tells
        leaves = tree.tree_leaves(x)
    try:
        buffers = [b for b in map(_get_buffer, leaves) if b is not None]
        if buffers:
            runtime.block_all(buffers)
        if len(buffers) < len(leaves):  # what has a value alone is computed, or it is deleted
            for leaf in leaves:
                if leaf._buf is None:
                    leaf.block_until_ready()
    except (AttributeError, TypeError, runtime.RuntimeFailure):  # other values among them, or one that failed
        for leaf in leaves:
            wait = getattr(leaf, "block_until_ready", None)
            if wait is not None:
                wait()
    return x


@public
def copy_to_host_async(x: Any) -> Any:
    """Start copying all arrays of a pytree to the host; returns `x`, and a later `device_get` finds the copies."""
    for leaf in tree.tree_leaves(x):
        start = getattr(leaf, "copy_to_host_async", None)
        if start is not None:
            start()
    return x


@public
def live_arrays(platform: str | None = None) -> list[Any]:
    """The arrays of this process that hold memory on a platform (by default, the default one)."""
    client.client(platform)
    return without_kept(arrays.live_arrays(platform))


@public
def effects_barrier() -> None:
    """Wait until the effects (prints, callbacks) of everything that was started have happened.

    Raises:
        JaxRuntimeError: one of them failed.
    """
    compile.effects_barrier()


@public
def make_array_from_callback(shape: Sequence[int], sharding: Any, data_callback: Callable[[Any], Any],
                             dtype: Any = None) -> Any:
    """An array made piece by piece.

    Args:
        shape: of the whole array.
        sharding: where its pieces live.
        data_callback: called with the index of each piece that lives in this process (a tuple of slices), returns it.
        dtype: of the array; by default that of the pieces.

    Raises:
        PlacementError: a piece has another shape than the sharding makes, or another dtype than the others; or `sharding` is
            none.
        ShardingFitError: the sharding cannot split an array of this shape.

    Differs: pieces are converted to `dtype`, where JAX refuses others.
    """
    function = "make_array_from_callback"
    shape = _shape_for(shape, sharding, function)
    pieces, made = [], {}
    for device, index in sharding.addressable_devices_indices_map(shape).items():
        key = tuple((s.start, s.stop) for s in index)
        if key not in made:
            piece = data_callback(index)
            is_keys = isinstance(piece, ArrayImpl) and piece.aval.extended
            made[key] = piece if is_keys else np.asarray(piece, dtype)
        pieces.append(device_put(made[key], device))
    return _assembled(shape, sharding, pieces, dtype, function)


@public
def make_array_from_single_device_arrays(shape: Sequence[int], sharding: Any, arrays: Sequence[Any], *,
                                         dtype: Any = None) -> Any:
    """One array of pieces that are on their devices already.

    Args:
        shape: of the whole array.
        sharding: which piece belongs on which device.
        arrays: one for each device of this process.
        dtype: of the array, needed only where there are no pieces.

    Raises:
        PlacementError: there are too few pieces, or too many; one has another shape than the sharding makes, or another dtype;
            one is no array, or lies on several devices; or `sharding` is none.
        ShardingFitError: the sharding cannot split an array of this shape.
    """
    function = "make_array_from_single_device_arrays"
    shape = _shape_for(shape, sharding, function)
    if not isinstance(arrays, (list, tuple)):
        shown = "single array" if isinstance(arrays, ArrayImpl) else f"`{type(arrays).__name__}`"
        raise PlacementError(kind="list", name=function, got=shown)
    for i, piece in enumerate(arrays):
        if not isinstance(piece, ArrayImpl):
            raise PlacementError(kind="no array", name=function, got=f"a `{type(piece).__name__}` as piece {i}")
        if len(piece.sharding.devices) > 1:
            raise PlacementError(kind="spread", name=function, got=f"{piece.aval.str_short()} as piece {i}",
                                 expected=f"{len(piece.sharding.devices)}")
    return _assembled(shape, sharding, list(arrays), dtype, function)


def _shape_for(shape: Any, sharding: Any, function: str) -> tuple[int, ...]:
    if not isinstance(sharding, shardings.Sharding):
        raise PlacementError(kind="sharding", name=function, got=f"`{type(sharding).__name__}`")
    return (operator.index(shape),) if hasattr(shape, "__index__") else tuple(shape)


def _assembled(shape: tuple[int, ...], sharding: Any, pieces: list[Any], dtype: Any, function: str) -> ArrayImpl:
    by_device = {piece.sharding.devices[0]: piece for piece in pieces}
    here = sharding.addressable_devices
    missing = [d for d in here if d not in by_device]
    if missing or (not pieces and dtype is None):
        raise PlacementError(kind="pieces", name=function, got=f"{len(pieces)}",
                             expected=", ".join(map(str, sorted(missing, key=lambda d: d.id))) or "any device")
    if len(pieces) != len(here):
        raise PlacementError(kind="too many", name=function, got=f"{len(pieces)}", expected=f"{len(here)}")
    wanted = sharding.shard_shape(shape)
    asked = None if dtype is None else dtypes.canonicalize_dtype(dtype, allow_extended_dtype=True)
    expected = asked if asked is not None else pieces[0].dtype
    for piece in pieces:
        if piece.shape != wanted:
            raise PlacementError(kind="piece", name=function, got=f"{piece.aval.str_short()} for {piece.sharding.devices[0]}",
                                 expected=f"{wanted}:\n{shardings.drawn(sharding, shape)}")
        if piece.dtype != expected:
            raise PlacementError(kind="dtype", name=function, got=f"{piece.aval.str_short()} for {piece.sharding.devices[0]}",
                                 expected=dtypes.name_of(expected))
    if not pieces:
        return arrays.from_buffers(ShapedArray(shape, expected), sharding, [])
    first = pieces[0].aval
    aval = ShapedArray(shape, first.dtype, first.weak_type)
    if len(sharding.devices) == 1:
        return ArrayImpl(arrays.type_there(aval, sharding), pieces[0].buffer(), None, sharding, True)
    return arrays.from_buffers(aval, sharding, [by_device[d] for d in sharding.devices if d in by_device])
