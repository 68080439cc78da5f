"""Proposals for a truth value that is not known: the same choice, made on the device."""
from __future__ import annotations

import ast
import itertools
from collections.abc import Iterator
from typing import TYPE_CHECKING

from perspicax.core.loops import while_fix
from perspicax.core.static_fixes import numbered_fix, static_fix
from perspicax.diagnose.conditions import Condition, on_device
from perspicax.diagnose.expression import Expression
from perspicax.diagnose.place import Span
from perspicax.diagnose.report import Edit, Fix

if TYPE_CHECKING:
    from perspicax.core.questions import Question

__all__ = ["choice_fixes"]

_COMPARING = {"min": "minimum", "max": "maximum"}
_OVER_ALL = {"min": "min", "max": "max", "any": "any", "all": "all", "sorted": "sort", "sum": "sum"}


def choice_fixes(asked: Question) -> list[Fix]:
    """What to write in place of a construct that asks for a truth value, best first."""
    settings = asked.settings()
    kind = asked.condition.kind if asked.condition is not None else ""
    as_setting = asked.looks_like_settings() and kind not in ("call", "in", "bool", "while")
    fixes: list[Fix] = []
    asked_in = asked.node.file if asked.node is not None else None
    numbered = numbered_fix(asked.origin, asked_in) if not settings and kind not in ("call", "in", "bool", "while") else None
    fixes += [numbered] if numbered is not None else []
    if as_setting:
        what = " and ".join(f"`{name}`" for name in settings)
        made = static_fix(asked.origin, settings, f"make {what} static, so that {asked.origin.transform} compiles once "
                          "for each value of it" if asked.origin.transform == "jit" else "", asked_in=asked_in)
        fixes += [made] if made is not None else []
    fixes += _rewrites(asked)
    if settings and not as_setting and (kind != "while" or asked.looks_like_settings()):
        made = static_fix(asked.origin, settings, when=_when_python(settings), asked_in=asked_in)
        fixes += [made] if made is not None else []
    return fixes


def _when_python(names: tuple[str, ...]) -> str:
    if len(names) == 1:
        return f"when {names[0]} is a plain Python value"
    return f"when {' and '.join(names)} are plain Python values"


def _rewrites(asked: Question) -> Iterator[Fix]:
    condition = asked.condition
    if condition is None:
        return
    holder = condition.within or condition.kind
    match condition.kind:
        case "call":
            yield from _call_fixes(asked, condition)
        case "bool":
            yield Fix("leave it an array; it can be used on the device as it is",
                      edits=(Edit(condition.construct.span, condition.test.grouped),))
        case "in":
            yield from _membership(asked, condition)
        case "comparison":
            return
        case _ if holder in ("if", "elif", "ternary"):
            yield from _branch_fixes(asked, condition)
        case _ if holder == "while":
            yield from while_fix(asked, condition)
        case _ if holder == "assert":
            yield from _assert_fixes(asked, condition)
        case "comprehension":
            yield Fix("keep all entries, and put a neutral value where the test fails",
                      code=f"{asked.jnp}.where({_test(asked, condition)}, value, 0)")
        case "and" | "or" | "not" | "chain":
            outer = _outermost(condition)
            yield Fix("combine them on the device", edits=(Edit(outer.span, on_device(outer, asked.jnp)),))


def _test(asked: Question, condition: Condition) -> str:
    return on_device(condition.whole_test, asked.jnp)


def _outermost(condition: Condition) -> Expression:
    """The whole chain of `and`, `or` and `not` around a test."""
    file, node = condition.construct.file, condition.construct.node
    while isinstance(parent := file.parent(node), ast.BoolOp) or (
            isinstance(parent, ast.UnaryOp) and isinstance(parent.op, ast.Not)):
        node = parent
    return condition.construct.at(node)


# -- if

def _branch_fixes(asked: Question, condition: Condition) -> Iterator[Fix]:
    test = _test(asked, condition)
    branches = condition.branches()
    if branches is None:
        yield from _statement_fixes(asked, condition, test)
        return
    then, other = branches.then.text, branches.otherwise.text
    elif_ = condition.kind == "elif" or condition.within == "elif"
    if _is_boolean_pair(branches.then.node, branches.otherwise.node):
        straight = branches.then.text == "True"
        value = test if straight else f"{asked.jnp}.logical_not({test})"
        yield _replacing(branches.span, branches.rewritten(value), elif_, "the test is the result")
        return
    if not _are_values(branches.then.node, branches.otherwise.node):
        return
    where = branches.rewritten(_where(asked, test, branches.then, branches.otherwise))
    cond = branches.rewritten(f"{asked.lax}.cond({test}, lambda: {then}, lambda: {other})")
    yield _replacing(branches.span, where, elif_, "choose on the device instead", branches.how)
    if asked.origin.transform != "vmap":  # which runs both sides anyway
        edits = (Edit(branches.span, cond),) if branches.how == "expression" else ()
        yield Fix(code="" if edits else cond, edits=edits, when="when only one side may run")


