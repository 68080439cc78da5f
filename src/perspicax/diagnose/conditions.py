"""Which construct asked for a truth value, and how the same choice can be written as an expression."""

from __future__ import annotations

import ast
from typing import NamedTuple

from perspicax.diagnose.expression import Expression, located
from perspicax.diagnose.files import SourceFile
from perspicax.diagnose.place import Place, Span, instruction_at, node_span

__all__ = ["Branches", "Condition", "condition_at", "link_of", "on_device"]

_FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)


class Branches(NamedTuple):
    """The two sides of a choice, when each is one expression.

    Attributes:
        how: "return", "assign" or "expression".
        target: the assigned target's text; empty otherwise.
        then: the value when the test holds.
        otherwise: the value when it does not.
        span: the text that a rewritten statement would replace.
    """

    how: str
    target: str
    then: Expression
    otherwise: Expression
    span: Span

    def rewritten(self, value: str) -> str:
        """The statement (or expression) that has `value` in place of the choice."""
        match self.how:
            case "return":
                return f"return {value}"
            case "assign":
                return f"{self.target} = {value}"
            case _:
                return value


class Condition(NamedTuple):
    """What needed to know whether something is true.

    Attributes:
        kind: "if", "elif", "while", "assert", "ternary", "and", "or", "not", "comprehension", "bool", "chain" (of
            comparisons), "in", "comparison" (of containers), "match", "guard" or "call" (`min`, `sorted`, `any`, …).
        test: the expression whose truth was asked for.
        construct: the construct that asked.
        statement: the statement around it.
        function: the function around it (None at module level).
        callee: the called function's text when `kind` is "call" or "bool".
        within: for "and", "or", "not" and "chain": the kind of the construct they are a test of, else empty.
    """

    kind: str
    test: Expression
    construct: Expression
    statement: Expression | None
    function: Expression | None
    callee: str = ""
    within: str = ""

    @property
    def word(self) -> str:
        """How a sentence names the construct: `if`, `while`, `min(...)`, `a < b < c`."""
        match self.kind:
            case "ternary" | "comprehension" | "guard":
                return "if"
            case "call" | "bool":
                return f"{self.callee}(...)"
            case "chain" | "comparison":
                return self.construct.text
            case kind:
                return kind

    @property
    def whole_test(self) -> Expression:
        """The complete test of the `if`, `while`, … that this is part of."""
        holder = self._holder()
        if holder is not None:
            return self.test.at(holder.test)  # type: ignore[attr-defined]
        return self.test

    def branches(self) -> Branches | None:
        """Both sides, if this decides between two returned, assigned or inline values; else None."""
        holder, file = self._holder(), self.test.file
        match holder:
            case ast.IfExp(body=then, orelse=otherwise):
                span = node_span(file, holder, self.test.function)
                return Branches("expression", "", self.test.at(then), self.test.at(otherwise), span)
            case ast.If():
                return _statement_branches(self.test, holder)
        return None

    def _holder(self) -> ast.AST | None:
        file, node = self.test.file, self.construct.node
        while isinstance(node, ast.BoolOp | ast.UnaryOp | ast.Compare | ast.NamedExpr):
            outer = file.parent(node)
            if outer is None:
                return None
            node = outer
        if isinstance(node, ast.If | ast.While | ast.IfExp | ast.Assert) and _contains(node.test, self.test.node):
            return node
        return None


def _contains(outer: ast.AST, inner: ast.AST) -> bool:
    """By place, not by identity: a link of a chained comparison is a node that we made."""
    first, last = (inner.lineno, inner.col_offset), (inner.end_lineno, inner.end_col_offset)  # type: ignore[attr-defined]
    begin, end = (outer.lineno, outer.col_offset), (outer.end_lineno, outer.end_col_offset)  # type: ignore[attr-defined]
    return begin <= first and last <= end


