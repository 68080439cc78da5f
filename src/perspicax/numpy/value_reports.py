"""The words and proposals for values that are no arrays: where they come from, and what was probably meant.

Asked when such an error is printed.
"""
from __future__ import annotations

import ast
from collections.abc import Container, Sequence

from perspicax.diagnose.errors import PerspicaxError
from perspicax.diagnose.expression import Expression, entry_at, entry_name
from perspicax.diagnose.place import Place
from perspicax.diagnose.report import Edit, Fix, Label, Report
from perspicax.diagnose.source import assignments_before, operands_at
from perspicax.transform.errors import with_article

__all__ = ["argument_at", "entry_report", "operand_labels", "tuple_fixes"]


def operand_labels(place: Place, index: int, names: Container[str], text: str) -> tuple[Label, ...]:
    """A label at an operand, if it can be told which one it is."""
    found = _operand(place, index, names)
    return () if found is None else (Label(found.span, text),)


def argument_at(place: Place, index: int, keyword: str, names: Container[str]) -> Expression | None:
    """An argument as the user wrote it, by keyword or by its place among the others (-1: by keyword alone)."""
    found = operands_at(place)
    if found.operation not in names:
        return None
    return found.keyword(keyword) or (found[index] if 0 <= index < len(found) else None)


def entry_report(error: PerspicaxError, function: str, index: int, value_type: str, path: Sequence[int]) -> Report:
    """Of a value that is no array within lists that are an argument."""
    argument = argument_at(error.position, index, "", {function.rpartition(".")[2]})
    found = entry_at(argument, path)
    text = entry_name(argument, path)
    given = "None" if value_type == "NoneType" else with_article(value_type)
    fixes: tuple[Fix, ...] = ()
    if value_type in ("list", "tuple"):
        says, code = "make an array of it first", f"jnp.asarray({found.text if found is not None else text or 'x'})"
        fixes = (Fix(says, edits=(Edit(found.span, code),)) if found is not None else Fix(says, code=code),)
    where = f"`{text}`, {given}" if text and (found is None or isinstance(found.node, ast.Name)) else given
    return Report(says=f"`{function}` was given {where}, among the arrays that it takes.",
                  labels=() if found is None else (Label(found.span, given),),
                  why="an entry is an array, an array of NumPy or a number", fixes=fixes)


def tuple_fixes(place: Place, index: int, names: Container[str]) -> tuple[Fix, ...]:
    """A tuple that a function returned is taken apart where it was assigned, or at the operand itself."""
    found = _operand(place, index, names)
    if found is None or not isinstance(found.node, ast.Name):
        return ()
    bound = next(iter(assignments_before(place, found.node.id)), None)
    if bound is None or bound.value is None or not isinstance(bound.value.node, ast.Call):
        return ()
    call: ast.Call = bound.value.node
    statement = bound.value.file.parent(call)
    if not isinstance(statement, ast.Assign) or len(statement.targets) != 1 or not isinstance(statement.targets[0], ast.Name):
        return ()
    several = any(k.arg == "mutable" for k in call.keywords)
    name = found.node.id
    says = "with `mutable=`, `apply` returns the result and the changed variables: take both" if several else (
        "it is what a call returned: take it apart there")
    target = bound.value.at(statement.targets[0])
    return (Fix(says, edits=(Edit(target.span, f"{name}, {'updates' if several else 'rest'}"),)),)


def _operand(place: Place, index: int, names: Container[str]) -> Expression | None:
    found = operands_at(place)
    return found[index] if found.operation in names and 0 <= index < len(found) else None
