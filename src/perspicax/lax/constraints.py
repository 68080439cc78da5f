"""How a value lies on a mesh, said in the middle of a program: `with_sharding_constraint` and `reshard`."""
from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from perspicax.core.array import Array
from perspicax.core.primitive import Primitive
from perspicax.core.trace import Linear, Zero
from perspicax.core.tracer import get_aval
from perspicax.core.tree import tree_flatten
from perspicax.core.tree_prefix import broadcast_prefix
from perspicax.diagnose.boundary import public
from perspicax.lax.explicit_errors import ConstraintMismatchError
from perspicax.lax.marks import manual_marks, marks_of, refuse_marked, without_manual_marks
from perspicax.lax.operand import operand
from perspicax.lax.placement import ArrayCopySemantics, put
from perspicax.transform.batch import BatchAxis
from perspicax.transform.jit_primitive import run_jaxpr, shardings_asked_for
from perspicax.transform.mesh_scope import mesh_in_scope, refuse_manual
from perspicax.xla import explicit as splits
from perspicax.xla.array import ArrayImpl, type_there
from perspicax.xla.array_errors import NotADeviceError
from perspicax.xla.dispatch import as_array, kernel_jaxpr
from perspicax.xla.explicit import sums_of
from perspicax.xla.layouts import sharding_of
from perspicax.xla.mesh import AbstractMesh, AxisType, current_mesh, empty_mesh, get_abstract_mesh
from perspicax.xla.partition import UNCONSTRAINED, names_in
from perspicax.xla.sharding import NamedSharding, PartitionSpec, Sharding, in_current_mesh
from perspicax.xla.sharding_errors import MeshAxisError, ShardingFitError

__all__ = ["laid_as", "mesh_cast_p", "recast", "released", "reshard", "reshard_p", "resharded", "sharding_constraint_p",
           "with_sharding_constraint"]


def _emit(b: Any, x: Any, sharding: Any) -> Any:
    """An annotation, where the program runs on the devices in question; a program on one device stays whole."""
    count = sharding.mesh.size if isinstance(sharding, NamedSharding) else len(sharding.devices)
    if count == 1 or count != b.module.num_partitions:
        return x
    if isinstance(sharding, NamedSharding) and not sharding.spec.unreduced.issubset(sums_of(x.aval)):
        # The partitioner would make a sum of what `x` is computed of: of a constant, it once for each device.
        x = b.annotate_sharding(x, x.aval.sharding_over(sharding.mesh))
    return b.annotate_sharding(x, sharding)


def _shardings(sharding: Any) -> list:
    return [] if isinstance(sharding, NamedSharding) and isinstance(sharding.mesh, AbstractMesh) else [sharding]


def _with_axis(sharding: Any, axis: int, ndim: int, part: Any) -> Any:
    """The sharding of arrays with one more axis, at `axis`, which lies as `part` says; `ndim` axes before."""
    if not isinstance(sharding, NamedSharding):
        return sharding
    parts = [*sharding.spec, *[None] * (ndim - len(sharding.spec))]
    parts.insert(axis, part)
    return sharding.update(spec=sharding.spec.update(partitions=tuple(parts)))


# -- sharding_constraint: along axes of the type Auto

def _constraint_batch(axis: BatchAxis, args: tuple, axes: tuple, *, sharding: Any, unconstrained_dims: frozenset,
                      **params: Any) -> tuple[Any, int]:
    at, ndim = axes[0], get_aval(args[0]).ndim - 1  # type: ignore[attr-defined]
    part = axis.spmd if axis.spmd is not None else UNCONSTRAINED
    open_axes = frozenset([i + (i >= at) for i in unconstrained_dims]) | (frozenset() if axis.spmd is not None else {at})
    return sharding_constraint_p(args[0], sharding=_with_axis(sharding, at, ndim, part), unconstrained_dims=open_axes,
                                 **params), at


def _constraint_evaluate(x: Any, *, sharding: Any, **params: Any) -> Any:
    x = as_array(x)
    if not sharding.open:
        return put(x, sharding, ArrayCopySemantics.REUSE_INPUT)
    values = sharding_constraint_p.pack({"sharding": sharding, **params})
    closed = kernel_jaxpr(sharding_constraint_p, (x.aval,), values, (x.aval,))
    return run_jaxpr(closed, [x], name="with_sharding_constraint")[0]


