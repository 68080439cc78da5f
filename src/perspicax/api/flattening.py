"""Pytrees as one vector, and back."""
from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from perspicax.api.wrapping import public
from perspicax.core import dtypes, tree
from perspicax.core.avals import ShapedArray
from perspicax.core.promotion import result_type
from perspicax.core.tracer import get_aval
from perspicax.diagnose.errors import PerspicaxError
from perspicax.diagnose.report import Fix, Report
from perspicax.lax.convert import convert_element_type, convert_to
from perspicax.lax.operand import operand
from perspicax.lax.shape import broadcast_in_dim, concatenate, reshape
from perspicax.lax.slicing import slice_in_dim

__all__ = ["ravel_pytree"]


class UnravelError(PerspicaxError, ValueError, TypeError):
    """A vector does not fit the pytree that it should become.

    Attributes:
        expected: the type of the vectors that fit.
        got: the type of this one.
    """

    expected: str
    got: str

    @property
    def report(self) -> Report:
        return Report(says=f"The pytree is made of a vector of type {self.expected}, not {self.got}.",
                      why="the function that `ravel_pytree` returned takes apart what is like the vector it came with",
                      fixes=(Fix("reshape or convert the vector first"),))


class Unravel:
    """Takes a vector apart into a pytree; two of the same pytree are equal, so that jit traces once for both."""

    __slots__ = ("avals", "dtype", "structure")

    def __init__(self, structure: Any, avals: Sequence[Any], dtype: Any) -> None:
        self.structure, self.avals, self.dtype = structure, tuple(avals), dtype

    @public
    def __call__(self, vector: Any) -> Any:
        aval: Any = get_aval(operand(vector))
        size = sum([a.size for a in self.avals])
        mixed = any(a.dtype != self.dtype for a in self.avals)
        if aval.shape != (size,) or (mixed and aval.dtype != self.dtype):
            raise UnravelError(expected=ShapedArray((size,), self.dtype).str_short(), got=aval.str_short())
        start, leaves = 0, []
        for leaf in self.avals:
            part = reshape(slice_in_dim(vector, start, start + leaf.size), leaf.shape)
            leaves.append(convert_element_type(part, leaf.dtype) if mixed else part)
            start += leaf.size
        return self.structure.unflatten(leaves)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Unravel) and self._key() == other._key()

    def __hash__(self) -> int:
        return hash(self._key())

    def _key(self) -> tuple:
        return self.structure, self.avals, self.dtype


@public
def ravel_pytree(pytree: Any) -> tuple[Any, Callable[[Any], Any]]:
    """All elements of a pytree in one vector, and the function that makes the pytree of it again.

    Args:
        pytree: of arrays and numbers.

    Returns:
        `(vector, unravel)`: the elements in the order of the leaves, in the dtype that all leaves promote to, and a
        function from such a vector to a pytree of the leaves' shapes and dtypes.

    Raises:
        UnravelError: by `unravel`, for a vector of another size or dtype.

    Differs: JAX also takes an array of more axes apart whose first axis has the right size.

    >>> vector, unravel = ravel_pytree({"w": jnp.ones((2, 2)), "b": 3.0})
    >>> vector
    Array([3., 1., 1., 1., 1.], dtype=float32)
    """
    leaves, structure = tree.tree_flatten(pytree)
    leaves = [operand(x) for x in leaves]
    if not leaves:
        nothing = np.zeros((), dtypes.default_dtype("float"))
        return broadcast_in_dim(nothing, (0,), ()), Unravel(structure, (), nothing.dtype)
    avals: list[Any] = [get_aval(x) for x in leaves]
    dtype, weak = result_type(*leaves, return_weak_type_flag=True)
    wanted = [ShapedArray((a.size,), dtype, weak) for a in avals]
    flat = [convert_to(reshape(x, (a.size,)), w) for x, a, w in zip(leaves, avals, wanted)]
    return concatenate(flat, 0) if len(flat) > 1 else flat[0], Unravel(structure, avals, dtype)
