"""What types of one device's part tell of sums, inside of `shard_map`.

Along a manual axis of a mesh a value varies; or it is the same for all; or it is one part of a sum over the devices along it
that has not been made yet ("unreduced"); or it is the same for all, and its cotangent is such a part ("reduced"). The last two
are kept where types of whole arrays keep them: in `aval.explicit`.
"""
from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from perspicax.lax.collective_errors import PartialSumError
from perspicax.transform.mesh_scope import manual_axes, mesh_in_scope
from perspicax.xla.explicit import part_of_type
from perspicax.xla.mesh import AxisType
from perspicax.xla.sharding import NamedSharding, PartitionSpec

NOTHING: frozenset = frozenset()


def marks_of(aval: Any) -> tuple[frozenset, frozenset]:
    """The axes of the mesh along which a type is "unreduced", and those along which it is "reduced"."""
    explicit = aval.explicit
    return (NOTHING, NOTHING) if explicit is None else (explicit.spec.unreduced, explicit.spec.reduced)


def marked_along(aval: Any, axes: frozenset) -> bool:
    """Whether a type is unreduced or reduced along any of the axes."""
    return aval.explicit is not None and not axes.isdisjoint(aval.explicit.spec.unreduced | aval.explicit.spec.reduced)


def remarked(aval: Any, unreduced: frozenset, reduced: frozenset, mesh: Any = None) -> Any:
    """A type with these marks in place of its own.

    Args:
        mesh: that of `shard_map`; by default the one in scope.
    """
    explicit = aval.explicit
    if not (unreduced or reduced) and explicit is None:
        return aval
    over = (mesh_in_scope() if mesh is None else mesh).abstract_mesh
    wanted = {n: AxisType.Explicit for n in unreduced | reduced if n not in over.explicit_axes}
    if wanted:  # in types marks are of explicit axes; along a manual axis it makes no difference
        over = over.update_axis_types(wanted)
    parts = [None] * aval.ndim if explicit is None else explicit.spec.partitions
    return aval.laid(part_of_type(NamedSharding(over, PartitionSpec(*parts, unreduced=unreduced, reduced=reduced)), aval.ndim))


def changed(aval: Any, *, unreduced: frozenset = NOTHING, reduced: frozenset = NOTHING, neither: frozenset = NOTHING) -> Any:
    """A type that is unreduced, and reduced, along further axes, and neither along others."""
    own = marks_of(aval)
    return remarked(aval, (own[0] - neither) | unreduced, (own[1] - neither) | reduced)


def with_marks_of(aval: Any, out: Any) -> Any:
    """The type `out`, of another shape, with the marks of `aval`."""
    unreduced, reduced = marks_of(aval)
    return out if not (unreduced or reduced) or marks_of(out) == (unreduced, reduced) else remarked(out, unreduced, reduced)


def refuse_parts_of_sums(function: str, avals: Iterable[Any], axes: frozenset) -> None:
    """Raise where each device goes its own way along axes of a mesh, and any of the types is a part of a sum over them.

    Raises:
        PartialSumError: one is.
    """
    for aval in avals:
        wrong = marks_of(aval)[0] & axes
        if wrong:
            raise PartialSumError(function=function, type_text=aval.str_short(), axes=tuple(sorted(wrong, key=str)),
                                  kind="unreduced")


def refuse_marked(function: str, aval: Any) -> None:
    """Raise for a type with marks along axes of `shard_map` in scope.

    Raises:
        PartialSumError: it is a part of a sum, or its cotangent is one.
    """
    unreduced, reduced = [marks & manual_axes() for marks in marks_of(aval)]
    raise PartialSumError(function=function, type_text=aval.str_short(), axes=tuple(sorted(unreduced or reduced, key=str)),
                          kind="unreduced" if unreduced else "reduced")


def without_manual_marks(aval: Any) -> Any:
    """A type without its marks along axes of `shard_map` in scope."""
    here = manual_axes()
    unreduced, reduced = marks_of(aval)
    return remarked(aval, unreduced - here, reduced - here)


def manual_marks(aval: Any) -> bool:
    """Whether a type has marks along axes of `shard_map` in scope."""
    explicit = aval.explicit
    return explicit is not None and bool(explicit.spec.unreduced or explicit.spec.reduced) and marked_along(aval, manual_axes())


__all__ = ["NOTHING", "changed", "manual_marks", "marked_along", "marks_of", "refuse_marked",
           "refuse_parts_of_sums", "remarked", "with_marks_of", "without_manual_marks"]
