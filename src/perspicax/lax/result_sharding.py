"""What `out_sharding=` of an operation says: how its result lies over explicit axes of a mesh."""
from __future__ import annotations

from collections.abc import Callable
from typing import Any

from perspicax.core.array import Array
from perspicax.core.tracer import get_aval
from perspicax.lax.sharding_errors import refuse_out_sharding
from perspicax.transform.batch import BatchAxis
from perspicax.transform.jit_primitive import shardings_asked_for
from perspicax.xla.mesh import AxisType
from perspicax.xla.partition import PartitionSpec, names_in
from perspicax.xla.sharding import NamedSharding, in_current_mesh
from perspicax.xla.sharding_errors import MeshAxisError, ShardingFitError

__all__ = ["asked_sharding", "given_sharding", "out_placed", "placed_as", "released", "with_batch_axis"]


def out_placed(function: str, out_sharding: Any, fun: Callable[..., Any], *operands: Any) -> Any:
    """What `fun` makes of the operands, lying as `out_sharding` says.

    Between the two the compiler decides how the work is split along explicit axes of the mesh.

    Args:
        function: what the user called.
        out_sharding: what he gave: a `NamedSharding`, or a `PartitionSpec` in terms of the current mesh.
        fun: the operation.
        operands: for it; what is no array goes as it is.

    Raises:
        ShardingFitError: the result cannot be split so.
        OutShardingError, MeshContextError, MeshAxisError: as of `given_sharding`.
    """
    from perspicax.lax.constraints import resharded  # for its weight: few programs need it

    place = given_sharding(function, out_sharding)
    return resharded(fun(*[released(x) if isinstance(x, Array) else x for x in operands]), place, function)


def given_sharding(function: str, out_sharding: Any) -> NamedSharding:
    """The sharding that was given as `out_sharding`.

    Raises:
        OutShardingError: it is neither a `NamedSharding` nor a `PartitionSpec`.
        MeshContextError: it is a `PartitionSpec`, and no mesh is set.
        MeshAxisError: a mesh axis is not of the type Explicit.
    """
    if isinstance(out_sharding, PartitionSpec):
        out_sharding = in_current_mesh(out_sharding, function, "out_sharding")
    if not isinstance(out_sharding, NamedSharding):
        refuse_out_sharding(function, out_sharding)
    mesh = out_sharding.mesh
    for name in [n for part in out_sharding.spec for n in names_in(part)]:
        if mesh.shape[name] and name not in mesh.explicit_axes:
            raise MeshAxisError(kind="type", spec=repr(out_sharding.spec), axis=name, mesh=str(mesh), axes=mesh.axis_names,
                                function=function, wanted=AxisType.Explicit.name)
    shardings_asked_for[:] = [True]
    return out_sharding


def released(x: Any) -> Any:
    """`x`, with the split along explicit axes of a mesh left to the compiler."""
    if get_aval(x).explicit is None:
        return x
    from perspicax.lax import constraints  # for its weight: few programs need it

    return constraints.released(x)


def placed_as(function: str, out_sharding: Any, x: Any) -> Any:
    """`x`, lying as `out_sharding` says; see `out_placed`."""
    return out_placed(function, out_sharding, lambda y: y, x)


def asked_sharding(function: str, out_sharding: Any, ndim: int) -> NamedSharding:
    """The parameter of a primitive whose result has `ndim` axes: over the axes of the mesh alone, for all axes of the result.

    Raises:
        ShardingFitError: it speaks of more axes.
        OutShardingError, MeshContextError, MeshAxisError: as of `given_sharding`.
    """
    found = given_sharding(function, out_sharding)
    try:
        found.check_compatible_aval((1,) * ndim)
    except ShardingFitError as error:
        error.function = function
        raise
    spec = found.spec.update(partitions=(*found.spec, *[None] * (ndim - len(found.spec))))
    return NamedSharding(found.mesh.abstract_mesh, spec)


def with_batch_axis(asked: NamedSharding | None, place: int, axis: BatchAxis) -> NamedSharding | None:
    """Such a parameter for a result with a batch axis at `place`."""
    if asked is None:
        return None
    parts = list(asked.spec.partitions)
    parts.insert(place, None if axis.part is None else axis.part.spec.partitions[0])
    return asked.update(spec=asked.spec.update(partitions=tuple(parts)))
