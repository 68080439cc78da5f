"""The sanitizer `constants`: what a traced function does, or reads, only while it is traced.

The source of the function and of all that it reaches says what to watch: calls of `print`, of clocks and of NumPy's random
generators, counters and lists outside of the function. Whether it has happened while the function was traced is seen by
looking before and after: a line that did not run, or a callback that runs later, is no finding.
"""
from __future__ import annotations

import ast
import builtins
import random
import re
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from types import CodeType, FunctionType, MethodType
from typing import Any, NamedTuple

import numpy as np

from perspicax.core.array import Array
from perspicax.core.config import local, sanitize
from perspicax.core.jaxpr import ClosedJaxpr
from perspicax.core.trace import JaxprTrace
from perspicax.core.tracer import Tracer
from perspicax.core.tree_parts import all_leaves
from perspicax.diagnose.frames import USER, kind_of, user_position
from perspicax.diagnose.links import is_a
from perspicax.diagnose.meaning import FRESH, UNKNOWN, Scope, own_nodes
from perspicax.diagnose.place import Place, Position, node_span
from perspicax.diagnose.reach import reachable
from perspicax.sanitize.copies import lost_stores
from perspicax.sanitize.findings import SideEffect
from perspicax.sanitize.names import parse
from perspicax.sanitize.telling import found
from perspicax.transform.stage import FlatFunction, function_name
from perspicax.xla.array import ArrayImpl

LARGE = 4_000_000  # bytes of a constant: a matrix of a thousand rows and columns
TRANSFORMS = frozenset({"jit", "scan", "while_loop", "fori_loop", "cond", "switch", "checkpoint", "map", "pmap", "shard_map"})
MEANT = re.compile(r"trac|compil|cache|memo|debug", re.IGNORECASE)
"""Names and texts of those who count or announce traces on purpose, or keep what was computed."""
GROWS = frozenset({"append", "appendleft", "add", "extend", "insert", "update", "setdefault"})
CLOCKS = ("time", "time_ns", "perf_counter", "perf_counter_ns", "monotonic", "monotonic_ns", "process_time")

_seen: set[CodeType] = set()
_busy = threading.local()


class Watched(NamedTuple):
    """Something outside of a traced function that its source changes or draws from.

    Attributes:
        node: where.
        scope: in which function.
        kind: "store" or "random".
        holder: what is changed, as it is written.
        state: what tells whether it has changed: equal before and after if it has not.
    """

    node: ast.AST
    scope: Scope
    kind: str
    holder: str
    state: Callable[[], Any]


def watch_call(call: FlatFunction, args: Sequence[Any], kwargs: dict) -> Callable[[bool], None] | None:
    """Before a function is traced; what is returned is called after."""
    if call.transform not in TRANSFORMS or getattr(_busy, "on", False) or "constants" not in parse(sanitize.value):
        return None
    if not isinstance(local.trace, JaxprTrace):
        return None
    code = getattr(getattr(call.fun, "__wrapped__", call.fun), "__code__", None)
    if isinstance(code, CodeType):
        if code in _seen or kind_of(code.co_filename) != USER:
            return None
        _seen.add(code)
    try:
        return _watch(call, args, kwargs)
    except (RecursionError, AttributeError, TypeError, ValueError, KeyError):  # the program matters more than this search
        return None


def _watch(call: FlatFunction, args: Sequence[Any], kwargs: dict) -> Callable[[bool], None] | None:
    scopes = reachable([_with_self(call.fun, args)])
    watched = [w for scope in scopes for w in _changes(scope)]
    before = [w.state() for w in watched]
    calls = _Calls(scopes)
    calls.begin()
    traced, transform = function_name(call.fun), call.transform

    def look(done: bool) -> None:
        calls.end()
        if not done:
            return
        for w, state in zip(watched, before):
            now = w.state()
            if not _equal(state, now) and not _holds_tracer(now):
                span = node_span(w.scope.file, w.node, w.scope.name)
                found(SideEffect(what=_text(w.scope, w.node), kind=w.kind, function=w.scope.name, traced=traced,
                                 transform=transform, holder=w.holder, position=span, code=_code(w)))
        for kind, place in calls.happened:
            _tell_call(kind, place, traced, transform)
        lost_stores(call.fun, args, kwargs, traced, transform)

    return look


