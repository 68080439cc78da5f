"""`PartitionSpec`: for each axis of an array the axes of a mesh that split it."""
from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from perspicax.diagnose.boundary import public_methods
from perspicax.xla.sharding_errors import SpecError


class _Unconstrained:
    """An axis that the compiler may split as it likes."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "UNCONSTRAINED"

    def __reduce__(self) -> str:
        return "UNCONSTRAINED"


UNCONSTRAINED = _Unconstrained()


@public_methods("__init__", "update", "__add__", "__radd__")
class PartitionSpec:
    """For each axis of an array: the mesh axis (or axes) that it is split over, or `None`; also known as `P`.

    Args:
        partitions: for each axis of the array the name of a mesh axis, a tuple of such names (the first one is the
            slowest), `None` for an axis that is whole, or `PartitionSpec.UNCONSTRAINED`. Axes beyond them are whole.
        unreduced: mesh axes along which the array is the sum of what its devices hold.
        reduced: mesh axes along which the array's cotangent is such a sum.

    Raises:
        SpecError: a tuple holds a tuple, or an axis stands in two places that exclude each other.

    A tuple of one name is that name, the empty tuple is `None`, and a list counts as a tuple.
    """

    UNCONSTRAINED = UNCONSTRAINED

    __slots__ = ("__weakref__", "_hash", "partitions", "reduced", "unreduced")

    def __init__(self, *partitions: Any, unreduced: Any = frozenset(), reduced: Any = frozenset()) -> None:
        self.partitions = tuple([_canonical(p) if isinstance(p, (tuple, list)) else p for p in partitions])
        self.unreduced = frozenset(unreduced) if unreduced else _NONE
        self.reduced = frozenset(reduced) if reduced else _NONE
        self._hash = hash((self.partitions, self.unreduced, self.reduced))
        if unreduced or reduced:
            self._check(unreduced, reduced)

    def _check(self, unreduced: Any, reduced: Any) -> None:
        for word, given in (("unreduced", unreduced), ("reduced", reduced)):
            if not isinstance(given, (set, frozenset)):
                raise SpecError(kind="set", what=word, got=repr(given)[:60])
            if None in given:
                raise SpecError(kind="none", what=word, got=_set_text(given))
        used = {name for p in self.partitions for name in names_in(p)}
        for word, axes, others, where in (("unreduced", self.unreduced, used, "an axis of the array"),
                                          ("reduced", self.reduced, used, "an axis of the array"),
                                          ("unreduced", self.unreduced, self.reduced, "`reduced`")):
            if axes & others:
                raise SpecError(kind="both", what=word, got=_set_text(axes & others), where=where)

    def update(self, **changes: Any) -> PartitionSpec:
        """The same with some fields (`partitions`, `unreduced`, `reduced`) changed."""
        return PartitionSpec(*changes.get("partitions", self.partitions), unreduced=changes.get("unreduced", self.unreduced),
                             reduced=changes.get("reduced", self.reduced))

    def to_tangent_spec(self) -> PartitionSpec:
        """That of a tangent of such an array: the same."""
        return self

    def to_ct_spec(self) -> PartitionSpec:
        """That of a cotangent: what is unreduced there is reduced here, and the other way round."""
        return self.update(unreduced=self.reduced, reduced=self.unreduced)

    def __len__(self) -> int:
        return len(self.partitions)

    def __iter__(self) -> Iterator[Any]:
        return iter(self.partitions)

    def __getitem__(self, index: Any) -> Any:
        return self.partitions[index]

    def __contains__(self, part: Any) -> bool:
        return part in self.partitions

    def index(self, value: Any) -> int:
        """Number of the first axis that has this part."""
        return self.partitions.index(_canonical(value) if isinstance(value, (tuple, list)) else value)

    def count(self, value: Any) -> int:
        """How many axes have this part."""
        return self.partitions.count(_canonical(value) if isinstance(value, (tuple, list)) else value)

    def __add__(self, other: Any) -> PartitionSpec:
        if isinstance(other, PartitionSpec):
            return PartitionSpec(*self.partitions, *other.partitions, unreduced=self.unreduced | other.unreduced,
                                 reduced=self.reduced | other.reduced)
        if not isinstance(other, tuple):
            return NotImplemented
        return self.update(partitions=(*self.partitions, *other))

    def __radd__(self, other: Any) -> PartitionSpec:
        return self.update(partitions=(*other, *self.partitions)) if isinstance(other, tuple) else NotImplemented

    def __hash__(self) -> int:
        return self._hash

    def __eq__(self, other: object) -> bool:
        if self is other:
            return True
        return (isinstance(other, PartitionSpec) and self._hash == other._hash and self.partitions == other.partitions
                and self.unreduced == other.unreduced and self.reduced == other.reduced)

    def __reduce__(self) -> tuple:
        return _rebuilt, (self.partitions, self.unreduced, self.reduced)

    def __repr__(self) -> str:
        parts = ", ".join(map(repr, self.partitions))
        sums = [f"{word}={_set_text(axes)}" for word, axes in (("unreduced", self.unreduced), ("reduced", self.reduced))
                if axes]
        if sums:
            return f"P({', '.join([*([parts] if parts else []), *sums])})"
        return f"P({parts}{',' if len(self.partitions) == 1 else ''})"


_NONE: frozenset = frozenset()


def _rebuilt(partitions: tuple, unreduced: frozenset, reduced: frozenset) -> PartitionSpec:
    return PartitionSpec(*partitions, unreduced=unreduced, reduced=reduced)


def _canonical(part: Any) -> Any:
    """One name for a tuple of one, `None` for an empty tuple."""
    nested = next((p for p in part if isinstance(p, (tuple, list))), None)
    if nested is not None:
        raise SpecError(kind="nested", what=repr(tuple(part))[:60], got=repr(nested)[:60])
    return tuple(part) if len(part) > 1 else part[0] if part else None


def names_in(part: Any) -> tuple:
    """The mesh axes of one entry of a `PartitionSpec`."""
    if part is None or part is UNCONSTRAINED:
        return ()
    return part if isinstance(part, tuple) else (part,)


def _set_text(axes: Any) -> str:
    return "{" + ", ".join(sorted(map(repr, axes))) + "}"


__all__ = ["UNCONSTRAINED", "PartitionSpec", "names_in"]
