"""`ManualAxisType`: of which kind a value is along the axes over which `shard_map` maps."""
from __future__ import annotations

from typing import Any

from perspicax.diagnose.boundary import public_methods
from perspicax.xla.sharding_errors import SpecError

__all__ = ["ManualAxisType"]

_NONE: frozenset = frozenset()


@public_methods("__init__", "update")
class ManualAxisType:
    """Of which kind a value is along axes of a mesh, inside of `shard_map`; along all others it is the same for all.

    Args:
        varying: the axes along which it differs from device to device.
        unreduced: those along which each device has a part of a sum that has not been made yet.
        reduced: those along which it is the same for all, and its cotangent is such a sum.

    Raises:
        SpecError: one of them is no set, or an axis along which it varies stands in another one.
    """

    __slots__ = ("reduced", "unreduced", "varying")

    varying: frozenset
    unreduced: frozenset
    reduced: frozenset

    def __init__(self, *, varying: Any = _NONE, unreduced: Any = _NONE, reduced: Any = _NONE) -> None:
        for name, given in (("varying", varying), ("unreduced", unreduced), ("reduced", reduced)):
            if not isinstance(given, (set, frozenset)):
                raise SpecError(kind="manual set", what=name, got=repr(given)[:60])
            object.__setattr__(self, name, frozenset(given))
        for name, others in (("unreduced", self.unreduced), ("reduced", self.reduced)):
            both = self.varying & others
            if both:
                raise SpecError(kind="manual", what="varying", got="{" + ", ".join(sorted(map(repr, both))) + "}",
                                where=f"`{name}`")

    def __setattr__(self, name: str, value: Any) -> None:
        raise AttributeError(f"`{name}` of a ManualAxisType stays as it is; `update` makes another one")

    def update(self, **changes: Any) -> ManualAxisType:
        """The same with some fields (`varying`, `unreduced`, `reduced`) changed."""
        return ManualAxisType(**{"varying": self.varying, "unreduced": self.unreduced, "reduced": self.reduced, **changes})

    def to_ct_mat(self) -> ManualAxisType:
        """That of a cotangent: what is unreduced there is reduced here, and the other way round."""
        return self.update(unreduced=self.reduced, reduced=self.unreduced)

    @property
    def vur(self) -> frozenset:
        """All axes that it speaks of."""
        return self.varying | self.unreduced | self.reduced

    @property
    def empty(self) -> bool:
        """Whether the value is the same for all."""
        return not self.vur

    def invarying(self, mesh: Any) -> frozenset:
        """The axes of the type Manual of a mesh along which the value is the same for all, and has no such cotangent."""
        return frozenset(mesh.manual_axes) - self.vur

    def __eq__(self, other: object) -> bool:
        return isinstance(other, ManualAxisType) and self._key() == other._key()

    def __hash__(self) -> int:
        return hash(self._key())

    def _key(self) -> tuple[frozenset, frozenset, frozenset]:
        return self.varying, self.unreduced, self.reduced

    def __reduce__(self) -> tuple:
        return _rebuilt, self._key()

    def __repr__(self) -> str:
        return f"ManualAxisType(varying={self.varying}, unreduced={self.unreduced}, reduced={self.reduced})"


def _rebuilt(varying: frozenset, unreduced: frozenset, reduced: frozenset) -> ManualAxisType:
    return ManualAxisType(varying=varying, unreduced=unreduced, reduced=reduced)