def _with_self(fun: Callable[..., Any], args: Sequence[Any]) -> Callable[..., Any]:
    """A method whose `self` is a static argument, bound to it: what it stores there is looked at, too."""
    if not isinstance(fun, FunctionType) or not args or fun.__code__.co_argcount == 0 or fun.__code__.co_varnames[0] != "self":
        return fun
    owner = args[0]
    static = not isinstance(owner, Tracer | Array) and all_leaves([owner])  # trees are put together anew
    return MethodType(fun, owner) if static else fun


def _text(scope: Scope, node: ast.AST) -> str:
    return ast.get_source_segment("".join(scope.file.lines), node) or ast.unparse(node)


def _code(w: Watched) -> str:
    if w.kind != "random" or not isinstance(w.node, ast.Call) or not isinstance(w.node.func, ast.Attribute):
        return ""
    name = {"rand": "uniform", "randn": "normal", "random": "uniform", "standard_normal": "normal", "gauss": "normal"}.get(
        w.node.func.attr, w.node.func.attr)
    size = next((ast.unparse(k.value) for k in w.node.keywords if k.arg == "size"), "shape")
    return f"jax.random.{name}(key, {size})"


# -- what is changed

def _changes(scope: Scope) -> Iterable[Watched]:
    for node in own_nodes(scope.node):
        match node:
            case ast.AugAssign(target=target):
                yield from _store(scope, node, target)
            case ast.Assign(targets=[target], value=value) if _mentions(value, target):
                yield from _store(scope, node, target)
            case ast.Call(func=ast.Attribute(value=holder, attr=method) as func):
                container = scope.means(holder)
                if method in GROWS and type(container) in (list, set, deque, dict) and not MEANT.search(ast.unparse(holder)):
                    yield Watched(node, scope, "store", ast.unparse(holder), _length_of(container))
                else:
                    yield from _draw(scope, node, func)


def _mentions(value: ast.AST, target: ast.AST) -> bool:
    text = ast.unparse(target)
    return any(isinstance(n, ast.Name | ast.Attribute | ast.Subscript) and ast.unparse(n) == text for n in ast.walk(value))


def _length_of(container: Any) -> Callable[[], Any]:
    return lambda: list(container.values()) if type(container) is dict else list(container)


def _store(scope: Scope, node: ast.AST, target: ast.expr) -> Iterable[Watched]:
    text = ast.unparse(target)
    if MEANT.search(text):
        return
    match target:
        case ast.Name(id=name):
            if name in scope.outer_names:
                yield Watched(node, scope, "store", text, lambda: scope.means(target))
        case ast.Attribute(value=base, attr=name):
            owner = scope.means(base)
            if _outside(owner) and not _is_module(owner):
                yield Watched(node, scope, "store", text, lambda: scope.means(ast.Attribute(base, name, ast.Load())))
        case ast.Subscript(value=base):
            owner = scope.means(base)
            if type(owner) in (list, dict, deque) or isinstance(owner, np.ndarray | dict):
                yield Watched(node, scope, "store", text, lambda: owner.copy() if isinstance(owner, np.ndarray)
                              else list(owner.values()) if isinstance(owner, dict) else list(owner))


def _outside(owner: Any) -> bool:
    """Whether something is known, and was there before the function ran."""
    return owner is not UNKNOWN and owner is not FRESH and not is_a(owner, Tracer) and type(owner).__module__ != (
        "perspicax.diagnose.meaning")