sharding_constraint_p: Primitive = Primitive(
    "sharding_constraint", params=("sharding", "layout", "context_mesh", "unconstrained_dims"),
    type_rule=lambda x, **_: x,
    jvp=lambda primals, tangents, **params: (sharding_constraint_p(*primals, **params), _moved(
        sharding_constraint_p, tangents[0], params)),
    transpose=lambda ct, x, **params: [_moved(sharding_constraint_p, ct, params) if type(x) is Linear else None],
    batch=_constraint_batch, emit=lambda b, x, *, sharding, **_: _emit(b, x, sharding), evaluate=_constraint_evaluate,
    handles_extended=True, cache_types=False, source="Shardy, `sdy.sharding_constraint`")
sharding_constraint_p.extra["shardings"] = lambda sharding, **_: _shardings(sharding)


def _moved(primitive: Primitive, t: Any, params: dict) -> Any:
    return t if type(t) is Zero or t is None else primitive(t, **params)


# -- reshard: along axes of the type Explicit

def _reshard_batch(axis: BatchAxis, args: tuple, axes: tuple, *, dst_sharding: Any, **params: Any) -> tuple[Any, int]:
    at, ndim = axes[0], get_aval(args[0]).ndim - 1  # type: ignore[attr-defined]
    return reshard_p(args[0], dst_sharding=_with_axis(dst_sharding, at, ndim, axis.spmd), **params), at


def _over_devices(x: ArrayImpl, sharding: Any) -> Any:
    """A sharding over devices for one that may be over axes alone: over those of the array, or of the current mesh."""
    if not isinstance(sharding.mesh, AbstractMesh):
        return sharding
    own = x.sharding.devices
    mesh = current_mesh.value
    if mesh is not None and mesh.abstract_mesh is sharding.mesh:
        return NamedSharding(mesh, sharding.spec)
    return splits.on_devices(sharding, own if len(own) > 1 or mesh is None else mesh.device_tuple)


def _relabelled(x: ArrayImpl, sharding: Any) -> ArrayImpl:
    """An array whose pieces are where `sharding` says already, in its terms."""
    return ArrayImpl(type_there(x.aval, sharding), x._buf, x._np, sharding, True)


def _reshard_evaluate(x: Any, *, dst_sharding: Any, **_: Any) -> Any:
    x = as_array(x)
    sharding = _over_devices(x, dst_sharding)
    if x._committed and len(x.sharding.devices) > 1 and x.sharding.is_equivalent_to(sharding, x.ndim) and not x.is_deleted():
        return x if x.sharding == sharding else _relabelled(x, sharding)
    return put(x, sharding, ArrayCopySemantics.REUSE_INPUT, exchanging=True)


reshard_p: Primitive = Primitive(
    "reshard", params=("dst_sharding", "concrete_mesh"),
    type_rule=lambda x, *, dst_sharding, concrete_mesh: x.laid(splits.part_of_type(dst_sharding, x.ndim)),
    jvp=lambda primals, tangents, **params: (reshard_p(*primals, **params), _moved(reshard_p, tangents[0], params)),
    transpose=lambda ct, x, **_: [ct],  # where it arrives, it is laid as the type of the operand says
    batch=_reshard_batch, emit=lambda b, x, *, dst_sharding, **_: _emit(b, x, dst_sharding),
    evaluate=_reshard_evaluate,
    handles_extended=True, cache_types=False, source="Shardy, `sdy.sharding_constraint`")
reshard_p.extra["shardings"] = lambda dst_sharding, **_: _shardings(dst_sharding)


# -- mesh_cast: the same array, in terms of the mesh with axes of other types

def _cast_batch(axis: BatchAxis, args: tuple, axes: tuple, *, dst_sharding: Any) -> tuple[Any, int]:
    at, ndim = axes[0], get_aval(args[0]).ndim - 1  # type: ignore[attr-defined]
    part = None if axis.part is None else axis.part.spec.partitions[0]
    return mesh_cast_p(args[0], dst_sharding=_with_axis(dst_sharding, at, ndim, part)), at


def _cast_evaluate(x: Any, *, dst_sharding: Any) -> Any:
    x = as_array(x)
    own = x.sharding
    if not isinstance(own, NamedSharding):
        return x
    return _relabelled(x, NamedSharding(own.mesh.update(axis_types=dst_sharding.mesh.axis_types), own.spec.update(
        unreduced=dst_sharding.spec.unreduced, reduced=dst_sharding.spec.reduced)))


