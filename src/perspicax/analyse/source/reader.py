"""Goes through a program as Python would, with what is known of values in their place."""
from __future__ import annotations

import ast
from typing import Any, NamedTuple

from perspicax.analyse.source.library import imports_of
from perspicax.analyse.source.program import Program
from perspicax.analyse.source.rules import RULES, Problem
from perspicax.analyse.source.values import (
    ARGUMENT,
    Function,
    Named,
    Value,
    Wrapped,
    join,
)
from perspicax.diagnose.report import Fix, Label

__all__ = ["Frame", "Reader", "Trace", "node_of"]

Def = ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda
MAX_DEPTH = 12     # calls within calls
SILENT = frozenset({"key-reuse", "side-effect", "traced-print", "discarded-update", "leaked-value"})  # raise nothing there
_ELSEWHERE = frozenset({"KeyError", "OSError", "FileNotFoundError", "ImportError", "ModuleNotFoundError", "KeyboardInterrupt",
                        "StopIteration", "EOFError", "IOError", "PermissionError", "TimeoutError"})
MAX_CALLS = 3000   # calls gone through for one function that nobody calls; a program that wants more is read in part


class Trace(NamedTuple):
    """A function being traced: by what, and whether there are values."""

    transform: str
    function: str
    kind: str


class Frame:
    """One run of a function, or of the module.

    Attributes:
        names: its variables.
        around: the frame that its function was defined in.
        node: the function; None for the module.
        depth: how many traces were open when it began.
        module: the Linen instance whose method it is, or stands in.
        outside: names declared `global` or `nonlocal`.
        own: names that it binds.
        returns: what it returned.
        exits: the keys used up at each return.
    """

    def __init__(self, node: Def | ast.ClassDef | None, around: Frame | None, depth: int, module: Value | None) -> None:
        self.names: dict[str, Value] = {}
        self.around = around
        self.node = node
        self.depth = depth
        self.module = module
        self.outside: set[str] = set()
        self.returns: list[Value] = []
        self.exits: list[dict[Value, tuple]] = []
        self.quiet = 0

    @property
    def function(self) -> str:
        """For display."""
        return "" if self.node is None else getattr(self.node, "name", "a lambda")

    def find(self, name: str) -> Frame | None:
        """The frame that holds a name."""
        frame: Frame | None = self
        while frame is not None:
            if name in frame.names and not (frame is not self and isinstance(frame.node, ast.ClassDef)):
                return frame
            frame = frame.around
        return None


