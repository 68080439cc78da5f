"""Arguments that belong together: `jnp.zeros(3, 4)` for `jnp.zeros((3, 4))`, `jnp.concatenate(a, b)` for a list of both."""
from __future__ import annotations

import ast
from collections.abc import Mapping

from perspicax.diagnose.expression import located
from perspicax.diagnose.place import Place
from perspicax.diagnose.report import Edit, Fix

__all__ = ["array_list", "shape_tuple"]

_SEQUENCES: Mapping[str, int] = dict.fromkeys(
    ("concatenate", "stack", "vstack", "hstack", "dstack", "column_stack", "block", "concat"), 0)
_SHAPES: Mapping[str, int] = {
    **dict.fromkeys(("zeros", "ones", "empty"), 0),
    **dict.fromkeys(("uniform", "normal", "bits", "exponential", "gumbel", "cauchy", "laplace", "logistic", "rademacher"), 1)}


def array_list(place: Place) -> tuple[Fix, ...]:
    """One list of the arrays that a function of several arrays was given one by one."""
    return _grouped(place, _SEQUENCES, "[]", "put the arrays into one list")


def shape_tuple(place: Place) -> tuple[Fix, ...]:
    """One shape of the sizes that a function was given one by one."""
    return _grouped(place, _SHAPES, "()", "write the sizes as one shape")


def _grouped(place: Place, functions: Mapping[str, int], brackets: str, says: str) -> tuple[Fix, ...]:
    call = located(place)
    node = call.node if call is not None else None
    if call is None or not isinstance(node, ast.Call) or not isinstance(node.func, ast.Attribute | ast.Name):
        return ()
    first = functions.get(node.func.attr if isinstance(node.func, ast.Attribute) else node.func.id)
    if first is None or len(node.args) < first + 2:
        return ()
    if isinstance(node.args[first], ast.List | ast.Tuple | ast.Starred) or any(isinstance(a, ast.Starred) for a in node.args):
        return ()
    before, group = [call.at(a).text for a in node.args[:first]], [call.at(a).text for a in node.args[first:]]
    after = [f"{k.arg}={call.at(k.value).text}" if k.arg else f"**{call.at(k.value).text}" for k in node.keywords]
    arguments = ", ".join([*before, f"{brackets[0]}{', '.join(group)}{brackets[1]}", *after])
    return (Fix(says, edits=(Edit(call.span, f"{call.at(node.func).text}({arguments})"),)),)