def _statement_branches(near: Expression, holder: ast.If) -> Branches | None:
    file, following = near.file, _next_statement(near.file, holder)
    last: ast.stmt = holder
    match holder.body, holder.orelse, following:
        case [ast.Return(value=ast.expr() as then)], [ast.Return(value=ast.expr() as other)], _:
            how, target = "return", ""
        case [ast.Return(value=ast.expr() as then)], [], ast.Return(value=ast.expr() as other):
            how, target, last = "return", "", following
        case [ast.Assign(targets=[ast.Name() as left], value=then)], [
            ast.Assign(targets=[ast.Name() as right], value=other)], _ if left.id == right.id:
            how, target = "assign", left.id
        case [ast.Assign(targets=[ast.Name() as left], value=then)], [], _:
            how, target, other = "assign", left.id, left
        case _:
            return None
    span = Span(file.filename, holder.lineno, file.characters(holder.lineno, holder.col_offset),
                last.end_lineno, file.characters(last.end_lineno or 0, last.end_col_offset or 0), near.function)
    return Branches(how, target, near.at(then), near.at(other), span)


def _next_statement(file: SourceFile, statement: ast.stmt) -> ast.stmt | None:
    holder = file.parent(statement)
    for _, block in ast.iter_fields(holder) if holder is not None else ():
        if isinstance(block, list) and statement in block:
            rest = block[block.index(statement) + 1:]
            return rest[0] if rest else None
    return None


def link_of(place: Place, compare: ast.Compare) -> int:
    """Which link of a chained comparison stands at `place`: 0 for `a < b` in `a < b < c`."""
    if place is None or isinstance(place, Span) or len(compare.ops) == 1:
        return 0
    code, lasti = place
    here = instruction_at(code, lasti)
    raw, before = code.co_code, 0
    for offset in range(0, here.offset, 2):
        if raw[offset]:
            found = instruction_at(code, offset)
            before += found.name in ("COMPARE_OP", "CONTAINS_OP", "IS_OP") and found[2:] == here[2:]
    if here.name not in ("COMPARE_OP", "CONTAINS_OP", "IS_OP"):
        before -= 1  # a jump stands behind the comparison that it asks about
    return before % len(compare.ops)  # a `while` compiles its test twice


def condition_at(position: Place) -> Condition | None:
    """The construct that asked for a truth value at `position`, with the user's own test expression.

    Args:
        position: the place where `bool()` of a value was called.

    Returns:
        The condition, or None where the source cannot be read or nothing there asks for a truth value.
    """
    found = located(position)
    if found is None or position is None or isinstance(position, Span):
        return None
    code, lasti = position
    name = instruction_at(code, lasti).name
    node = found.node
    match node:
        case ast.Call() if name.startswith(("CALL", "PRECALL")):
            callee = found.at(node.func).text
            kind = "bool" if callee == "bool" else "call"
            test = found.at(node.args[0]) if len(node.args) == 1 and not node.keywords else found
            return _condition(kind, test, found, callee)
        case ast.Compare() if name == "CONTAINS_OP":
            return _condition("in", found, found)
        case ast.UnaryOp(op=ast.Not(), operand=operand) if name == "UNARY_NOT":
            return _condition("not", found.at(operand), found)
        case ast.Compare() if name == "COMPARE_OP" and len(node.ops) == 1:
            return _asker(found) or _condition("comparison", found, found)
    if "JUMP" not in name and name not in ("TO_BOOL", "COMPARE_OP", "UNARY_NOT"):
        return None
    if isinstance(node, ast.Compare) and len(node.ops) > 1:
        link = link_of(position, node)
        if link < len(node.ops) - 1:
            return _condition("chain", found.at(_link(node, link)), found)
    return _asker(found)


def _link(compare: ast.Compare, index: int) -> ast.Compare:
    left = [compare.left, *compare.comparators][index]
    right = compare.comparators[index]
    return ast.Compare(left, [compare.ops[index]], [right], lineno=left.lineno, col_offset=left.col_offset,
                       end_lineno=right.end_lineno, end_col_offset=right.end_col_offset)