mesh_cast_p: Primitive = Primitive(
    "mesh_cast", params=("dst_sharding",),
    type_rule=lambda x, *, dst_sharding: x.laid(splits.part_of_type(dst_sharding, x.ndim)),
    jvp=lambda primals, tangents, **params: (mesh_cast_p(*primals, **params), _moved(mesh_cast_p, tangents[0], params)),
    transpose=lambda ct, x, **_: [ct],  # where it arrives, it is laid as the type of the operand says
    batch=_cast_batch, emit=lambda b, x, *, dst_sharding: x, evaluate=_cast_evaluate, handles_extended=True, cache_types=False,
    source="the types of mesh axes; nothing moves")
mesh_cast_p.extra["lies"] = reshard_p.extra["lies"] = True
mesh_cast_p.extra["shardings"] = lambda dst_sharding: []


def released(x: Any, axes: frozenset | None = None) -> Any:
    """`x`, with the split along explicit axes (or along those in `axes`) left to the compiler."""
    explicit = get_aval(x).explicit
    if explicit is None or (axes is not None and axes.isdisjoint(explicit.mesh.explicit_axes)):
        return x
    if explicit.spec.unreduced:
        x = _laid(x, explicit.update(spec=explicit.spec.update(unreduced=(), reduced=())))
    return mesh_cast_p(x, dst_sharding=splits.released(explicit, axes))


def recast(x: Any, mesh: Any) -> Any:
    """`x`, in terms of the mesh `mesh`, whose axes may be of other types."""
    explicit = get_aval(x).explicit
    return x if explicit is None else mesh_cast_p(x, dst_sharding=NamedSharding(mesh, explicit.spec))


def laid_as(x: Any, explicit: Any, varying: frozenset | None = None) -> Any:
    """`x`, laid as a type says that has this part; `None` for one that nothing splits.

    Args:
        varying: the axes along which it may vary, inside of `shard_map`; by default those along which `x` does.
    """
    aval: Any = get_aval(x)
    if aval.explicit != explicit and (manual_marks(aval) or manual_marks(aval.laid(explicit))):
        from perspicax.lax.partial_sums import as_marked  # for its weight: few programs need it

        x = as_marked(x, *marks_of(aval.laid(explicit)), aval.vma if varying is None else varying)
        aval = get_aval(x)
    own = aval.explicit
    if own == explicit:
        return x
    return _laid(x, splits.whole_on(own.mesh, aval.ndim) if explicit is None else explicit)


def _laid(x: Any, full: NamedSharding) -> Any:
    """`x`, laid as `full` says, which has a part for each of its axes."""
    shardings_asked_for[:] = [True]
    before, after = sums_of(get_aval(x)), full.spec.unreduced
    if before - after and after - before:  # the partitioner does one at a time
        spec = full.spec.update(unreduced=before & after, reduced=())
        x = reshard_p(x, dst_sharding=full.update(spec=spec), concrete_mesh=None)
    return reshard_p(x, dst_sharding=full, concrete_mesh=None)


def resharded(x: Any, place: Any, function: str) -> Any:
    """`reshard` of one array."""
    value = operand(x)
    if manual_marks(get_aval(value)):
        refuse_marked(function, get_aval(value))
    ndim = get_aval(value).ndim  # type: ignore[attr-defined]
    if len(place.spec) > ndim and all(p is None for p in place.spec[ndim:]):
        place = place.update(spec=place.spec.update(partitions=place.spec[:ndim]))
    _check(value, place, function, AxisType.Explicit)
    full = place.spec.update(partitions=(*place.spec, *[None] * (ndim - len(place.spec))))
    return _laid(value, place.update(spec=full))


# -- the public functions

def _each(x: Any, given: Any, function: str, option: str) -> tuple[list, Sequence[Any], Any]:
    """The arrays of a tree, what was given for each, and the tree's structure."""
    leaves, structure = tree_flatten(x)
    if given is None or isinstance(given, (Sharding, PartitionSpec)):
        places: Sequence[Any] = [given] * len(leaves)
    else:
        places = broadcast_prefix(given, x, is_leaf=lambda s: s is None)
    found = []
    for leaf, asked in zip(leaves, places):
        place = sharding_of(asked, function, option, np.ndim(leaf))
        if isinstance(place, PartitionSpec):
            mesh = mesh_in_scope() if function == "with_sharding_constraint" and current_mesh.value is None else None
            place = NamedSharding(mesh, place) if mesh is not None else \
                in_current_mesh(place, function, option, entered=function == "with_sharding_constraint")
        elif place is not None and not isinstance(place, Sharding):
            raise NotADeviceError(value=repr(place)[:60])
        found.append(place)
    return leaves, found, structure


