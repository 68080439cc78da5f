"""Identities of objects that two copies do not share: `flax.ids`."""
from __future__ import annotations

from itertools import count
from typing import Any

__all__ = ["FlaxId", "UUIDManager", "uuid"]


class FlaxId:
    """A number that no other id of this process has; a copy of it is a new one.

    A module keeps one, so that a copied module is told from the one it was copied from.
    """

    __slots__ = ("id",)

    def __init__(self, rawid: int) -> None:
        self.id = rawid

    def __eq__(self, other: object) -> bool:
        return isinstance(other, FlaxId) and other.id == self.id

    def __hash__(self) -> int:
        return hash(self.id)

    def __repr__(self) -> str:
        return f"FlaxId({self.id})"

    def __copy__(self) -> FlaxId:
        return uuid()

    def __deepcopy__(self, memo: dict[int, Any]) -> FlaxId:
        made = uuid()
        memo[id(self)] = made
        return made


class UUIDManager:
    """Hands out ids, in any thread."""

    def __init__(self) -> None:
        self._numbers = count(1)  # `next` of it is one step of the interpreter: it needs no lock

    def __call__(self) -> FlaxId:
        """The next id."""
        return FlaxId(next(self._numbers))


uuid = UUIDManager()
