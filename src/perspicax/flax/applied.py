"""Errors whose cause is most likely the call of `apply`: they point there, and at the line of the module besides."""
from __future__ import annotations

import ast
import re
import sys
from types import CodeType, FrameType
from typing import Any, NamedTuple

from perspicax.diagnose.expression import Expression, located
from perspicax.diagnose.files import source_file
from perspicax.diagnose.frames import INTERNAL, USER, kind_of
from perspicax.diagnose.place import Position, Span, node_span, resolve
from perspicax.diagnose.report import Label, Report
from perspicax.diagnose.source import assignments_before
from perspicax.flax.error_base import FlaxError

__all__ = ["AppliedError", "Collision", "Made", "collision", "opened_at", "transform_made_at", "variable_made_at"]

_ENTRIES = frozenset({"apply", "init", "init_with_output", "lazy_init", "bind"})
_RUNNERS = ("linen/module.py", "linen/running.py", "core/running.py")


class Collision:
    """The compact methods of the module that is running, where there are several.

    Attributes:
        module: its class.
        methods: their names.
        place: the definition of the one that runs.
    """

    __slots__ = ("methods", "module", "place")

    def __init__(self, module: str, methods: tuple[str, ...], place: Span) -> None:
        self.module, self.methods, self.place = module, methods, place


class AppliedError(FlaxError, no_page="a base: what is raised is one of its subclasses"):
    """Something is wrong between a module and the variables or options that it was applied with.

    `error.position` is the user's call of `apply`, where there is one, else the line of the module.
    """

    _entry: str = ""
    _inside: Position | None = None

    def __init__(self, **facts: Any) -> None:
        super().__init__(**facts)
        entry, frame = _entry(sys._getframe(1))
        self.__dict__["_entry"] = entry
        if entry == "apply" and frame is not None and "position" not in facts:
            inside = self.position
            self.__dict__["_place"] = Position(frame.f_code, frame.f_lasti)
            if isinstance(inside, Position) and inside != self.__dict__["_place"]:
                self.__dict__["_inside"] = inside

    @property
    def full_report(self) -> Report:
        report = super().full_report
        inside = resolve(self._inside)
        if inside is None or report.labels:
            return report
        return report._replace(labels=(Label(inside, "needed here"),))

    def reordered(self, makers: frozenset[str]) -> str:
        """The user's call with that argument first which one of these functions made; empty where there is none."""
        found = located(self.position) if isinstance(self.position, Position) else None
        node = found.node if found is not None else None
        if found is None or not isinstance(node, ast.Call) or any(isinstance(a, ast.Starred) for a in node.args):
            return ""
        at = next((i for i, a in enumerate(node.args) if i and self._made_by(found.at(a), makers)), None)
        if at is None:
            return ""
        texts = [found.at(a).text for a in (node.args[at], *node.args[:at], *node.args[at + 1:])]
        texts += [f"{k.arg}={found.at(k.value).text}" if k.arg else f"**{found.at(k.value).text}" for k in node.keywords]
        return f"{found.at(node.func).text}({', '.join(texts)})"

    def _made_by(self, argument: Expression, makers: frozenset[str]) -> bool:
        node: ast.AST = argument.node
        if isinstance(node, ast.Name):
            bound = next(iter(assignments_before(self.position, node.id)), None)
            node = bound.value.node if bound is not None and bound.value is not None else node
        func = node.func if isinstance(node, ast.Call) else None
        return isinstance(func, ast.Attribute) and func.attr in makers

    def call(self, first: str = "", more: str = "") -> str:
        """The user's call with another first argument, or with arguments added; in general words where it is not known."""
        found = located(self.position) if isinstance(self.position, Position) else None
        node = found.node if found is not None else None
        if found is None or not isinstance(node, ast.Call) or not node.args or isinstance(node.args[0], ast.Starred):
            given = first.replace("{}", "variables") if first else "variables"
            return f"module.apply({given}, x{f', {more}' if more else ''})"
        text = [found.at(a).text for a in node.args] + [
            f"{k.arg}={found.at(k.value).text}" if k.arg else f"**{found.at(k.value).text}" for k in node.keywords
            if k.arg is None or k.arg != more.partition("=")[0]]
        if first:
            text[0] = first.replace("{}", text[0])
        return f"{found.at(node.func).text}({', '.join([*text, *([more] if more else [])])})"


