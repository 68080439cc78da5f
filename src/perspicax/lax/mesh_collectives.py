"""What collectives are on several devices: groups of devices, and the operations of StableHLO over them.

A program that several devices run has devices numbered as its mesh has them, the last axis fastest. A collective over some of
the axes forms one group for each combination of places along the others.
"""
from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from perspicax.core.avals import ShapedArray
from perspicax.lax.collective_errors import UnboundAxisError
from perspicax.lax.named_axes import listed
from perspicax.xla.emit import i64, physical_aval, quoted
from perspicax.xla.sharding import Mesh

_UINT32 = ShapedArray((), np.dtype(np.uint32))
_INT32 = ShapedArray((), np.dtype(np.int32))


def mesh_of(b: Any, function: str, names: Sequence[Any]) -> Any:
    """The mesh whose manual axes the names are, in the program that is being emitted.

    Raises:
        UnboundAxisError: there is no such axis.
    """
    manual = b.module.manual
    for name in names:
        if not manual or name not in manual[-1][1]:
            raise UnboundAxisError(function=function, axis=name, known=tuple(manual[-1][1]) if manual else ())
    return manual[-1][0]


def groups_of(mesh: Any, names: Sequence[Any], within: Sequence[Sequence[int]] | None = None) -> np.ndarray:
    """Numbers of devices, a row for each group.

    Args:
        within: groups of places along the axes (counted as one, the last name fastest) into which each group is cut. Where they
            are of several sizes, -1 stands for nobody.
    """
    axes = list(mesh.axis_names)
    over = [axes.index(n) for n in names]
    rest = [i for i in range(len(axes)) if i not in over]
    sizes = [mesh.shape[n] for n in axes]
    rows = np.arange(int(np.prod(sizes, dtype=int))).reshape(sizes).transpose(rest + over)
    rows = rows.reshape(-1, int(np.prod([sizes[i] for i in over], dtype=int)))
    if within is None:
        return rows
    widest = max(map(len, within))
    return np.concatenate([np.pad(rows[:, list(group)], ((0, 0), (0, widest - len(group))), constant_values=-1)
                           for group in within], axis=0)


def matrix(rows: np.ndarray) -> str:
    body = ", ".join([f"[{', '.join(map(str, row))}]" for row in rows.tolist()])
    return f"dense<[{body}]> : tensor<{rows.shape[0]}x{rows.shape[1]}xi64>"


channel = "channel_handle = #stablehlo.channel_handle<handle = 1, type = 1>"


def attributes(mesh: Any, names: Sequence[Any], within: Any, ids: bool = True) -> str:
    text = f"{channel}, replica_groups = {matrix(groups_of(mesh, names, within))}"
    return f"{text}, use_global_device_ids" if ids else text


def _alone(mesh: Any, names: Sequence[Any], within: Sequence[Sequence[int]] | None) -> bool:
    """Whether each group has one device."""
    return groups_of(mesh, names, within).shape[1] == 1


def _combine(b: Any, operation: str, dtype: Any) -> str:
    scalar = ShapedArray((), dtype)
    return b.region([scalar, scalar], lambda inner, x, y: [inner.op(operation, [x, y], scalar)])


def reducing(function: str, operation: str) -> Callable[..., Any]:
    """The emission of a reduction over axes of a mesh; `operation` is StableHLO's for two of the values."""
    def emit(b: Any, x: Any, *, axes: tuple, axis_index_groups: Any = None) -> Any:
        mesh = mesh_of(b, function, axes)
        if _alone(mesh, axes, axis_index_groups):
            return x  # XLA may fail where it puts such reductions together, of values of several ranks
        kind = operation
        if x.aval.dtype == np.dtype(bool):
            kind = {"maximum": "or", "minimum": "and"}.get(operation, operation)
        return b.hlo("all_reduce", [x], b.out[0], attributes(mesh, axes, axis_index_groups),
                     [_combine(b, kind, x.aval.dtype)])

    return emit


def emit_gather(b: Any, x: Any, *, all_gather_dimension: int, axis_name: tuple, tiled: bool, axis_index_groups: Any = None,
                **_: Any) -> Any:
    """`all_gather`; the new axis, where it is not tiled, is one of size 1 that grows."""
    mesh = mesh_of(b, "all_gather", axis_name)
    d = all_gather_dimension
    if not tiled:
        x = b.reshape(x, (*x.shape[:d], 1, *x.shape[d:]))
    if _alone(mesh, axis_name, axis_index_groups):
        return x
    return b.hlo("all_gather", [x], b.out[0],
                 f"all_gather_dim = {i64(d)}, {attributes(mesh, axis_name, axis_index_groups)}")


