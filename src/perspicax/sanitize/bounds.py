"""The sanitizer `bounds`: indices that lie outside the axis they index, in reads, updates and dynamic slices.

In programs the check of `checkify` finds them; of an operation that is applied by itself the indices are known. An index
that its user has thought of is no finding: one with a `mode=`, and those that functions of the library make for themselves.
"""
from __future__ import annotations

import ast
from collections.abc import Sequence
from typing import Any

import numpy as np

from perspicax.api.check_errors import CheckFailure
from perspicax.api.checkify_rules import EXTRA, OOB, Checker, check_indices
from perspicax.api.checks import Signature, Site
from perspicax.core.config import local
from perspicax.core.jaxpr import JaxprEqn
from perspicax.core.primitive import Primitive
from perspicax.core.tracer import get_aval
from perspicax.diagnose.expression import Expression, located
from perspicax.diagnose.place import Position
from perspicax.diagnose.report import Label
from perspicax.diagnose.source import operands_at, user_place
from perspicax.lax.gathering import GatherScatterMode, gather_p
from perspicax.lax.scattering import window_sizes
from perspicax.lax.slicing import dynamic_slice_p, dynamic_update_slice_p
from perspicax.sanitize.findings import OutOfBoundsIndex
from perspicax.sanitize.reading import library_function
from perspicax.sanitize.telling import found
from perspicax.xla.array import ArrayImpl

UPDATES = frozenset("getitem get set add subtract multiply mul min max divide power apply".split())
FUNCTIONS = frozenset("""
    take take_along_axis dynamic_slice dynamic_slice_in_dim dynamic_index_in_dim dynamic_update_slice
    dynamic_update_slice_in_dim dynamic_update_index_in_dim gather scatter scatter_add scatter_sub scatter_mul
    scatter_min scatter_max put_along_axis
""".split())
INDEXING = UPDATES | FUNCTIONS
"""What users call to index; other functions of the library index for themselves, and know what they do."""
SLICES = frozenset(name for name in FUNCTIONS if name.startswith("dynamic_")) | {"getitem"}
"""What clips its indices because it cannot do otherwise; others do where somebody says `mode="clip"`."""


class ClippedIndexCheck(CheckFailure, no_page="never leaves the sanitizer `bounds`, whose finding is OutOfBoundsIndex"):
    """A slice of a batch did not fit, and was moved."""


class _Clipped:
    """The check that is put into programs for slices of a batch, which are gathers and scatters that clip."""

    def signature(self, eqn: JaxprEqn) -> Signature | None:
        return OOB if eqn.params.get("mode") is GatherScatterMode.CLIP and _is_slice(eqn.place) else None

    def check(self, checker: Checker, eqn: JaxprEqn, args: Sequence[Any], outs: Sequence[Any], state: list) -> list:
        return check_indices(checker, eqn, args, state, ClippedIndexCheck, clipped=True)


EXTRA[ClippedIndexCheck] = _Clipped()


def _is_slice(place: Any) -> bool:
    return place is not None and operands_at(Position(*place)).operation in SLICES


def look(primitive: Primitive, args: tuple, values: tuple, results: Sequence[Any]) -> None:
    """Look at the indices of one operation."""
    if not (primitive is gather_p or primitive is dynamic_slice_p or primitive is dynamic_update_slice_p
            or primitive.name.startswith("scatter")):
        return
    params = primitive.unpack(values)
    clips = params.get("mode") is GatherScatterMode.CLIP
    for axis, column, last in _columns(primitive, args, params):
        outside = column[(column < 0) | (column > last)]
        if outside.size:
            if clips and not _is_slice(local.place or user_place()):
                return
            facts = primitive, params.get("mode"), get_aval(args[0]), last
            _tell(local.place or user_place(), int(outside.reshape(-1)[0]), axis, facts, "")
            return