def _is_module(owner: Any) -> bool:
    """Whether it is a Linen module, whose attributes have rules of their own."""
    return any(cls.__module__.startswith(("perspicax.flax.", "flax.")) for cls in type(owner).__mro__)


def _equal(a: Any, b: Any) -> bool:
    if a is b:
        return True
    if isinstance(a, list) and isinstance(b, list):
        return len(a) == len(b) and all(_equal(x, y) for x, y in zip(a, b))
    if isinstance(a, np.ndarray) and isinstance(b, np.ndarray):
        return a.shape == b.shape and bool((a == b).all())
    if isinstance(a, dict) and isinstance(b, dict):
        return a.keys() == b.keys() and all(_equal(a[k], b[k]) for k in a)
    if isinstance(a, tuple) and isinstance(b, tuple):
        return len(a) == len(b) and all(_equal(x, y) for x, y in zip(a, b))
    return type(a) in (int, float, str, bool, bytes) and type(a) is type(b) and a == b


def _holds_tracer(value: Any) -> bool:
    """Whether what was stored is a traced value: then it is a leak, which others report."""
    return is_a(value, Tracer) or (isinstance(value, list | tuple) and any(is_a(x, Tracer) for x in value))


# -- random generators

def _draw(scope: Scope, node: ast.Call, func: ast.Attribute) -> Iterable[Watched]:
    owner = scope.means(func.value)
    if isinstance(func.value, ast.Attribute) and func.value.attr == "random" and scope.means(func.value.value) is np:
        owner = np.random  # NumPy loads it when it is first asked for
    state: Callable[[], Any] | None = None
    if owner is np.random:
        state = lambda: np.random.get_state(legacy=False)["state"]
    elif owner is random:
        state = random.getstate
    elif isinstance(owner, np.random.Generator):
        state = lambda: dict(owner.bit_generator.state["state"])
    elif isinstance(owner, np.random.RandomState):
        state = lambda: owner.get_state(legacy=False)["state"]
    elif isinstance(owner, random.Random):
        state = owner.getstate
    if state is not None and func.attr not in ("seed", "get_state", "set_state", "getstate", "default_rng"):
        yield Watched(node, scope, "random", ast.unparse(func.value), state)


# -- calls of print and of clocks

class _Calls:
    """Notes where the user's code calls `print` or a clock, while a function is traced in this thread."""

    __slots__ = ("happened", "names", "replaced", "thread")

    def __init__(self, scopes: Iterable[Scope]) -> None:
        self.happened: list[tuple[str, tuple[CodeType, int]]] = []
        self.replaced: list[tuple[dict, str, Any]] = []
        self.thread = threading.get_ident()
        self.names: list[tuple[dict, str, str, Any]] = []
        clocks = {getattr(time, name) for name in CLOCKS}
        for scope in scopes:
            for name in {n.id for n in own_nodes(scope.node) if isinstance(n, ast.Name)}:
                value = scope.namespace.get(name)
                if name == "print" and value is None:
                    self._add(vars(builtins), "print", "print")
                elif value is time:
                    for clock in CLOCKS:
                        self._add(vars(time), clock, "time")
                elif callable(value) and type(value).__name__ == "builtin_function_or_method" and value in clocks:
                    self._add(scope.namespace, name, "time")

    def _add(self, namespace: dict, name: str, kind: str) -> None:
        if not any(known is namespace and other == name for known, other, _, _ in self.names):
            self.names.append((namespace, name, kind, namespace[name]))

    def begin(self) -> None:
        _busy.on = True
        for namespace, name, kind, original in self.names:
            noting = self._noting(kind, original)
            namespace[name] = noting
            self.replaced.append((namespace, name, noting))

    def _noting(self, kind: str, original: Callable[..., Any]) -> Callable[..., Any]:
        def call(*args: Any, **kwargs: Any) -> Any:
            frame = sys._getframe(1)
            if threading.get_ident() == self.thread and kind_of(frame.f_code.co_filename) == USER:
                self.happened.append((kind, (frame.f_code, frame.f_lasti)))
            return original(*args, **kwargs)

        return call

    def end(self) -> None:
        _busy.on = False
        for (namespace, name, noting), (_, _, _, original) in zip(self.replaced, self.names):
            if namespace.get(name) is noting:
                namespace[name] = original
        self.replaced.clear()


