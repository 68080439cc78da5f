"""Symbolic shapes from text: `"b, 2*b + 1, floordiv(b, 2), _, ..."`.

    shape      = "(" sizes ")" | sizes
    sizes      = [ size { "," size } [","] ]
    size       = "_" | "..." | expression
    expression = ["-"] term { ("+" | "-") term }
    term       = factor { "*" factor }
    factor     = NUMBER | (NAME | operation "(" expression "," expression ")") ["^" NUMBER]
    operation  = "floordiv" | "mod" | "max" | "min"
"""
from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, NoReturn

from perspicax.core.symbolic import Size, divide, largest, remainder, smallest
from perspicax.core.symbolic_errors import SymbolicShapeError

if TYPE_CHECKING:
    from perspicax.core.symbolic_scope import SymbolicScope

__all__ = ["parse_constraint", "parse_expression", "parse_shape"]

_TOKEN = re.compile(r"\s*(?:(\d+)|([A-Za-z_]\w*)|(\.\.\.|\*\*|//|[-+*^(),_]))")
_OPERATIONS = ("floordiv", "mod", "max", "min", "non_negative")


class _Reader:
    """Reads one text; `at` is the place of the next token."""

    def __init__(self, text: str, scope: SymbolicScope, what: str) -> None:
        self.text, self.scope, self.what = text, scope, what
        self.tokens: list[tuple[str, int]] = []
        at = 0
        while text[at:].strip():
            found = _TOKEN.match(text, at)
            if found is None:
                at += len(text[at:]) - len(text[at:].lstrip())
                self.refuse("a size is made of integers, names, `+`, `-`, `*`, `^`, `floordiv`, `mod`, `max` and `min`", at)
            self.tokens.append((found.group(found.lastindex or 0), found.start(found.lastindex or 0)))
            at = found.end()
        self.next = 0

    def refuse(self, why: str, at: int | None = None) -> NoReturn:
        """Raise, with a mark under the place."""
        if at is None:
            at = self.tokens[self.next][1] if self.next < len(self.tokens) else len(self.text)
        mark = f"    {self.text}\n    {' ' * at}^"
        raise SymbolicShapeError(says=f"The {self.what} {self.text!r} cannot be read.\n{mark}", why=why)

    def peek(self) -> str:
        return self.tokens[self.next][0] if self.next < len(self.tokens) else ""

    def take(self, *wanted: str) -> str:
        """The next token if it is one of these, else ''."""
        found = self.peek()
        if found and found in wanted:
            self.next += 1
            return found
        return ""

    def need(self, token: str) -> None:
        if not self.take(token):
            self.refuse(f"here `{token}` was expected")

    # -- the grammar

    def expression(self) -> Size:
        total: Size = -self.term() if self.take("-") else self.term()
        while sign := self.take("+", "-"):
            term = self.term()
            total = total + term if sign == "+" else total - term
        return total

    def term(self) -> Size:
        product = self.factor()
        while self.take("*"):
            product = product * self.factor()
        if self.peek() == "//":
            self.refuse("a quotient is written `floordiv(a, b)`")
        return product

    def factor(self) -> Size:
        token = self.peek()
        if token.isdigit():
            self.next += 1
            return int(token)
        if self.take("-"):
            return -self.factor()
        if self.take("("):
            inner = self.expression()
            self.need(")")
            return self.power(inner)
        if not token.isidentifier() or token == "_":
            self.refuse("here a name or an integer was expected")
        self.next += 1
        if self.peek() != "(":
            return self.power(self.scope.variable(token))
        if token not in _OPERATIONS:
            self.next -= 1
            self.refuse("the operations on sizes are `floordiv`, `mod`, `max` and `min`")
        return self.power(self.operation(token))

    def operation(self, name: str) -> Size:
        self.need("(")
        a = self.expression()
        if name == "non_negative":
            self.need(")")
            return largest(a, 0)
        self.need(",")
        b = self.expression()
        self.need(")")
        match name:
            case "floordiv":
                return divide(self.scope, a, b)
            case "mod":
                return remainder(self.scope, a, b)
            case "max":
                return largest(a, b)
            case _:
                return smallest(a, b)

    def power(self, base: Size) -> Size:
        if not self.take("^", "**"):
            return base
        token = self.peek()
        if not token.isdigit():
            self.refuse("a power is an integer")
        self.next += 1
        return base ** int(token)

    def end(self) -> None:
        if self.next < len(self.tokens):
            self.refuse("here the end was expected")


