"""What the source tells about loops and branches: the arguments of the call, and what the functions return.

Only printed reports need it.
"""
from __future__ import annotations

import ast
from collections.abc import Iterator

from perspicax.diagnose.expression import Expression, located
from perspicax.diagnose.files import source_file
from perspicax.diagnose.place import Place, Span, function_name
from perspicax.diagnose.source import operands_at

_OWN_SCOPE = (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda, ast.ClassDef)


def argument(position: Place, functions: tuple[str, ...], index: int, keyword: str) -> Expression | None:
    """An argument of the call at `position`, if one of `functions` is called there."""
    found = operands_at(position)
    if found.operation not in functions:
        return None
    if keyword in found.keywords:
        return found.keywords[keyword]
    return found[index] if index < len(found) and found.complete else None


def definition_at(definition: Place) -> Expression | None:
    """A function's `def` or `lambda`, where it can be told.

    Args:
        definition: any place in the function's code.
    """
    if definition is None or isinstance(definition, Span):
        return None
    code = definition[0]
    file = source_file(code.co_filename)
    if file is None or file.tree is None or not file.holds(code):
        return None
    node: ast.AST | None = file.definitions.get((code.co_firstlineno, code.co_name))
    if node is None and code.co_name == "<lambda>":
        lambdas = [n for n in ast.walk(file.tree) if isinstance(n, ast.Lambda) and n.lineno == code.co_firstlineno
                   and [a.arg for a in n.args.args] == list(code.co_varnames[:code.co_argcount])]
        node = lambdas[0] if len(lambdas) == 1 else None
    return None if node is None else Expression(node, file, function_name(code))


def returned(definition: Place) -> Expression | None:
    """The expression that a function returns, where there is one only.

    Args:
        definition: any place in the function's code.
    """
    whole = definition_at(definition)
    if whole is None:
        return None
    if isinstance(whole.node, ast.Lambda):
        return whole.at(whole.node.body)
    found = list(_returns(whole.node)) if isinstance(whole.node, ast.FunctionDef) else []
    return whole.at(found[0]) if len(found) == 1 else None


def _returns(function: ast.AST) -> Iterator[ast.expr]:
    for child in ast.iter_child_nodes(function):
        if isinstance(child, ast.Return) and child.value is not None:
            yield child.value
        elif not isinstance(child, _OWN_SCOPE):
            yield from _returns(child)


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


__all__ = ["argument", "call_at", "definition_at", "entry", "first_of_pair", "returned", "value_of"]