def _asker(test: Expression) -> Condition | None:
    """The nearest construct around `test` that asks for its truth value."""
    file = test.file
    child: ast.AST = test.node
    while (parent := file.parent(child)) is not None:
        match parent:
            case ast.NamedExpr():
                child = parent
                continue
            case ast.BoolOp(values=values) if child is values[-1]:
                child = parent  # only the construct around it asks for the last operand of `and` and `or`
                continue
        kind = _kind_of_test(file, parent, child)
        return _condition(kind, test, test.at(parent)) if kind else None
    return None


def _kind_of_test(file: SourceFile, parent: ast.AST, child: ast.AST) -> str:
    match parent:
        case ast.If(test=test) if test is child:
            return "elif" if _is_elif(file, parent) else "if"
        case ast.While(test=test) if test is child:
            return "while"
        case ast.Assert(test=test) if test is child:
            return "assert"
        case ast.IfExp(test=test) if test is child:
            return "ternary"
        case ast.comprehension(ifs=ifs) if child in ifs:
            return "comprehension"
        case ast.match_case(guard=guard) if guard is child:
            return "guard"
        case ast.MatchValue():
            return "match"
        case ast.BoolOp(op=ast.And()):
            return "and"
        case ast.BoolOp():
            return "or"
        case ast.UnaryOp(op=ast.Not()):
            return "not"
    return ""


def _is_elif(file: SourceFile, node: ast.If) -> bool:
    text = file.line(node.lineno) or ""
    return text[file.characters(node.lineno, node.col_offset):].startswith("elif")


def _condition(kind: str, test: Expression, construct: Expression, callee: str = "") -> Condition:
    file = test.file
    if kind == "match":
        matched = file.enclosing(construct.node, (ast.Match,))
        if isinstance(matched, ast.Match):
            test = test.at(matched.subject)
    statement = file.enclosing(construct.node, (ast.stmt,))
    function = file.enclosing(construct.node, _FUNCTIONS)
    within = ""
    if kind in ("and", "or", "not", "chain"):
        child = construct.node
        while not within and (parent := file.parent(child)) is not None and isinstance(child, ast.expr):
            outer = _kind_of_test(file, parent, child)
            within = "" if outer in ("and", "or", "not") else outer
            child = parent
    return Condition(kind, test, construct, test.at(statement) if statement is not None else None,
                     test.at(function) if function is not None else None, callee, within)


class _OnDevice(ast.NodeTransformer):
    """Rewrites `and`, `or`, `not` and chained comparisons, which need a truth value, as functions of arrays."""

    def __init__(self, numpy: str) -> None:
        self.numpy = numpy
        self.changed = False

    def _call(self, name: str, *arguments: ast.expr) -> ast.expr:
        self.changed = True
        function = ast.Attribute(ast.Name(self.numpy, ast.Load()), name, ast.Load())
        return ast.Call(function, list(arguments), [])

    def _fold(self, name: str, values: list[ast.expr]) -> ast.expr:
        result = values[0]
        for value in values[1:]:
            result = self._call(name, result, value)
        return result

    def visit_BoolOp(self, node: ast.BoolOp) -> ast.expr:
        values = [self.visit(value) for value in node.values]
        return self._fold("logical_and" if isinstance(node.op, ast.And) else "logical_or", values)

    def visit_UnaryOp(self, node: ast.UnaryOp) -> ast.expr:
        operand = self.visit(node.operand)
        return self._call("logical_not", operand) if isinstance(node.op, ast.Not) else ast.UnaryOp(node.op, operand)

    def visit_Compare(self, node: ast.Compare) -> ast.AST:
        if len(node.ops) == 1:
            return self.generic_visit(node)
        links: list[ast.expr] = [_link(node, index) for index in range(len(node.ops))]
        return self._fold("logical_and", links)


def on_device(expression: Expression, numpy: str = "jnp") -> str:
    """The text of a test that works on arrays: `a and not b` becomes `jnp.logical_and(a, jnp.logical_not(b))`.

    Args:
        expression: the test as written.
        numpy: the name under which the user's file knows the NumPy module.
    """
    rewriter = _OnDevice(numpy)
    tree = ast.parse(ast.unparse(expression.node), mode="eval")
    rewritten = rewriter.visit(tree.body)
    return ast.unparse(ast.fix_missing_locations(rewritten)) if rewriter.changed else expression.text
