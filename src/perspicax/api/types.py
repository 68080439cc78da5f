"""Types for annotations: what functions take as an array, and as a dtype."""
from __future__ import annotations

from typing import Any, Protocol

import numpy as np

from perspicax.core.array import Array

__all__ = ["ArrayLike", "DTypeLike", "SupportsDType"]


class SupportsDType(Protocol):
    """Anything with a dtype."""

    @property
    def dtype(self) -> np.dtype[Any]:
        """The dtype."""


ArrayLike = Array | np.ndarray | np.bool_ | np.number | bool | int | float | complex
"""What functions take where they say they take an array."""

DTypeLike = str | type[Any] | np.dtype | SupportsDType
"""What functions take where they say they take a dtype."""
