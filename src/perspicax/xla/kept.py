"""Arrays that Perspicax keeps for its own use, such as small constants: `live_arrays` does not list them."""
from __future__ import annotations

import weakref
from typing import Any

from perspicax.xla.array import ArrayImpl

_all: weakref.WeakValueDictionary[int, KeptArrays] = weakref.WeakValueDictionary()


class KeptArrays(dict[Any, ArrayImpl]):
    """Such arrays by any key."""

    __slots__ = ("__weakref__",)

    def __init__(self) -> None:
        super().__init__()
        _all[id(self)] = self


def without_kept(arrays: list[ArrayImpl]) -> list[ArrayImpl]:
    """Those of `arrays` that Perspicax does not keep for itself."""
    own = {id(x) for kept in list(_all.values()) for x in list(kept.values())}
    return [x for x in arrays if id(x) not in own]


__all__ = ["KeptArrays", "without_kept"]