def emit_scatter(b: Any, x: Any, *, scatter_dimension: int, axis_name: tuple, tiled: bool, axis_size: int,
                 axis_index_groups: Any = None) -> Any:
    """`reduce_scatter`; the axis that is cut goes, where it is not tiled."""
    mesh = mesh_of(b, "psum_scatter", axis_name)
    d = scatter_dimension
    cut = ShapedArray((*x.shape[:d], x.shape[d] // axis_size, *x.shape[d + 1:]), x.aval.dtype)
    if _alone(mesh, axis_name, axis_index_groups):
        return x if tiled else b.reshape(x, b.out[0].shape)
    found = b.hlo("reduce_scatter", [x], cut,
                  f"scatter_dimension = {i64(d)}, {attributes(mesh, axis_name, axis_index_groups)}",
                  [_combine(b, "add", x.aval.dtype)])
    return found if tiled else b.reshape(found, b.out[0].shape)


def emit_exchange(b: Any, x: Any, *, split_axis: int, concat_axis: int, axis_name: tuple, axis_size: int,
                  axis_index_groups: Any = None, **_: Any) -> Any:
    """`all_to_all`."""
    mesh = mesh_of(b, "all_to_all", axis_name)
    if _alone(mesh, axis_name, axis_index_groups):
        return x
    return b.hlo("all_to_all", [x], b.out[0],
                 f"split_dimension = {i64(split_axis)}, concat_dimension = {i64(concat_axis)}, split_count = {i64(axis_size)}, "
                 f"{attributes(mesh, axis_name, axis_index_groups, ids=False)}")


def emit_permute(b: Any, x: Any, *, axis_name: tuple, perm: tuple) -> Any:
    """`ppermute`: within each group of devices, by places along the axes."""
    mesh = mesh_of(b, "ppermute", axis_name)
    rows = groups_of(mesh, axis_name)
    pairs = np.asarray([(row[start], row[end]) for row in rows for start, end in perm], int).reshape(-1, 2)
    text = matrix(pairs) if len(pairs) else "dense<> : tensor<0x2xi64>"
    return b.hlo("collective_permute", [x], b.out[0], f"{channel}, source_target_pairs = {text}")


def emit_broadcast(b: Any, x: Any, *, axis_name: Any, source: int) -> Any:
    """`pbroadcast`, as the sum of the one value and of zeros: processors have no operation for it."""
    mesh = mesh_of(b, "pbroadcast", (axis_name,))
    if _alone(mesh, (axis_name,), None):
        return x
    place = emit_index(b, axis_name=axis_name)
    here = b.compare(place, b.constant(source, _INT32), "EQ", "SIGNED")
    words = physical_aval(x.aval)
    spread = b.broadcast(here, words.shape, ())
    zeros = b.broadcast(b.constant(0, ShapedArray((), words.dtype)), words.shape, ())
    kind = "or" if words.dtype == np.dtype(bool) else "add"
    return b.hlo("all_reduce", [b.select(spread, x, zeros)], b.out[0], attributes(mesh, (axis_name,), None),
                 [_combine(b, kind, words.dtype)])


def emit_place(b: Any, mesh: Any, names: Sequence[Any], within: Sequence[Sequence[int]] | None) -> Any:
    """The own place along several axes, counted as one; where there are groups of places, the one within the own group."""
    place = None
    for name in names:
        along = emit_index(b, axis_name=name)
        if place is not None:
            before = b.op("multiply", [place, b.constant(mesh.shape[name], _INT32)], _INT32)
            along = b.op("add", [before, along], _INT32)
        place = along
    if within is None:
        return place
    table = np.zeros(sum(map(len, within)), np.int32)
    for group in within:
        table[list(group)] = range(len(group))
    one = b.hlo("dynamic_slice", [b.constant(table), place], ShapedArray((1,), table.dtype), "slice_sizes = array<i64: 1>")
    return b.reshape(one, ())


def emit_index(b: Any, *, axis_name: Any) -> Any:
    """`axis_index`, from the number of the device."""
    (name,) = listed(axis_name)
    mesh = mesh_of(b, "axis_index", (name,))
    axes = list(mesh.axis_names)
    step = int(np.prod([mesh.shape[n] for n in axes[axes.index(name) + 1:]], dtype=int))
    others = [n for n in axes if n not in b.module.manual[-1][1]]

    def place(inner: Any) -> Any:
        device = inner.hlo("partition_id", [], _UINT32)
        row = inner.op("divide", [device, inner.constant(step, _UINT32)], _UINT32) if step > 1 else device
        along = inner.op("remainder", [row, inner.constant(mesh.shape[name], _UINT32)], _UINT32)
        return inner.convert(along, np.dtype(np.int32))

    if not others:
        return place(b)
    # The number of the device is defined only where every axis is manual.
    return manual_region(b, mesh, frozenset(others), [], [], [_INT32], [sharding_text(b, mesh, (), 0, True)],
                         lambda inner: [place(inner)])[0]


# -- the region that each device runs by itself

def sharding_text(b: Any, mesh: Any, spec: Sequence[Any], rank: int, closed: bool, sums: frozenset = frozenset()) -> str:
    """A spec in Shardy's words.

    Args:
        closed: whether axes of the array that `spec` leaves whole stay whole; if not, the compiler may split them by axes of
            the mesh that are not manual.
        sums: axes of the mesh along which the array is a sum that has not been made yet.
    """
    parts = [*spec, *[None] * (rank - len(spec))]
    texts = []
    for part in parts:
        names = [quoted(n) for n in (() if part is None else listed(part))]
        texts.append("{" + ", ".join(names + ([] if closed else ["?"])) + "}")
    unreduced = f", unreduced={{{', '.join([quoted(n) for n in mesh.axis_names if n in sums])}}}" if sums else ""
    return f"<@{mesh_name(b, mesh)}, [{', '.join(texts)}]{unreduced}>"


def mesh_name(b: Any, mesh: Any) -> str:
    """What the text calls a mesh; one without devices is that of the program."""
    axes = tuple([(name, mesh.shape[name]) for name in mesh.axis_names])
    return b.module.mesh_name(axes, tuple(mesh.devices.flat) if isinstance(mesh, Mesh) else ())


def manual_region(b: Any, mesh: Any, axes: frozenset, operands: Sequence[Any], in_texts: Sequence[str], out: Sequence[Any],
                  out_texts: Sequence[str], body: Callable[..., Sequence[Any]], in_avals: Sequence[Any] = ()) -> list[Any]:
    """`sdy.manual_computation` over `axes` of the mesh.

    Args:
        body: emits what each device runs, and returns its results; called with a builder and values of the types `in_avals`.
    """
    inner = b.block()
    inner.loc, inner.eqn = b.loc, b.eqn
    args = [inner.fresh(a) for a in in_avals]
    results = list(body(inner, *args))
    head = ", ".join([f"{a.name}: {a.aval.mlir}" for a in args])
    names, types = ", ".join([v.name for v in results]), ", ".join([v.aval.mlir for v in results])
    manual = ", ".join([quoted(n) for n in mesh.axis_names if n in axes])
    n = b.shared[0] = b.shared[0] + 1
    left = "" if not out else f"%{n} = " if len(out) == 1 else f"%{n}:{len(out)} = "
    b.lines.append(
        f"{left}sdy.manual_computation({', '.join([v.name for v in operands])}) in_shardings=[{', '.join(in_texts)}] "
        f"out_shardings=[{', '.join(out_texts)}] manual_axes={{{manual}}} ({head}) {{\n{''.join(inner.lines)}"
        f"sdy.return{f' {names} : {types}' if results else ''}\n}} : ({', '.join([v.aval.mlir for v in operands])}) -> "
        f"({', '.join([a.mlir for a in out])}){b.loc}\n")
    value = type(operands[0] if operands else results[0] if results else inner.constant(0, _INT32))
    if len(out) == 1:
        return [value(f"%{n}", out[0])]
    return [value(f"%{n}#{i}", a) for i, a in enumerate(out)]


__all__ = ["attributes", "channel", "emit_broadcast", "emit_exchange", "emit_gather", "emit_index", "emit_permute",
           "emit_place", "emit_scatter", "groups_of", "manual_region", "matrix", "mesh_of", "reducing", "sharding_text"]