_TREES = (ast.Dict, ast.List, ast.Tuple, ast.DictComp, ast.ListComp)


def _where(asked: Question, test: str, then: Expression, other: Expression) -> str:
    """`jnp.where`, or where the sides are pytrees, that for each leaf."""
    if isinstance(then.node, _TREES) or isinstance(other.node, _TREES):
        return f"jax.tree.map(lambda a, b: {asked.jnp}.where({test}, a, b), {then.text}, {other.text})"
    return f"{asked.jnp}.where({test}, {then.text}, {other.text})"


def _replacing(span: Span, text: str, elif_: bool, says: str, how: str = "") -> Fix:
    if not elif_:
        return Fix(says, code="" if how == "expression" else text, edits=(Edit(span, text),))
    indent = " " * (span.column or 0)
    text = f"else:\n{indent}    {text}"
    return Fix(says, code=text.replace("\n" + indent, "\n"), edits=(Edit(span, text),))


def _is_boolean_pair(then: ast.AST, other: ast.AST) -> bool:
    values = [node.value if isinstance(node, ast.Constant) else None for node in (then, other)]
    return values in ([True, False], [False, True])


def _are_values(*nodes: ast.AST) -> bool:
    """Whether both sides can be arrays: no text, no None."""
    return not any(isinstance(n, ast.JoinedStr | ast.Lambda)
                   or (isinstance(n, ast.Constant) and (n.value is None or isinstance(n.value, str | bytes)))
                   for n in nodes)


def _statement_fixes(asked: Question, condition: Condition, test: str) -> Iterator[Fix]:
    holder = condition.whole_test.file.parent(condition.whole_test.node)
    if not isinstance(holder, ast.If):
        return
    near = condition.test
    if not holder.orelse and all(isinstance(s, ast.Raise) for s in holder.body):
        yield Fix("check the values before the traced function is called, or on the device",
                  code=_check_code(f"{asked.jnp}.logical_not({test})", holder.body[0]))
        return
    if not holder.orelse and len(holder.body) == 1 and _is_print(holder.body[0]):
        call = holder.body[0].value  # type: ignore[attr-defined]
        yield Fix("print on the device", code=f"{asked.lax}.cond({test}, lambda: {_debug_print(call)}, lambda: None)")
        return
    chosen = _chosen_assignments(asked, near, holder, test)
    if chosen:
        span = _statement_span(near, holder)
        indent = " " * (span.column or 0)
        if condition.kind != "elif":
            yield Fix("compute both sides, and choose on the device", code=tuple(chosen),
                      edits=(Edit(span, f"\n{indent}".join(chosen)),))
    yield from _cond_skeleton(asked, holder, test)


def _chosen_assignments(asked: Question, near: Expression, holder: ast.If, test: str) -> list[str]:
    """`x = jnp.where(test, then, otherwise)` for each name that the branches assign; empty if they do more."""
    then, other = _assigned(holder.body), _assigned(holder.orelse)
    if then is None or other is None or len({*then, *other}) > 4:
        return []
    names = _in_order(list(dict.fromkeys([*then, *other])), (then, other), holder.test)
    return [f"{name} = {asked.jnp}.where({test}, {ast.unparse(then.get(name, ast.Name(name)))}, "
            f"{ast.unparse(other.get(name, ast.Name(name)))})" for name in names]


def _in_order(names: list[str], sides: tuple[dict[str, ast.expr], ...], test: ast.expr) -> list[str]:
    """The names so that no line reads what an earlier line has changed; empty if there is no such order."""
    reads = {name: {node.id for part in (test, *[side[name] for side in sides if name in side])
                    for node in ast.walk(part) if isinstance(node, ast.Name)} for name in names}
    for order in itertools.permutations(names):
        if not any(earlier in reads[later] for i, earlier in enumerate(order) for later in order[i + 1:]):
            return list(order)
    return []


def _assigned(body: list[ast.stmt]) -> dict[str, ast.expr] | None:
    found: dict[str, ast.expr] = {}
    for statement in body:
        match statement:
            case ast.Assign(targets=[ast.Name(id=name)], value=value) if name not in found:
                found[name] = value
            case ast.AugAssign(target=ast.Name(id=name), op=op, value=value) if name not in found:
                found[name] = ast.BinOp(ast.Name(name, ast.Load()), op, value)
            case ast.Pass():
                continue
            case _:
                return None
    return found if all(_are_values(value) for value in found.values()) else None


