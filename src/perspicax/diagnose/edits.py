"""Edits of calls, for proposals."""
from __future__ import annotations

import ast

from perspicax.diagnose.expression import Expression
from perspicax.diagnose.report import Edit

__all__ = ["with_keyword"]


def with_keyword(call: Expression, keyword: str, value: str) -> Edit:
    """A call with a keyword argument: in place of the value that it has, or behind the others.

    Args:
        call: an expression that is a call.
        keyword: name of the argument.
        value: its new text.
    """
    node = call.node
    if not isinstance(node, ast.Call):
        return Edit(call.span, call.text)
    given = next((k.value for k in node.keywords if k.arg == keyword), None)
    if given is not None:
        return Edit(call.at(given).span, value)
    inside = call.text[:-1].rstrip().rstrip(",")
    return Edit(call.span, f"{inside}{', ' if node.args or node.keywords else ''}{keyword}={value})")
