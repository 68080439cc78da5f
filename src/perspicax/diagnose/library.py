"""Where an error came up within a function of an installed package, and what the user passed to it.

The traceback leads from the user's call through the package to the operation that failed. At each call on the way the names of
parameters are matched with the expressions that were passed, so that a report can speak of what the user wrote, and can quote
what the package's own documentation says of it.
"""
from __future__ import annotations

import ast
import inspect
import itertools
import re
from collections.abc import Iterator, Mapping
from types import CodeType, FrameType, TracebackType
from typing import Any, NamedTuple

from perspicax.diagnose.expression import Expression, located
from perspicax.diagnose.files import source_file
from perspicax.diagnose.frames import LIBRARY, USER, kind_of
from perspicax.diagnose.place import Position, function_name

__all__ = ["Inside", "inside_library"]

_MOST_QUOTED = 240  # characters of a documentation
_VARARGS = 0x04  # a flag of code objects


class Inside(NamedTuple):
    """A place within a package that the user called.

    Attributes:
        place: of the operation.
        called: the function of the package that the user called.
        package: its name.
        given: names of the function at `place` that are still what the user passed, as he wrote it.
        outer: the code of `called`.
        passed: the parameters of `called` with what the user passed for them.
        held: the names of the function at `place`, with their values.
        trees: what the user passed in his call: by his name for it, or else the parameter's; as he wrote it; and its value.
    """

    place: Position
    called: str
    package: str
    given: dict[str, Expression]
    outer: CodeType
    passed: dict[str, Expression]
    held: Mapping[str, Any]
    trees: tuple[tuple[str, Expression, Any], ...]

    def documented(self, name: str) -> str:
        """What the documentation of `called` says of a parameter, by what the user wrote for it; empty if it says nothing."""
        parameter = next((p for p, e in self.passed.items() if e.text == name), "")
        said = _documentation(self.outer, parameter) if parameter else ""
        return f"{self.package} says of `{parameter}`: {said}" if said else ""


def inside_library(error: BaseException) -> Inside | None:
    """Where within a package an error came up; None if it came up in the user's own code, or while it is not raised yet."""
    entries = _entries(error.__traceback__)
    last_user = max([i for i, (frame, _) in enumerate(entries) if kind_of(frame.f_code.co_filename) == USER], default=-1)
    frames = [(frame, lasti) for frame, lasti in entries[last_user + 1:] if kind_of(frame.f_code.co_filename) == LIBRARY]
    if last_user < 0 or not frames:
        return None
    users, user_lasti = entries[last_user]
    inner = [(frame.f_code, lasti) for frame, lasti in frames]
    chain = [(users.f_code, user_lasti), *inner]
    given: dict[str, Expression] = {}
    passed: dict[str, Expression] = {}
    for step, ((caller, lasti), (callee, _)) in enumerate(itertools.pairwise(chain)):
        given = _matched(located((caller, lasti)), callee, None if step == 0 else given)
        if step == 0:
            passed = given
    code, lasti = inner[-1]
    call, outer = located(chain[0]), frames[0][0]
    bound = _bound(call, outer, passed) if entries[last_user + 1][0] is outer else []
    return Inside(Position(code, lasti), function_name(outer.f_code), _package(outer.f_code.co_filename),
                  {name: e for name, e in given.items() if not _rebound(code, name)}, outer.f_code, passed,
                  frames[-1][0].f_locals, tuple(_values(call, users, bound)))


def _entries(entry: TracebackType | None) -> list[tuple[FrameType, int]]:
    found = []
    while entry is not None:
        found.append((entry.tb_frame, entry.tb_lasti))
        entry = entry.tb_next
    return found


def _values(call: Expression | None, frame: FrameType,
            bound: list[tuple[str, Expression, Any]]) -> Iterator[tuple[str, Expression, Any]]:
    """The arguments of the user's call, and the object whose method he calls, with their values, where these are known.

    Args:
        call: the call.
        frame: the user's.
        bound: what the parameters of the called function have got.
    """
    if call is None or not isinstance(call.node, ast.Call):
        return
    receiver = [call.node.func.value] if isinstance(call.node.func, ast.Attribute) else []
    for node in (*call.node.args, *[keyword.value for keyword in call.node.keywords], *receiver):
        value = _value_of(node, frame)
        if value is not None:
            written = call.at(node)
            yield written.text, written, value
    yield from bound


