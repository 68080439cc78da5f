"""Stands for `jax._src.tree_util._registry`: NNX asks it whether instances of a class are nodes of pytrees."""
from __future__ import annotations

from collections import OrderedDict, defaultdict
from typing import Any

from perspicax.core.tree_paths import registered_at

__all__ = ["registry"]

_BUILT_IN = frozenset({tuple, list, dict, type(None), OrderedDict, defaultdict})


class _Registry:
    """Whether a class is registered; what its functions are is not told."""

    def __contains__(self, kind: Any) -> bool:
        return kind in _BUILT_IN or kind in registered_at


registry = _Registry()