def _check(x: Any, sharding: Any, function: str, allowed: AxisType) -> None:
    """Raise for mesh axes of another type, and for more axes than the array has."""
    aval: Any = get_aval(x)
    if isinstance(sharding, NamedSharding):
        mesh = sharding.mesh
        refuse_manual(sharding, function)
        for name in [n for part in sharding.spec for n in names_in(part)]:
            if mesh.axis_types[mesh.axis_names.index(name)] is not allowed:
                raise MeshAxisError(kind="type", spec=repr(sharding.spec), axis=name, mesh=str(mesh), axes=mesh.axis_names,
                                    function=function, wanted=allowed.name)
    try:
        sharding.check_compatible_aval(aval.shape)
        if (isinstance(x, ArrayImpl) or allowed is AxisType.Explicit) and not sharding.open:
            sharding.shard_shape(aval.shape)
    except ShardingFitError as error:
        error.function, error.type_text = function, aval.str_short()
        raise


def _confirmed(x: Any, place: NamedSharding) -> Any:
    """`x`, whose type says already how it lies."""
    aval: Any = get_aval(x)
    _check(x, place, "with_sharding_constraint", AxisType.Explicit)
    own = without_manual_marks(aval).explicit if manual_marks(aval) else aval.explicit
    if splits.part_of_type(place, aval.ndim) != own:
        raise ConstraintMismatchError(aval=aval, spec=place.spec)
    return x


@public
def with_sharding_constraint(x: Any, shardings: Any) -> Any:
    """`x`, of which the compiler is told how it lies on a mesh.

    Args:
        x: a pytree of arrays.
        shardings: a sharding, a `PartitionSpec` in terms of the current mesh, or a pytree prefix of `x` of these;
            `None` says nothing. `PartitionSpec.UNCONSTRAINED` leaves an axis of the array to the compiler. Mesh axes are
            those of the type Auto; over a mesh of which all axes are Explicit the array's type is confirmed.

    Returns:
        The same values; outside of a jitted function, placed so.

    Raises:
        ShardingFitError: a sharding speaks of more axes than the array has, or, outside of jitted functions, does not
            split it evenly.
        MeshContextError: a `PartitionSpec` was given, and no mesh is set.
        MeshAxisError: a mesh axis is not of the type Auto.
        ConstraintMismatchError: all axes are Explicit, and the array lies otherwise.
    """
    leaves, places, structure = _each(x, shardings, "with_sharding_constraint", "shardings")
    outs = []
    for leaf, place in zip(leaves, places):
        if place is None:
            outs.append(leaf)
            continue
        value = operand(leaf)
        if isinstance(place, NamedSharding) and place.mesh.are_all_axes_explicit and get_abstract_mesh().are_all_axes_explicit:
            outs.append(_confirmed(value, place))
            continue
        _check(value, place, "with_sharding_constraint", AxisType.Auto)
        shardings_asked_for[:] = [True]
        open_axes = [i for i, p in enumerate(place.spec) if p is UNCONSTRAINED] if isinstance(place, NamedSharding) else []
        outs.append(sharding_constraint_p(value, sharding=place, layout=None, context_mesh=current_mesh.value or empty_mesh(),
                                          unconstrained_dims=frozenset(open_axes)))
    return structure.unflatten(outs)


@public
def reshard(xs: Any, out_shardings: Any) -> Any:
    """`xs`, laid onto a mesh otherwise.

    Args:
        xs: a pytree of arrays.
        out_shardings: a `NamedSharding`, a `PartitionSpec` in terms of the current mesh, or a pytree prefix of `xs` of
            these. Mesh axes are those of the type Explicit.

    Returns:
        The same values, placed so.

    Raises:
        ShardingFitError: a sharding speaks of more axes than the array has, or does not split it evenly.
        MeshContextError: a `PartitionSpec` was given, and no mesh is set.
        MeshAxisError: a mesh axis is not of the type Explicit.
    """
    leaves, places, structure = _each(xs, out_shardings, "reshard", "out_shardings")
    outs: list[Array] = []
    for leaf, place in zip(leaves, places):
        if not isinstance(place, NamedSharding):
            raise NotADeviceError(value=repr(place)[:60])
        outs.append(resharded(leaf, place, "reshard"))
    return structure.unflatten(outs)