def parse_expression(text: str, scope: SymbolicScope) -> Size:
    """The size that a text says."""
    reader = _Reader(text, scope, "size")
    found = reader.expression()
    reader.end()
    return found


def parse_constraint(text: str, scope: SymbolicScope) -> tuple[Size, str, Size]:
    """Both sides of a constraint, and its comparison.

    Raises:
        SymbolicShapeError: it has no comparison, or a side cannot be read.
    """
    for comparison in ("==", ">=", "<="):
        left, found, right = text.partition(comparison)
        if found:
            return parse_expression(left, scope), comparison, parse_expression(right, scope)
    raise SymbolicShapeError(says=f"The constraint {text!r} on symbolic sizes has no comparison that can be used.",
                             why="a constraint is `e1 >= e2`, `e1 <= e2` or `e1 == e2`; sizes are integers, so that `b > 3` is "
                                 "`b >= 4`")


def parse_shape(text: str, scope: SymbolicScope, like: Sequence[int | None] | None) -> tuple[Size, ...]:
    """The shape that a text says; `_` and `...` stand for sizes of `like`.

    Raises:
        SymbolicShapeError: it cannot be read, or does not fit to `like`.
    """
    reader = _Reader(text, scope, "symbolic shape")
    bare = text.strip()
    closing = bare.startswith("(") and bare.endswith(")") and _encloses(bare)
    if closing:
        reader.need("(")
        reader.tokens.pop()
    sizes: list[Size] = []
    while reader.next < len(reader.tokens):
        if reader.take("..."):
            if like is None:
                reader.next -= 1
                reader.refuse("`...` stands for sizes of `like`, which was not given")
            sizes += [_filled(reader, like, i) for i in range(len(sizes), len(like))]
            reader.take(",")
            if reader.next < len(reader.tokens):
                reader.refuse("`...` stands at the end")
            break
        if reader.take("_"):
            if like is None or len(sizes) >= len(like):
                reader.next -= 1
                reader.refuse("`_` stands for the size of `like` on this axis, which "
                              + ("was not given" if like is None else f"has {len(like)} axes"))
            sizes.append(_filled(reader, like, len(sizes)))
        else:
            sizes.append(reader.expression())
            _check_like(reader, like, sizes)
        if reader.next < len(reader.tokens):
            reader.need(",")
    if like is not None and len(sizes) != len(like):
        reader.refuse(f"it has {len(sizes)} axes, and `like` has {len(like)}", len(text))
    return tuple(sizes)


def _encloses(text: str) -> bool:
    """Whether the first parenthesis is closed by the last character."""
    depth = 0
    for i, c in enumerate(text):
        depth += (c == "(") - (c == ")")
        if depth == 0:
            return i == len(text) - 1
    return False


def _filled(reader: _Reader, like: Sequence[int | None], axis: int) -> Size:
    size = like[axis]
    if size is None:
        reader.refuse(f"a placeholder needs the size of axis {axis} of `like`, which is None")
    return size


def _check_like(reader: _Reader, like: Sequence[int | None] | None, sizes: list[Size]) -> None:
    axis = len(sizes) - 1
    if like is not None and axis < len(like) and type(sizes[axis]) is int and like[axis] not in (None, sizes[axis]):
        reader.next -= 1
        reader.refuse(f"axis {axis} is {sizes[axis]} here, and {like[axis]} in the array")
