"""Operations that only check shapes, as a library would: what calls them here is "the user"."""

from __future__ import annotations

import numpy as np

from perspicax.core.avals import ShapedArray
from perspicax.diagnose.source import mark_internal
from perspicax.numpy.errors import AxisError, BroadcastError, MatmulShapeError, ReshapeError

mark_internal(__file__)


class Shaped:
    """An array of which only the shape matters."""

    def __init__(self, *shape: int) -> None:
        self.aval = ShapedArray(shape, np.dtype("float32"))

    def __add__(self, other: Shaped) -> Shaped:
        try:
            return Shaped(*np.broadcast_shapes(self.aval.shape, other.aval.shape))
        except ValueError:
            raise BroadcastError.of("add", (self.aval, other.aval)) from None

    def __matmul__(self, other: Shaped) -> Shaped:
        a, b = self.aval.shape, other.aval.shape
        if not a or not b:
            raise MatmulShapeError(operation="matmul", avals=(self.aval, other.aval))
        if a[-1] != b[max(-2, -len(b))]:
            raise MatmulShapeError(operation="matmul", avals=(self.aval, other.aval), axes=(-1, max(-2, -len(b))))
        return Shaped(*a[:-1], *b[1:])

    def __mul__(self, other: Shaped) -> Shaped:
        return Shaped(*np.broadcast_shapes(self.aval.shape, other.aval.shape))

    def __getitem__(self, index: object) -> Shaped:
        return Shaped(*np.empty(self.aval.shape)[index].shape)

    @property
    def T(self) -> Shaped:
        return Shaped(*self.aval.shape[::-1])

    def sum(self, axis: int, keepdims: bool = False) -> Shaped:
        if not -len(self.aval.shape) <= axis < len(self.aval.shape):
            raise AxisError(function="jnp.sum", axis=axis, ndim=len(self.aval.shape))
        return Shaped(*np.empty(self.aval.shape).sum(axis=axis, keepdims=keepdims).shape)

    def reshape(self, *shape: int) -> Shaped:
        try:
            return Shaped(*np.empty(self.aval.shape).reshape(shape).shape)
        except ValueError:
            size = self.aval.size
            raise ReshapeError(type_text=self.aval.str_short(), shape=shape, size=size) from None