class Reader:
    """The state of a walk through one program: statements are here, expressions and calls in the classes that derive."""

    def __init__(self, program: Program) -> None:
        self.program = program
        self.problems: dict[tuple[str, int, int], Problem] = {}
        self.traces: list[Trace] = []
        self.used: dict[Value, tuple] = {}
        self.chain: list[tuple[ast.AST, tuple[int, ...]]] = []
        self.turns: list[int] = []
        self.running: list[ast.AST] = []
        self.ran: set[ast.AST] = set()
        self.waiting: list[tuple[Value, Frame]] = []
        self.calls = 0
        self.uncertain = 0
        self.applied: list[dict[str, Any]] = []
        self.caught = 0
        self.eager = 0  # within `with jax.disable_jit()`
        self.called_by_module = True  # whether it is at what the program runs itself, not at functions that others may call
        self.alone: ast.expr | None = None  # the expression that is a whole statement

    # -- what the other parts supply

    def value(self, node: ast.expr, frame: Frame) -> Value:
        """What is known of an expression."""
        raise NotImplementedError

    def call(self, function: Value, args: list[Value], keywords: dict[str, Value], node: ast.AST, frame: Frame) -> Value:
        """What is known of the result of a call."""
        raise NotImplementedError

    def condition(self, node: ast.expr, word: str, frame: Frame) -> Value:
        """What is known of a condition; tells if it is traced."""
        raise NotImplementedError

    def store(self, target: ast.expr, value: Value, frame: Frame, statement: ast.AST) -> None:
        """Assign."""
        raise NotImplementedError

    def expression_statement(self, node: ast.Expr, frame: Frame) -> None:
        """An expression whose value nobody takes."""
        raise NotImplementedError

    def element(self, value: Value, frame: Frame) -> Value:
        """What is known of an element of an iterable."""
        raise NotImplementedError

    # -- telling

    @property
    def staged(self) -> bool:
        """Whether a function is being traced without values."""
        return any(t.kind == "staged" for t in self.traces)

    def tell(self, rule: str, node: ast.AST, says: str, frame: Frame, *, labels: tuple[Label, ...] = (),
             fixes: tuple[Fix, ...] = (), safe: bool = False) -> None:
        """Note a problem, once for each place; not an error that the program itself catches."""
        if self.eager or (self.caught and rule not in SILENT):
            return
        span = self.program.span(node, frame.function)
        key = rule, span.line, span.column or 0
        if key not in self.problems:
            self.problems[key] = Problem(RULES[rule], span, says, labels, fixes, safe)

    def told(self, rule: str, node: ast.AST) -> bool:
        """Whether a problem was noted at a place."""
        span = self.program.span(node)
        return (rule, span.line, span.column or 0) in self.problems

    # -- the walk

    def read(self) -> list[Problem]:
        """Go through the module, then through all functions that nobody called."""
        top = Frame(None, None, 0, None)
        self.top = top
        self.block(self.program.tree.body, top)
        self.called_by_module = False
        while self.waiting:
            value, frame = self.waiting.pop(0)
            what = value.what
            inner = what.function.what if isinstance(what, Wrapped) else what
            if isinstance(inner, Function) and inner.node not in self.ran:
                self.used, self.calls, self.chain, self.turns = {}, 0, [], []
                self.call_unknown(value, frame)
        return list(self.problems.values())

    def call_unknown(self, value: Value, frame: Frame) -> None:
        """Go through a function whose arguments are not known."""
        raise NotImplementedError

    def block(self, statements: list[ast.stmt], frame: Frame) -> bool:
        """Run statements; whether none of the ways through them goes on behind."""
        return any(self.statement(s, frame) for s in statements)

    def statement(self, node: ast.stmt, frame: Frame) -> bool:
        """Run one; whether nothing behind it is reached."""
        match node:
            case ast.Import() | ast.ImportFrom():
                for name, meant in imports_of(node).items():
                    frame.names[name] = Value(what=Named(meant)) if meant else Value()
            case ast.FunctionDef() | ast.AsyncFunctionDef():
                self.define(node, frame)
            case ast.ClassDef():
                self.define_class(node, frame)
            case ast.Return():
                value = self.value(node.value, frame) if node.value is not None else Value(constant=None)
                frame.returns.append(value)
                frame.exits.append(dict(self.used))
                return True
            case ast.Raise():
                for part in (node.exc, node.cause):
                    if part is not None:
                        self.value(part, frame)
                return True
            case ast.Break() | ast.Continue():
                return True
            case ast.Assign():
                value = self.value(node.value, frame)
                for target in node.targets:
                    self.store(target, value, frame, node)
            case ast.AnnAssign():
                if node.value is not None:
                    self.store(node.target, self.value(node.value, frame), frame, node)
            case ast.AugAssign():
                loaded = ast.copy_location(_loaded(node.target), node.target)
                old, new = self.value(loaded, frame), self.value(node.value, frame)
                self.store(node.target, self.combined([old, new], node.op), frame, node)
            case ast.Expr():
                self.expression_statement(node, frame)
            case ast.If():
                return self._if(node, frame)
            case ast.For() | ast.AsyncFor():
                return self._for(node, frame)
            case ast.While():
                return self._while(node, frame)
            case ast.Assert():
                self.condition(node.test, "assert", frame)
            case ast.With() | ast.AsyncWith():
                for item in node.items:
                    value = self.value(item.context_expr, frame)
                    if item.optional_vars is not None:
                        self.store(item.optional_vars, value, frame, node)
                caught = any(word in ast.dump(i.context_expr) for i in node.items for word in ("aises", "suppress"))
                eager = any("disable_jit" in ast.dump(i.context_expr) for i in node.items)
                frame.quiet += caught
                self.caught += caught
                self.eager += eager
                ends = self.block(node.body, frame)
                self.eager -= eager
                self.caught -= caught
                frame.quiet -= caught
                return ends and not caught
            case ast.Try() | ast.TryStar():
                return self._try(node, frame)
            case ast.Match():
                self.value(node.subject, frame)
                self._ways([lambda case=case: self._case(case, frame) for case in node.cases] + [lambda: False], frame)
            case ast.Global() | ast.Nonlocal():
                frame.outside.update(node.names)
            case ast.Delete():
                for target in node.targets:
                    if isinstance(target, ast.Name):
                        frame.names.pop(target.id, None)
        return False

    def define(self, node: ast.FunctionDef | ast.AsyncFunctionDef, frame: Frame) -> None:
        """A function, under its decorators."""
        raise NotImplementedError

    def define_class(self, node: ast.ClassDef, frame: Frame) -> None:
        """A class; its methods are gone through when all else is known."""
        raise NotImplementedError

    def combined(self, values: list[Value], op: ast.operator) -> Value:
        """The result of an operator."""
        raise NotImplementedError

    def _case(self, case: ast.match_case, frame: Frame) -> bool:
        for part in ast.walk(case.pattern):
            name = getattr(part, "name", None)
            if isinstance(name, str):
                frame.names[name] = Value()
        return self.block(case.body, frame)

    def _if(self, node: ast.If, frame: Frame) -> bool:
        test = self.condition(node.test, "if", frame)
        if isinstance(test.constant, bool) and self.applied:  # a flag that `apply` was given
            return self.block(node.body if test.constant else node.orelse, frame)
        if _is_type_checking(node.test):
            self.block(node.body, frame)
            return False
        return self._ways([lambda: self.block(node.body, frame), lambda: self.block(node.orelse, frame)], frame)

    def _ways(self, ways: list[Any], frame: Frame) -> bool:
        """Several ways from here; behind them, what any of them may have left."""
        names, used = dict(frame.names), dict(self.used)
        ends: list[tuple[dict[str, Value], dict[Value, tuple]]] = []
        self.uncertain += 1
        for way in ways:
            frame.names, self.used = dict(names), dict(used)
            if not way():
                ends.append((frame.names, self.used))
        self.uncertain -= 1
        if not ends:
            frame.names, self.used = names, used
            return True
        frame.names, self.used = dict(ends[0][0]), dict(ends[0][1])
        for other, uses in ends[1:]:
            self.used.update(uses)
            for name, value in other.items():
                mine = frame.names.get(name)
                if mine is None:
                    frame.names[name] = value
                elif mine is not value:
                    frame.names[name] = _either(mine, value)
        return False

    def _for(self, node: ast.For | ast.AsyncFor, frame: Frame) -> bool:
        over = self.value(node.iter, frame)
        self.integers_of(node.iter, frame)

        def turn() -> bool:
            self.store(node.target, self.element(over, frame), frame, node)
            return self.block(node.body, frame)

        self.turned(turn, frame)
        self.block(node.orelse, frame)
        return False

    def integers_of(self, node: ast.expr, frame: Frame) -> None:
        """A place for rules about what is looped over."""

    def turned(self, turn: Any, frame: Frame) -> None:
        """Two turns of a loop, which may also make none."""
        self.turns.append(0)
        before = dict(frame.names)
        self.uncertain += 1
        for number in range(2):
            self.turns[-1] = number
            if turn():
                break
        self.uncertain -= 1
        self.turns.pop()
        for name, value in before.items():
            if name not in frame.names:
                frame.names[name] = value

    def _while(self, node: ast.While, frame: Frame) -> bool:
        def turn() -> bool:
            self.condition(node.test, "while", frame)
            return self.block(node.body, frame)

        self.turned(turn, frame)
        self.block(node.orelse, frame)
        return False

    def _try(self, node: ast.Try | ast.TryStar, frame: Frame) -> bool:
        def body() -> bool:
            caught = any(_catches(h) for h in node.handlers)
            frame.quiet += 1
            self.caught += caught
            ends = self.block(node.body, frame) or self.block(node.orelse, frame)
            self.caught -= caught
            frame.quiet -= 1
            return ends

        def handler(h: ast.ExceptHandler) -> bool:
            if h.name:
                frame.names[h.name] = Value()
            return self.block(h.body, frame)

        ends = self._ways([body, *[lambda h=h: handler(h) for h in node.handlers]], frame)
        return self.block(node.finalbody, frame) or ends

