"""What the source tells about loops and branches: the arguments of the call, and what the functions return.

Only printed reports need it.
"""
from __future__ import annotations

import ast

from perspicax.diagnose.definitions import definition_at, returned, returned_all
from perspicax.diagnose.expression import Expression, located
from perspicax.diagnose.place import Place
from perspicax.diagnose.report import Edit, Fix
from perspicax.diagnose.source import operands_at


def argument(position: Place, functions: tuple[str, ...], index: int, keyword: str) -> Expression | None:
    """An argument of the call at `position`, if one of `functions` is called there."""
    found = operands_at(position)
    if found.operation not in functions:
        return None
    if keyword in found.keywords:
        return found.keywords[keyword]
    return found[index] if index < len(found) and found.complete else None


def function_label(definition: Place) -> Place:
    """Where a function begins."""
    whole = definition_at(definition)
    return definition if whole is None else whole.span


def branch_fixes(position: Place, parameter: str) -> tuple[Fix, ...]:
    """Functions in place of values that were given as branches of `cond`: those that were called there, or lambdas."""
    both = [argument(position, ("cond",), i, name) for i, name in ((1, "true_fun"), (2, "false_fun"))]
    calls = [e.node for e in both if e is not None and isinstance(e.node, ast.Call)]
    if len(calls) == 2:
        first, second = calls
        operands = [ast.unparse(a) for a in first.args]
        if operands == [ast.unparse(a) for a in second.args] and not first.keywords and not second.keywords:
            true, false = [e for e in both if e is not None]
            names = [ast.unparse(c.func) for c in calls]
            return (Fix("pass the functions, and behind them what to call them with",
                        edits=(Edit(true.span, names[0]), Edit(false.span, ", ".join([names[1], *operands])))),)
    one = both[parameter == "false_fun"]
    if one is None:
        return (Fix("wrap a value in a function", code="lambda: value"),)
    return (Fix("wrap the value in a function", edits=(Edit(one.span, f"lambda: {one.text}"),)),)


def call_at(position: Place) -> Expression | None:
    """The whole call at `position`."""
    found = located(position)
    return found if found is not None and isinstance(found.node, ast.Call) else None


def value_of(function: Expression | None) -> str:
    """What a lambda without parameters returns; empty for anything else."""
    if function is None or not isinstance(function.node, ast.Lambda):
        return ""
    given = function.node.args
    if given.args or given.posonlyargs or given.kwonlyargs or given.vararg or given.kwarg:
        return ""
    return function.at(function.node.body).text


def first_of_pair(pair: Expression | None) -> Expression | None:
    """The first of two expressions in a tuple."""
    if pair is None or not isinstance(pair.node, ast.Tuple | ast.List) or len(pair.node.elts) != 2:
        return None
    return pair.at(pair.node.elts[0])


def entry(whole: Expression | None, path: str) -> Expression | None:
    """The part of a displayed container that stands at a path: `['w'][0]` of `{"w": (x, y)}`."""
    for key in _keys(path):
        if whole is None:
            return None
        match whole.node:
            case ast.Dict(keys=keys, values=values):
                at = [v for k, v in zip(keys, values) if isinstance(k, ast.Constant) and k.value == key]
            case ast.Tuple(elts=elements) | ast.List(elts=elements) if isinstance(key, int) and key < len(elements):
                at = [elements[key]] if not any(isinstance(e, ast.Starred) for e in elements) else []
            case _:
                at = []
        whole = whole.at(at[0]) if len(at) == 1 else None
    return whole


def _keys(path: str) -> list[str | int]:
    if not path:
        return []
    try:
        node: ast.AST = ast.parse(f"x{path}", mode="eval").body
    except SyntaxError:
        return []
    keys: list[str | int] = []
    while isinstance(node, ast.Subscript) and isinstance(node.slice, ast.Constant):
        keys.append(node.slice.value)  # type: ignore[arg-type]
        node = node.value
    return keys[::-1]


__all__ = ["argument", "branch_fixes", "call_at", "definition_at", "entry", "first_of_pair", "function_label",
           "returned", "returned_all", "value_of"]
