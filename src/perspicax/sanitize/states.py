"""The sanitizer `updates`, of states: the second result of `tx.update(...)`, or of `model.apply(..., mutable=...)`, never read.

Python's own code tells that a call's result is taken apart in two; the source tells whether the second name is read anywhere in
its function. A name that says that it is not wanted, `_`, is believed as long as another call in the file keeps the state.
"""
from __future__ import annotations

import ast
import opcode
from collections.abc import Callable, Iterator
from types import CodeType
from typing import Any, NamedTuple

from perspicax.core.array import Array
from perspicax.core.config import sanitize
from perspicax.core.tree import tree_leaves
from perspicax.diagnose.expression import Expression, located
from perspicax.diagnose.files import SourceFile
from perspicax.diagnose.frames import USER, kind_of
from perspicax.diagnose.place import Position
from perspicax.diagnose.source import user_place
from perspicax.sanitize.findings import DiscardedUpdate
from perspicax.sanitize.names import parse
from perspicax.sanitize.reading import ancestors, dotted, function_of, imports
from perspicax.sanitize.telling import found

_UNPACK = opcode.opmap["UNPACK_SEQUENCE"]
_FILLERS = frozenset(opcode.opmap[name] for name in ("CACHE", "EXTENDED_ARG", "NOP", "PRECALL") if name in opcode.opmap)
_MOST_PLACES = 1 << 16
Concerned = Callable[[SourceFile, ast.Call], ast.expr | None]
"""Says whether a call returns a state beside its result: then the expression of the old state."""
_unpacked: dict[tuple[CodeType, int], bool] = {}
_unread: dict[tuple[CodeType, int, Concerned], Unread | None] = {}


class Unread(NamedTuple):
    """A call whose second result nobody reads.

    Attributes:
        call: the call.
        name: what the second result is called.
        state: the old state, among the arguments.
    """

    call: Expression
    name: str
    state: ast.expr


def unpacked(code: CodeType, lasti: int) -> bool:
    """Whether the result of the call at an instruction is taken apart in two."""
    key = code, lasti
    known = _unpacked.get(key)
    if known is None:
        if len(_unpacked) > _MOST_PLACES:
            _unpacked.clear()
        raw, at = code.co_code, lasti + 2
        while at < len(raw) and raw[at] in _FILLERS:
            at += 2
        known = _unpacked[key] = at + 1 < len(raw) and raw[at] == _UNPACK and raw[at + 1] == 2
    return known


def consider_state(place: tuple[CodeType, int], value_of: Callable[[str], Any]) -> None:
    """Tell of `updates, new_state = tx.update(grads, state)` whose `new_state` nobody reads, if the state is not empty.

    Args:
        place: of the call.
        value_of: the value of a variable there.
    """
    found_unread = _unread_at(place, _update)
    if found_unread is None:
        return
    root: ast.AST = found_unread.state
    names = dotted(root)
    value = value_of(names[0]) if names else None
    for name in names[1:]:
        value = getattr(value, name, None)
    if any(isinstance(leaf, Array) for leaf in tree_leaves(value)):
        _tell(found_unread, ".".join(dotted(found_unread.call.node.func)))  # type: ignore[attr-defined]


def watch_applied(variables: Any, changed: Any) -> None:
    """Look at a call of `apply`.

    Args:
        variables: what it was given.
        changed: the collections that it returns beside the result; told is of those that were given, and are other ones now.
    """
    place = user_place(2) if "updates" in parse(sanitize.value) else None
    if place is not None and unpacked(*place) and any(name in variables and _differ(variables[name], new)
                                                      for name, new in changed.items()):
        found_unread = _unread_at(place, _apply)
        if found_unread is not None:
            _tell(found_unread, ".".join(dotted(found_unread.call.node.func)))  # type: ignore[attr-defined]


def _differ(old: Any, new: Any) -> bool:
    known = {id(leaf) for leaf in tree_leaves(old)}
    return any(id(leaf) not in known for leaf in tree_leaves(new))


def _tell(unread: Unread, what: str) -> None:
    call = unread.call
    found(DiscardedUpdate(call=call.text, what=what or "apply", target=call.at(unread.state).text, unread=unread.name,
                          position=call.span))


