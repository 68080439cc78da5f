"""What the source tells about a function: its definition, and what it returns.

Only printed reports need it.
"""
from __future__ import annotations

import ast
from collections.abc import Iterator

from perspicax.diagnose.expression import Expression
from perspicax.diagnose.files import source_file
from perspicax.diagnose.frames import INTERNAL, kind_of
from perspicax.diagnose.place import Place, Position, Span, function_name
from perspicax.diagnose.source import code_of

__all__ = ["definition_at", "definition_of", "returned", "returned_all"]

_OWN_SCOPE = (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda, ast.ClassDef)


def definition_of(fun: object) -> Position | None:
    """A place in a user's function, for reports; None for functions of our own."""
    code = code_of(fun)
    return None if code is None or kind_of(code.co_filename) == INTERNAL else Position(code, 0)


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
    found = returned_all(definition)
    return found[0] if found is not None and len(found) == 1 else None


def returned_all(definition: Place) -> list[Expression] | None:
    """All expressions that a function returns, none where it ends without a value; None where that cannot be told.

    Args:
        definition: any place in the function's code.
    """
    whole = definition_at(definition)
    if whole is None:
        return None
    if isinstance(whole.node, ast.Lambda):
        return [whole.at(whole.node.body)]
    return [whole.at(node) for node in _returns(whole.node)] if isinstance(whole.node, ast.FunctionDef) else None


def _returns(function: ast.AST) -> Iterator[ast.expr]:
    for child in ast.iter_child_nodes(function):
        if isinstance(child, ast.Return) and child.value is not None:
            yield child.value
        elif not isinstance(child, _OWN_SCOPE):
            yield from _returns(child)