def _entry(frame: FrameType | None) -> tuple[str, FrameType | None]:
    """By which method of a module the user's code came to run it, and the frame that called it."""
    name = ""
    while frame is not None:
        code = frame.f_code
        if kind_of(code.co_filename) == INTERNAL:
            if code.co_name in _ENTRIES and code.co_filename.replace("\\", "/").endswith(_RUNNERS):
                name = code.co_name
        elif name and kind_of(code.co_filename) == USER:
            return name, frame
        frame = frame.f_back
    return "", None


def collision() -> Collision | None:
    """The compact methods of the module whose method runs, where it has several."""
    frame: FrameType | None = sys._getframe(1)
    while frame is not None:
        code = frame.f_code
        if kind_of(code.co_filename) == USER and code.co_varnames:
            owner = type(frame.f_locals.get(code.co_varnames[0]))
            methods = tuple([n for n, f in vars(owner).items() if _is_compact(f)])
            if len(methods) > 1 and code.co_name in methods:
                return Collision(owner.__name__, methods, _definition(code))
        frame = frame.f_back
    return None


def opened_at() -> Position | None:
    """The user's line that opened the transformation of JAX within which something happens in a module."""
    frame: FrameType | None = sys._getframe(1)
    users, jax = 0, False
    while frame is not None:
        code = frame.f_code
        kind = kind_of(code.co_filename)
        if kind == INTERNAL:
            jax = jax or (users > 0 and code.co_filename.endswith(_STAGES))
        elif kind == USER:
            if jax:
                return Position(code, frame.f_lasti)
            users += 1
        frame = frame.f_back
    return None


_STAGES = ("transform/stage.py", "core/trace.py")  # what runs a function for a transformation


class Made(NamedTuple):
    """A call that made a transformed module: where it stands, and what was called."""

    span: Span
    called: str


def transform_made_at(position: Any) -> Made | None:
    """Where the transformed class that is used at a place was made: `layers = nn.scan(Layer, ...)`."""
    expression = located(position) if position is not None and not isinstance(position, Span) else None
    if expression is None:
        return None
    if isinstance(expression.node, ast.Call):
        own = _transforming(expression.node)
        if own is not None:
            return Made(expression.at(own).span, ast.unparse(own.func))
    for name in {n.id for n in ast.walk(expression.node) if isinstance(n, ast.Name)}:
        for assignment in assignments_before(position, name):
            found = _transforming(assignment.value.node) if assignment.value is not None else None
            if found is not None and assignment.value is not None:
                return Made(assignment.value.at(found).span, ast.unparse(found.func))
    return None


def _transforming(node: ast.AST) -> ast.Call | None:
    while isinstance(node, ast.Call):
        name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
        if name in ("scan", "vmap"):
            return node
        node = node.func
    return None


def variable_made_at(position: Any, path: str) -> Span | None:
    """Where the class that is initialised at a place makes the variable of a path; `None` where several lines may."""
    names = re.findall(r"\['([^']*)'\]", path)
    span = resolve(position)
    file = source_file(span.filename) if span is not None else None
    found = []
    for node in ast.walk(file.tree) if file is not None and file.tree is not None and names else ():
        match node:
            case ast.Call(func=ast.Attribute(attr="param" | "variable"), args=arguments):
                if any(isinstance(a, ast.Constant) and a.value == names[-1] for a in arguments[:2]):
                    found.append(node_span(file, node, ""))  # type: ignore[arg-type]
    return found[0] if len(found) == 1 else None


def _is_compact(function: Any) -> bool:
    while function is not None and not getattr(function, "compact", False):
        function = getattr(function, "__wrapped__", None)
    return function is not None


def _definition(code: CodeType) -> Span:
    return Span(code.co_filename, code.co_firstlineno, function=code.co_qualname)