def node_of(value: Value) -> ast.AST | None:
    """The function under its transformations."""
    what = value.what
    while isinstance(what, Wrapped):
        what = what.function.what
    return what.node if isinstance(what, Function) else None


def _either(left: Value, right: Value) -> Value:
    """One of two values, told by the ways that led here."""
    if left.level == right.level and left.what is right.what and left.what is not None:
        return left
    made = join([left, right])
    if left.level and right.level and made.level > ARGUMENT and ARGUMENT in (left.level, right.level):
        made.level = ARGUMENT
    return made


def _catches(handler: ast.ExceptHandler) -> bool:
    """Whether a handler may be for the errors that are foreseen here: not if it hands them on."""
    if any(isinstance(n, ast.Raise) for s in handler.body for n in ast.walk(s)):
        return False
    kinds = handler.type.elts if isinstance(handler.type, ast.Tuple) else [handler.type]
    return any(k is None or ast.unparse(k).rpartition(".")[2] not in _ELSEWHERE for k in kinds)


def _loaded(target: ast.expr) -> ast.expr:
    """A target of `+=`, to be read."""
    match target:
        case ast.Name():
            return ast.copy_location(ast.Name(target.id, ast.Load()), target)
        case ast.Attribute():
            return ast.copy_location(ast.Attribute(target.value, target.attr, ast.Load()), target)
        case ast.Subscript():
            return ast.copy_location(ast.Subscript(target.value, target.slice, ast.Load()), target)
    return target


def _is_type_checking(test: ast.expr) -> bool:
    return isinstance(test, ast.Name) and test.id == "TYPE_CHECKING"