def _columns(primitive: Primitive, args: tuple, params: dict[str, Any]) -> list[tuple[int, np.ndarray, int]]:
    """For each axis that is indexed: the indices, and the largest that fits."""
    sizes = np.shape(args[0])
    if primitive is dynamic_slice_p or primitive is dynamic_update_slice_p:
        first = 1 if primitive is dynamic_slice_p else 2
        window = params["slice_sizes"] if primitive is dynamic_slice_p else np.shape(args[1])
        return [(i, _value(x), sizes[i] - window[i]) for i, x in enumerate(args[first:])]
    numbers = params["dimension_numbers"]
    axes = numbers.start_index_map if primitive is gather_p else numbers.scatter_dims_to_operand_dims
    window = params["slice_sizes"] if primitive is gather_p else window_sizes(sizes, np.shape(args[2]), numbers)
    indices = _value(args[1])
    return [(int(axis), indices[..., i], sizes[axis] - window[axis]) for i, axis in enumerate(axes)]


def _value(x: Any) -> np.ndarray:
    return (x.value() if type(x) is ArrayImpl else np.asarray(x)).astype(np.int64)


def tell_site(site: Site, values: Sequence[np.ndarray], name: str) -> None:
    """Tell of a check within a program that failed."""
    index, axis = values
    *facts, last = site.facts
    _tell(site.place, int(index), int(axis), (*facts, last[int(axis)]), name)


def _tell(place: Any, index: int, axis: int, facts: tuple, function: str) -> None:
    primitive, mode, aval, last = facts
    position = None if place is None else Position(*place)
    operands = operands_at(position)
    if operands.operation and operands.operation not in INDEXING and library_function(position):
        return
    if _with_mode(position):
        return
    array, written = _operands(position)
    size = aval.shape[axis]
    writes = primitive.name.startswith("scatter") or primitive is dynamic_update_slice_p
    slices = last != size - 1  # several entries at once
    labels = []
    if array is not None:
        labels.append(Label(array.span, aval.str_short()))
    if written is not None:
        labels.append(Label(written.span, f"has the index {index}"))
    if slices:
        instead = "the slice was moved so that it fits"
    elif primitive is dynamic_update_slice_p or (writes and mode is GatherScatterMode.CLIP):
        instead = "the nearest entry was written in its place"
    elif writes:
        instead = "that update was left out"
    elif mode is GatherScatterMode.FILL_OR_DROP:
        instead = "a fill value (NaN for floating point) was read"
    else:
        instead = "the nearest entry was read in its place"
    shown = index - size if index < 0 and not slices and operands.operation in ("getitem", "set", "add", "get") else index
    found(OutOfBoundsIndex(array=array.text if array is not None else "", type_text=aval.str_short(), index=shown,
                           written=written.text if written is not None else "", axis=axis, size=size, last=last, writes=writes,
                           instead=instead, labels=tuple(labels), function=function, position=position))


def _with_mode(position: Position | None) -> bool:
    """Whether the user says what happens outside."""
    node = located(position)
    at: Any = node.node if node is not None else None
    while isinstance(at, ast.Call):
        if any(k.arg == "mode" for k in at.keywords):
            return True
        at = at.func.value if isinstance(at.func, ast.Attribute) else None
    return False


def _operands(position: Position | None) -> tuple[Expression | None, Expression | None]:
    """What is indexed, and by what, as the user wrote it."""
    expression = located(position)
    if expression is None:
        return None, None
    match expression.node:
        case ast.Subscript(value=ast.Attribute(value=array, attr="at"), slice=index) | ast.Subscript(value=array, slice=index):
            return expression.at(array), expression.at(index)
        case ast.Call(func=ast.Attribute(value=ast.Subscript(value=ast.Attribute(value=array, attr="at"), slice=index))):
            return expression.at(array), expression.at(index)
        case ast.Call():
            operands = operands_at(position)
            if operands.operation not in FUNCTIONS:  # a layer, say, that indexes inside
                given = list(expression.node.args)
                return None, expression.at(given[0]) if len(given) == 1 and not expression.node.keywords else None
            at = 2 if operands.operation.startswith("dynamic_update") else 1  # behind what is written
            named = map(operands.keyword, ("indices", "start_indices", "start_index", "index"))
            first = operands[0] if operands else None
            return first, operands[at] if len(operands) > at else next(filter(None, named), None)
    return None, None


__all__ = ["FUNCTIONS", "INDEXING", "UPDATES", "look", "tell_site"]
