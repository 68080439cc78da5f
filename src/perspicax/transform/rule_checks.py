"""What the rules of primitives return, looked at where they return it: while `jax_enable_checks` is on.

A rule whose pair has the wrong form is always reported; what costs something for each equation is asked here.
"""
from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from perspicax.core.config import enable_checks
from perspicax.core.errors import TokenOperandError, axis_result, batched_result, tangent_result
from perspicax.core.primitive import Primitive
from perspicax.core.trace import Zero
from perspicax.core.tracer import get_aval
from perspicax.diagnose.errors import PerspicaxError

__all__ = ["check_batched", "check_tangents", "same_type", "watching"]


class _Watching:
    """Whether any thread may have switched the checks on: the one question that they cost while they are off."""

    __slots__ = ("any",)

    def __init__(self) -> None:
        self.any = enable_checks.touched


watching = _Watching()
enable_checks.watch(watching.__init__)  # type: ignore[misc]


def same_type(found: Any, wanted: Any) -> bool:
    """Whether a tangent or cotangent may stand for a value of type `wanted`; a weak type is no difference."""
    if found is wanted:
        return True
    try:
        return found.shape == wanted.shape and found.dtype == wanted.dtype
    except TokenOperandError:
        return False


def check_tangents(primitive: Primitive, outs: Sequence[Any], tangents: Sequence[Any]) -> None:
    """Each tangent has the type that goes with its result.

    Raises:
        RuleResultError: naming the primitive, and which result it is.
    """
    if not enable_checks.value:
        return
    for index, (x, t) in enumerate(zip(outs, tangents)):
        found = t.aval if type(t) is Zero else get_aval(t)
        wanted = get_aval(x).to_tangent_aval()
        if not same_type(found, wanted):
            raise tangent_result(primitive, index, get_aval(x), wanted, found, type(t) is Zero)


def check_batched(primitive: Primitive, values: tuple, size: int, args: Sequence[Any], axes: Sequence[int | None],
                  outs: Sequence[Any], out_axes: Sequence[Any]) -> None:
    """Each result has its batch axis where the rule says, and is without it what the type rule promises.

    Raises:
        RuleResultError: naming the primitive, and which result it is.
    """
    if not enable_checks.value:
        return
    for index, (x, axis) in enumerate(zip(outs, out_axes)):
        aval = get_aval(x)
        if axis is not None and not (type(axis) is int and 0 <= axis < len(aval.shape) and aval.shape[axis] == size):
            raise axis_result(primitive, index, aval, axis, size)
    for index, (x, axis, wanted) in enumerate(zip(outs, out_axes, _promised(primitive, values, args, axes))):
        found = get_aval(x) if axis is None else get_aval(x).unbatched(axis)
        if not same_type(found, wanted):
            raise batched_result(primitive, index, wanted, found)


def _promised(primitive: Primitive, values: tuple, args: Sequence[Any], axes: Sequence[int | None]) -> Sequence[Any]:
    """The types of the results for one element of the batch; none where they may depend on the batch, or are unknown."""
    if "axis_names" in primitive.extra or primitive.batch_call is not None:
        return ()
    avals = [get_aval(x) if a is None else get_aval(x).unbatched(a) for x, a in zip(args, axes)]
    try:
        out = primitive.infer(tuple(avals), values)
    except (PerspicaxError, TypeError, ValueError):  # they do not fit: which the type rule will say itself
        return ()
    return out if primitive.multiple_results else [out]
