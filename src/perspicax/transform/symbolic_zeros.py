"""Tangents, cotangents and arguments as rules see them that asked for `symbolic_zeros`."""
from __future__ import annotations

from typing import Any

import numpy as np

from perspicax.core import dtypes
from perspicax.core.trace import Zero
from perspicax.core.tracer import get_aval
from perspicax.diagnose.errors import PerspicaxError
from perspicax.diagnose.report import Report
from perspicax.transform import trees as tree
from perspicax.transform.hooks import lax

__all__ = [
    "CustomVJPPrimal", "NotPerturbedPairError", "SymbolicZero", "custom_vjp_primal_tree_values", "from_user", "to_user",
    "zero_from_primal",
]


class SymbolicZero:
    """A tangent or cotangent that is known to be zero, for rules that asked for `symbolic_zeros`.

    Attributes:
        aval: its type; `shape`, `dtype` and `ndim` as well.
    """

    def __init__(self, aval: Any) -> None:
        self.aval = aval

    shape = property(lambda self: self.aval.shape)
    dtype = property(lambda self: self.aval.dtype)
    ndim = property(lambda self: len(self.aval.shape))
    size = property(lambda self: self.aval.size)
    weak_type = property(lambda self: self.aval.weak_type)

    @staticmethod
    def from_primal_value(val: Any) -> SymbolicZero:
        """The zero tangent of a value."""
        return SymbolicZero(_tangent_aval(val))

    def __repr__(self) -> str:
        return f"SymbolicZero({self.aval.str_short()})"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, SymbolicZero) and self.aval is other.aval

    def __hash__(self) -> int:
        return hash((SymbolicZero, self.aval))


class CustomVJPPrimal:
    """An argument as `fwd` gets it when it asked for `symbolic_zeros`.

    Attributes:
        value: the argument.
        perturbed: whether it is differentiated.
    """

    __slots__ = ("perturbed", "value")

    def __init__(self, value: Any, perturbed: bool) -> None:
        self.value, self.perturbed = value, perturbed

    def __repr__(self) -> str:
        return f"CustomVJPPrimal(value={self.value}, perturbed={self.perturbed})"


class NotPerturbedPairError(PerspicaxError, TypeError):
    """A leaf that should be a `CustomVJPPrimal` is something else.

    Attributes:
        path: of the leaf.
        value_type: its class.
    """

    path: str
    value_type: str

    @property
    def report(self) -> Report:
        return Report(says=f"`custom_vjp_primal_tree_values` found a {self.value_type} in `{self.path}`, not a "
                           "CustomVJPPrimal.",
                      why="it takes the arguments as `fwd` gets them when `defvjp` was told `symbolic_zeros=True`")


def to_user(t: Any) -> Any:
    """A tangent or cotangent for a rule that asked for symbolic zeros."""
    return SymbolicZero(t.aval) if type(t) is Zero else t


def from_user(t: Any) -> Any:
    """The reverse."""
    return Zero(t.aval) if type(t) is SymbolicZero else t


def _tangent_aval(val: Any) -> Any:
    aval: Any = get_aval(val)
    return aval.to_tangent_aval()


def zero_from_primal(val: Any, symbolic_zeros: bool = False) -> Any:
    """The zero tangent of a value, for custom derivative rules.

    Args:
        val: a pytree of arrays and numbers; the tangent of an integer is of dtype `float0`.
        symbolic_zeros: whether to return `SymbolicZero`s instead of arrays.

    Returns:
        A pytree of the same structure.

    Raises:
        NotAnArrayError: a leaf is neither an array nor a number.
    """
    def zero(leaf: Any) -> Any:
        aval = _tangent_aval(leaf)
        if symbolic_zeros:
            return SymbolicZero(aval)
        return np.zeros(aval.shape, dtypes.float0) if aval.dtype == dtypes.float0 else lax().zeros(aval)

    leaves, structure = tree.flatten(val)
    return structure.unflatten([zero(leaf) for leaf in leaves])


def custom_vjp_primal_tree_values(tree_of_pairs: Any) -> Any:
    """The values in a pytree of `CustomVJPPrimal`s, as a pytree of the same structure.

    Args:
        tree_of_pairs: an argument, or several, as `fwd` gets them when it asked for `symbolic_zeros`.

    Raises:
        NotPerturbedPairError: a leaf is no `CustomVJPPrimal`.
    """
    pairs, structure = tree.flatten_with_path(tree_of_pairs)
    for path, leaf in pairs:
        if type(leaf) is not CustomVJPPrimal:
            raise NotPerturbedPairError(path=f"tree{tree.keystr(path)}", value_type=type(leaf).__name__)
    return structure.unflatten([leaf.value for _, leaf in pairs])