def _tell_call(kind: str, place: tuple[CodeType, int], traced: str, transform: str) -> None:
    from perspicax.diagnose.expression import located  # for weight: a finding is rare

    position = Position(*place)
    expression = located(position)
    if expression is None or not isinstance(expression.node, ast.Call):
        return
    call, text = expression.node, expression.text
    code = ""
    if kind == "print":
        if any(isinstance(n, ast.Constant) and isinstance(n.value, str) and MEANT.search(n.value) for n in ast.walk(call)):
            return
        code = _debug_print(call)
    found(SideEffect(what=text, kind=kind, function=expression.function, traced=traced, transform=transform, code=code,
                     position=position))


def _debug_print(call: ast.Call) -> str:
    """`print("loss", x)` as `jax.debug.print("loss {}", x)`."""
    words, values = [], []
    for argument in call.args:
        match argument:
            case ast.Constant(value=str(text)):
                words.append(text.replace("{", "{{").replace("}", "}}"))
            case ast.JoinedStr(values=parts):
                words.append("".join([p.value if isinstance(p, ast.Constant) else "{}" for p in parts]))  # type: ignore[misc]
                values += [ast.unparse(p.value) for p in parts if isinstance(p, ast.FormattedValue)]
            case ast.Starred():
                return ""
            case _:
                words.append("{}")
                values.append(ast.unparse(argument))
    return f"jax.debug.print({', '.join([repr(' '.join(words)).replace(chr(39), chr(34)), *values])})"


# -- large constants

def watch_trace(fun: Callable[..., Any], name: str, closed: ClosedJaxpr, kept: Iterable[tuple], key: tuple,
                static_name: Callable[[Any], str]) -> None:
    """Look at the constants of a function that was traced."""
    if "constants" not in parse(sanitize.value):
        return
    for variable, const in zip(closed.jaxpr.constvars, closed.consts):
        if isinstance(const, ArrayImpl | np.ndarray) and const.nbytes >= LARGE:
            text = f"{np.dtype(const.dtype).name}{list(const.shape)}"
            found(SideEffect(what=_name_of(fun, const) or "an array", kind="constant", function="", traced=name,
                             transform="jit",
                             type_text=f"{text}, {const.nbytes / 1e6:.0f} MB",
                             position=_use(closed, variable) or _definition(fun)))
            return


def _use(closed: ClosedJaxpr, variable: Any) -> Place:
    """The first operation that takes a constant."""
    for eqn in closed.jaxpr.eqns:
        if any(atom is variable for atom in eqn.invars):
            return eqn.position
    return None


def _definition(fun: Any) -> Place:
    code = getattr(fun, "__code__", None)
    return Position(code, 0) if isinstance(code, CodeType) else user_position(3)


def _name_of(fun: Any, value: Any) -> str:
    """The name by which a function closes over a value."""
    code = getattr(fun, "__code__", None)
    if not isinstance(code, CodeType):
        return ""
    for name, cell in zip(code.co_freevars, fun.__closure__ or ()):
        try:
            if _is_same(cell.cell_contents, value):
                return name
        except ValueError:  # not bound yet
            continue
    return next((n for n in code.co_names if _is_same(fun.__globals__.get(n), value)), "")


def _is_same(given: Any, value: Any) -> bool:
    """Whether a constant is an array, or was made of it."""
    if given is value or not isinstance(given, ArrayImpl | np.ndarray) or np.shape(given) != np.shape(value):
        return given is value
    return bool(np.array_equal(np.asarray(given), np.asarray(value)))


__all__ = ["LARGE", "watch_call", "watch_trace"]