def _unread_at(place: tuple[CodeType, int], concerned: Concerned) -> Unread | None:
    key = (*place, concerned)
    if key not in _unread:
        if len(_unread) > _MOST_PLACES:
            _unread.clear()
        _unread[key] = _look(place, concerned)
    return _unread[key]


def _look(place: tuple[CodeType, int], concerned: Concerned) -> Unread | None:
    call = located(Position(*place))
    if call is None or not isinstance(call.node, ast.Call) or kind_of(place[0].co_filename) != USER:
        return None
    state = concerned(call.file, call.node)
    second = _second(call.file.parent(call.node))
    scope = function_of(call)
    if state is None or second is None or scope is None or _is_read(scope, second.id):
        return None
    if isinstance(scope, ast.Module) and not place[0].co_filename.endswith(".py"):  # another cell may read it
        return None
    if not _lives_on(call, scope, state):
        return None
    others = [other for other in _calls(call.file, concerned) if other is not call.node]
    if second.id.startswith("_") and any(_kept(call.file, other) for other in others):
        return None
    return Unread(call, second.id, state)


def _update(file: SourceFile, call: ast.Call) -> ast.expr | None:
    """The state that `tx.update(grads, state)` of Optax is given."""
    if not isinstance(call.func, ast.Attribute) or call.func.attr != "update" or not 2 <= len(call.args) <= 3:
        return None
    if not any(name.partition(".")[0] == "optax" for name in imports(file).values()):
        return None
    return call.args[1] if dotted(call.args[1]) else None


def _apply(file: SourceFile, call: ast.Call) -> ast.expr | None:
    """The variables that `apply` is given, where it may change some."""
    if not call.args or not any(k.arg == "mutable" for k in call.keywords):
        return None
    variables = call.args[0]
    if isinstance(variables, ast.Dict):  # {"params": params, "batch_stats": stats}
        named = [v for k, v in zip(variables.keys, variables.values)
                 if not (isinstance(k, ast.Constant) and k.value == "params")]
        return named[0] if len(named) == 1 else variables
    return variables


def _second(statement: ast.AST | None) -> ast.Name | None:
    match statement:
        case ast.Assign(targets=[ast.Tuple(elts=[_, ast.Name() as second])]):
            return second
    return None


def _is_read(scope: ast.AST, name: str) -> bool:
    return any(isinstance(n, ast.Name) and n.id == name and isinstance(n.ctx, ast.Load) for n in ast.walk(scope)) or any(
        isinstance(n, ast.Global | ast.Nonlocal) and name in n.names for n in ast.walk(scope))


def _lives_on(call: Expression, scope: ast.AST, state: ast.expr) -> bool:
    """Whether the old state is used again: by a caller, later in the function, or in the next turn of a loop."""
    roots = [n.id for n in ast.walk(state) if isinstance(n, ast.Name)]
    names = [n for n in ast.walk(scope) if isinstance(n, ast.Name) and n.id in roots]
    if not isinstance(scope, ast.Module) and not any(isinstance(n.ctx, ast.Store) for n in names):
        return True  # it comes from outside
    line = call.node.end_lineno  # type: ignore[attr-defined]
    looped = any(isinstance(n, ast.For | ast.While) for n in ancestors(call))
    return looped or any(n.lineno > line and isinstance(n.ctx, ast.Load) for n in names)


def _calls(file: SourceFile, concerned: Concerned) -> Iterator[ast.Call]:
    for node in ast.walk(file.tree) if file.tree is not None else ():
        if isinstance(node, ast.Call) and concerned(file, node) is not None:
            yield node


def _kept(file: SourceFile, call: ast.Call) -> bool:
    """Whether what a call returns is used as a whole, or its second result under a name that is none to be thrown away."""
    statement = file.parent(call)
    if not isinstance(statement, ast.Assign) or not isinstance(statement.targets[0], ast.Tuple):
        return not isinstance(statement, ast.Expr)
    second = _second(statement)
    return second is None or not second.id.startswith("_")


__all__ = ["consider_state", "unpacked", "watch_applied"]