def _statement_span(near: Expression, holder: ast.If) -> Span:
    file = near.file
    return Span(file.filename, holder.lineno, file.characters(holder.lineno, holder.col_offset), holder.end_lineno,
                file.characters(holder.end_lineno or 0, holder.end_col_offset or 0), near.function)


def _cond_skeleton(asked: Question, holder: ast.If, test: str) -> Iterator[Fix]:
    """Both sides as functions, for bodies that are more than one expression."""
    if any(isinstance(node, ast.Break | ast.Continue | ast.Yield) for s in holder.body for node in ast.walk(s)):
        return
    yield Fix("put each side into a function of its own",
              code=f"result = {asked.lax}.cond({test}, when_true, when_false, *operands)")


def _is_print(statement: ast.stmt) -> bool:
    return isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Call) and isinstance(
        statement.value.func, ast.Name) and statement.value.func.id == "print"


def _debug_print(call: ast.Call) -> str:
    parts = [a.value if isinstance(a, ast.Constant) and isinstance(a.value, str) else "{}" for a in call.args]
    values = [ast.unparse(a) for a in call.args if not (isinstance(a, ast.Constant) and isinstance(a.value, str))]
    return f"jax.debug.print({', '.join([repr(' '.join(parts)), *values])})"


def _check_code(condition: str, raised: ast.stmt) -> str:
    message = ""
    if isinstance(raised, ast.Raise) and isinstance(raised.exc, ast.Call) and raised.exc.args:
        message = ast.unparse(raised.exc.args[0])
    return f"checkify.check({condition}, {message or repr('what went wrong')})"


def _assert_fixes(asked: Question, condition: Condition) -> Iterator[Fix]:
    statement = condition.statement.node if condition.statement is not None else None
    message = ast.unparse(statement.msg) if isinstance(statement, ast.Assert) and statement.msg is not None else ""
    test = _test(asked, condition)
    yield Fix("check on the device (`from jax.experimental import checkify`), and call `checkify.checkify(f)`",
              code=f"checkify.check({test}, {message or repr(condition.whole_test.text)})")
    yield Fix("check before the traced function is called, where the values are known")


# -- calls

def _call_fixes(asked: Question, condition: Condition) -> Iterator[Fix]:
    call = condition.construct.node
    if not isinstance(call, ast.Call):
        return
    arguments = [ast.unparse(a) for a in call.args]
    pairwise, over_all = _COMPARING.get(condition.callee), _OVER_ALL.get(condition.callee)
    plain = not call.keywords and not any(isinstance(a, ast.Starred) for a in call.args)
    if pairwise and len(arguments) > 1 and plain:
        text = arguments[0]
        for argument in arguments[1:]:
            text = f"{asked.jnp}.{pairwise}({text}, {argument})"
        yield Fix(f"use {'the larger' if pairwise == 'maximum' else 'the smaller'} of arrays, entry by entry",
                  edits=(Edit(condition.construct.span, text),))
    elif over_all and len(arguments) == 1 and plain:
        if isinstance(call.args[0], ast.List | ast.Tuple):
            argument = f"{asked.jnp}.array({arguments[0]})"
        elif isinstance(call.args[0], ast.GeneratorExp | ast.ListComp):
            listed = ast.unparse(ast.ListComp(call.args[0].elt, call.args[0].generators))
            argument = f"{asked.jnp}.array({listed})"
        else:
            argument = arguments[0]
        yield Fix("use the function for arrays", edits=(Edit(condition.construct.span,
                                                             f"{asked.jnp}.{over_all}({argument})"),))
    else:
        yield Fix("if the function must see values, run it on the host",
                  code=f"jax.pure_callback({condition.callee}, result_type, {', '.join(arguments) or '...'})")


def _membership(asked: Question, condition: Condition) -> Iterator[Fix]:
    node = condition.construct.node
    if isinstance(node, ast.Compare) and len(node.ops) == 1:
        where = ast.unparse(node.comparators[0])
        items = f"{asked.jnp}.array({where})" if isinstance(node.comparators[0], ast.List | ast.Tuple) else where
        text = f"{asked.jnp}.isin({ast.unparse(node.left)}, {items})"
        if isinstance(node.ops[0], ast.NotIn):
            text = f"{asked.jnp}.logical_not({text})"
        yield Fix("compare with all of them on the device", edits=(Edit(condition.construct.span, text),))