def _bound(call: Expression | None, frame: FrameType, passed: dict[str, Expression]) -> list[tuple[str, Expression, Any]]:
    """The parameters of a running function, with what was passed for them and their values."""
    code, held = frame.f_code, frame.f_locals
    found = [(name, e, held.get(name)) for name, e in passed.items() if not _rebound(code, name)]
    if call is not None and isinstance(call.node, ast.Call) and code.co_flags & _VARARGS:
        name = code.co_varnames[code.co_argcount + code.co_kwonlyargcount]
        several = held.get(name)
        if isinstance(several, tuple) and several and not any(isinstance(node, ast.Starred) for node in call.node.args):
            nodes = call.node.args[-len(several):]
            found += [(f"{name}[{i}]", call.at(node), value) for i, (node, value) in enumerate(zip(nodes, several))]
    return found


def _value_of(node: ast.expr, frame: FrameType) -> Any:
    """What a name stands for, or an attribute (no property) or an entry of what it stands for; None where that is not known."""
    match node:
        case ast.Name(id=name):
            return frame.f_locals.get(name, frame.f_globals.get(name))
        case ast.Attribute(value=inner, attr=name):
            owner = _value_of(inner, frame)
            if isinstance(owner, tuple) and name in getattr(owner, "_fields", ()):
                return getattr(owner, name)
            return getattr(owner, "__dict__", {}).get(name)
        case ast.Subscript(value=inner, slice=ast.Constant(value=key)):
            owner = _value_of(inner, frame)
            if isinstance(owner, dict):
                return owner.get(key)
            if isinstance(owner, tuple | list) and type(key) is int and key < len(owner):
                return owner[key]
    return None


def _package(filename: str) -> str:
    parts = filename.replace("\\", "/").split("/")
    for folder in ("site-packages", "dist-packages"):
        if folder in parts:
            return parts[parts.index(folder) + 1].removesuffix(".py")
    return "the standard library"


def _matched(call: Expression | None, callee: CodeType, known: dict[str, Expression] | None) -> dict[str, Expression]:
    """The parameters of a function with what the user passed.

    Args:
        call: the call.
        callee: the function that is called.
        known: in a package, the names that stand for something of the user's; None where the user calls.
    """
    if call is None or not isinstance(call.node, ast.Call) or (callee.co_flags & _VARARGS and not callee.co_argcount):
        return {}
    names = list(callee.co_varnames[:callee.co_argcount + callee.co_kwonlyargcount])
    positional = names[:callee.co_argcount]
    if positional[:1] in (["self"], ["cls"]):
        positional = positional[1:]
    found: dict[str, Expression] = {}
    for name, argument in zip(positional, call.node.args):
        if isinstance(argument, ast.Starred):
            break
        _note(found, name, call.at(argument), known)
    for keyword in call.node.keywords:
        if keyword.arg in names:
            _note(found, keyword.arg, call.at(keyword.value), known)
    return found


def _note(found: dict[str, Expression], name: str, argument: Expression, known: dict[str, Expression] | None) -> None:
    if known is None:
        found[name] = argument
    elif isinstance(argument.node, ast.Name) and argument.node.id in known:
        found[name] = known[argument.node.id]


def _definition(code: CodeType) -> ast.FunctionDef | ast.AsyncFunctionDef | None:
    file = source_file(code.co_filename)
    node = file.definitions.get((code.co_firstlineno, code.co_name)) if file is not None else None
    return node if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) else None


def _rebound(code: CodeType, name: str) -> bool:
    """Whether a function binds a parameter anew, so that it may be something else than what was passed."""
    node = _definition(code)
    return node is None or any(isinstance(n, ast.Name) and n.id == name and not isinstance(n.ctx, ast.Load)
                               for n in ast.walk(node))


def _documentation(code: CodeType, parameter: str) -> str:
    """What a docstring says of a parameter, in Google's or NumPy's manner, its first sentences on one line."""
    node = _definition(code)
    text = ast.get_docstring(node) if node is not None else None
    if not text:
        return ""
    text = inspect.cleandoc(text)
    match = (re.search(rf"^( +){parameter}(?: *\([^)\n]*\))?:[ \n]+((?:.+\n?)(?:\1 +.+\n?)*)", text, re.MULTILINE)
             or re.search(rf"^(){parameter}(?: *:[^\n]*)?\n((?: +.+\n?)+)", text, re.MULTILINE))
    if match is None:
        return ""
    said = " ".join(match[2].split())
    if len(said) > _MOST_QUOTED:
        cut = max(said.rfind(mark, 0, _MOST_QUOTED) for mark in (". ", "; ", ", "))
        said = said[:cut if cut > 0 else _MOST_QUOTED] + " …"
    return said
