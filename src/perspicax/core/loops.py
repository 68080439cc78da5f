"""Proposals for loops whose length is not known: `lax.while_loop` and `lax.fori_loop` in the user's own names."""
from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from perspicax.diagnose.conditions import Condition, on_device
from perspicax.diagnose.report import Fix

if TYPE_CHECKING:
    from perspicax.core.questions import Question

__all__ = ["for_fix", "while_fix"]


def _carried(body: Sequence[ast.stmt], read_outside: Sequence[str]) -> list[str]:
    """Names that a loop's body assigns and that the next round, the test or the code behind it may read."""
    assigned: list[str] = []
    for statement in body:
        for node in ast.walk(statement):
            if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store) and node.id not in assigned:
                assigned.append(node.id)
    first_read = _read_before_assigned(body)
    return [name for name in assigned if name in first_read or name in read_outside]


def _read_before_assigned(body: Sequence[ast.stmt]) -> set[str]:
    known: set[str] = set()
    read: set[str] = set()
    for statement in body:
        stored = {n.id for n in ast.walk(statement) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store)}
        loaded = {n.id for n in ast.walk(statement) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Load)}
        if isinstance(statement, ast.AugAssign):
            loaded |= stored
        read |= loaded - known
        known |= stored
    return read


def _jumps(body: Sequence[ast.stmt]) -> bool:
    return any(isinstance(n, ast.Break | ast.Continue | ast.Return | ast.Yield) for s in body for n in ast.walk(s))


def _single(body: Sequence[ast.stmt], name: str) -> str | None:
    """The body as one expression, if it is one assignment of one name."""
    match body:
        case [ast.Assign(targets=[ast.Name(id=target)], value=value)] if target == name:
            return ast.unparse(value)
        case [ast.AugAssign(target=ast.Name(id=target), op=op, value=value)] if target == name:
            return ast.unparse(ast.BinOp(ast.Name(name, ast.Load()), op, value))
    return None


def _lines(body: Sequence[ast.stmt]) -> list[str]:
    return [f"    {line}" for statement in body for line in ast.unparse(statement).splitlines()]


def while_fix(asked: Question, condition: Condition) -> Iterator[Fix]:
    """A `while` as `lax.while_loop`."""
    test = condition.whole_test
    loop = test.file.parent(test.node)
    if not isinstance(loop, ast.While) or _jumps(loop.body):
        yield Fix("loop on the device", code=f"{asked.lax}.while_loop(keep_going, step, start)")
        return
    outside = [n.id for n in ast.walk(loop.test) if isinstance(n, ast.Name)] + _read_behind(asked, loop)
    names = _carried(loop.body, outside)
    text = on_device(test, asked.jnp)
    if len(names) == 1 and (value := _single(loop.body, names[0])) is not None:
        x = names[0]
        yield Fix("loop on the device",
                  code=f"{x} = {asked.lax}.while_loop(lambda {x}: {text}, lambda {x}: {value}, {x})")
    elif names:
        state = names[0] if len(names) == 1 else "s"
        test_text = text if len(names) == 1 else _of_state(text, names)
        yield Fix("loop on the device; what changes from round to round is passed on", code=(
            *_function("step", names, _lines(loop.body), ", ".join(names)),
            f"{_pattern(names)} = {asked.lax}.while_loop(lambda {state}: {test_text}, step, {_packed(names)})"))


def _of_state(test: str, names: Sequence[str]) -> str:
    """A test that reads the state as one tuple `s`."""
    class Rename(ast.NodeTransformer):
        def visit_Name(self, node: ast.Name) -> ast.expr:
            if node.id not in names:
                return node
            return ast.Subscript(ast.Name("s", ast.Load()), ast.Constant(names.index(node.id)), ast.Load())

    return ast.unparse(Rename().visit(ast.parse(test, mode="eval").body))


def _read_behind(asked: Question, loop: ast.stmt) -> list[str]:
    file = asked.node.file if asked.node is not None else None
    function = file.enclosing(loop, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Module)) if file is not None else None
    return [n.id for n in ast.walk(function) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Load)
            and n.lineno > (loop.end_lineno or loop.lineno)] if function is not None else []


def _function(name: str, names: Sequence[str], lines: Sequence[str], result: str) -> list[str]:
    if len(names) == 1:
        return [f"def {name}({names[0]}):", *lines, f"    return {result}"]
    return [f"def {name}(state):", f"    {', '.join(names)} = state", *lines, f"    return {result}"]


def _pattern(names: Sequence[str]) -> str:
    return ", ".join(names)


def _packed(names: Sequence[str]) -> str:
    return names[0] if len(names) == 1 else f"({', '.join(names)})"


def for_fix(asked: Question) -> Iterator[Fix]:
    """`for i in range(n)` as `lax.fori_loop`."""
    found = asked.node
    if found is None or not isinstance(found.node, ast.Call) or ast.unparse(found.node.func) != "range":
        return
    loop = found.file.parent(found.node)
    bounds = [ast.unparse(a) for a in found.node.args]
    lower, upper = (bounds[0], bounds[1]) if len(bounds) > 1 else ("0", bounds[0] if bounds else "n")
    if not isinstance(loop, ast.For) or not isinstance(loop.target, ast.Name) or _jumps(loop.body) or len(bounds) > 2:
        yield Fix("loop on the device", code=f"{asked.lax}.fori_loop({lower}, {upper}, step, start)")
        return
    i = loop.target.id
    names = [name for name in _carried(loop.body, _read_behind(asked, loop)) if name != i]
    if len(names) == 1 and (value := _single(loop.body, names[0])) is not None:
        x = names[0]
        yield Fix("loop on the device",
                  code=f"{x} = {asked.lax}.fori_loop({lower}, {upper}, lambda {i}, {x}: {value}, {x})")
    elif names:
        head = [f"def step({i}, {names[0]}):"] if len(names) == 1 else [
            f"def step({i}, state):", f"    {', '.join(names)} = state"]
        yield Fix("loop on the device; what changes from round to round is passed on", code=(
            *head, *_lines(loop.body), f"    return {', '.join(names)}",
            f"{_pattern(names)} = {asked.lax}.fori_loop({lower}, {upper}, step, {_packed(names)})"))
    else:
        yield Fix("loop on the device", code=f"{asked.lax}.fori_loop({lower}, {upper}, step, start)")
