"""Extended dtypes in the manner of `jax._src.dtypes`: what an element is made of is told by an object `_rules`."""
from __future__ import annotations

from typing import Any

import numpy as np

from perspicax.core.dtypes import ExtendedDType as OurExtendedDType
from perspicax.core.dtypes import finfo

__all__ = ["ExtendedDType", "supports_inf"]


class ExtendedDType(OurExtendedDType):
    """The base of Flax's dtypes for scales of 8-bit numbers."""

    _rules: Any

    @property
    def physical_dtype(self) -> np.dtype:
        """The dtype of the numbers in an element."""
        return np.dtype(self._rules.physical_element_aval(self).dtype)

    @property
    def physical_shape(self) -> tuple[int, ...]:
        """The shape of the numbers in an element."""
        return tuple(self._rules.physical_element_aval(self).shape)


def supports_inf(dtype: Any) -> bool:
    """Whether a floating dtype has infinities: some of 8 and fewer bits have none."""
    return bool(np.isinf(np.array(np.inf).astype(finfo(dtype).dtype).astype(np.float32)))
