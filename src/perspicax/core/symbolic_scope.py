"""The scope of symbolic sizes: their variables, and the constraints that the user states of them."""
from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from perspicax.core.symbolic import Atom, Monomial, Size, SymbolicSize, atom_size, polynomial
from perspicax.core.symbolic_bounds import lower_bound, upper_bound
from perspicax.core.symbolic_errors import SymbolicShapeError
from perspicax.core.symbolic_parse import parse_constraint
from perspicax.diagnose.boundary import public_methods
from perspicax.diagnose.frames import user_place
from perspicax.diagnose.place import resolve
from perspicax.diagnose.source import shorten

__all__ = ["SymbolicScope"]


@public_methods("__init__")
class SymbolicScope:
    """Symbolic sizes that belong together, and what is known of them.

    Sizes that meet in one computation are of one scope; variables of the same name in two scopes are different.

    Args:
        constraints_str: texts `e1 >= e2`, `e1 <= e2` or `e1 == e2` of expressions in the variables. Inequalities help to
            decide comparisons; an equality is used from left to right, wherever its left side (one term) occurs.

    Raises:
        SymbolicShapeError: a constraint cannot be read.

    >>> scope = SymbolicScope(["b >= 4"])
    >>> b, = symbolic_shape("b", scope=scope)
    >>> b > 3
    True
    """

    def __init__(self, constraints_str: Sequence[str] = ()) -> None:
        if isinstance(constraints_str, str):
            raise SymbolicShapeError(says=f"The constraints of symbolic sizes were given as one text, {constraints_str!r}.",
                                     why="they are a sequence of texts", code=f"constraints=[{constraints_str!r}]")
        self.explicit = tuple(constraints_str)
        self.place: Any = user_place(1)
        self.rules: list[tuple[Monomial, int, Size]] = []
        self.facts: list[SymbolicSize] = []
        self.conditions: list[tuple[str, str, Size, Size]] = []
        self.bounds: dict[Any, float] = {}
        self._facts_of: dict[Atom, list[Size]] = {}
        for text in self.explicit:
            self._add(text)

    def __repr__(self) -> str:
        shown = resolve(self.place)
        where = "" if shown is None else f" at {shorten(shown.filename)}:{shown.line}"
        constraints = f" with {', '.join(self.explicit)}" if self.explicit else ""
        return f"the scope made{where}{constraints}"

    def _add(self, text: str) -> None:
        left, comparison, right = parse_constraint(text, self)
        self.conditions.append((text, comparison, left, right))
        difference = left - right
        if type(difference) is not SymbolicSize:
            if (difference < 0 or (difference > 0 and comparison == "==")) if comparison != "<=" else difference > 0:
                raise SymbolicShapeError(says=f"The constraint `{text}` cannot hold.",
                                         why="it is false for all values of the variables")
            return
        self.bounds.clear()
        if comparison == ">=":
            self.facts.append(difference)
        elif comparison == "<=":
            self.facts.append(-difference)
        else:
            self.facts += [difference, -difference]
            self._add_rule(text, left, right)

    def _add_rule(self, text: str, left: Size, right: Size) -> None:
        if type(left) is not SymbolicSize or len(left.terms) != 1 or left.terms[0][1] < 0:
            raise SymbolicShapeError(
                says=f"The constraint `{text}` cannot be used.",
                why="the left side of an equality is replaced by the right side where it occurs: it is one term, such as "
                    "`a`, `2*a`, `a*b` or `mod(a, 2)`")
        (monomial, n), = left.terms
        self.rules.append((monomial, n, right))
        atom = monomial[0][0] if len(monomial) == 1 and n == 1 else None
        if atom is not None and atom.name == "mod" and right == 0 and type(atom.operands[1]) is int:
            # what divides without a remainder is its quotient times the divisor
            dividend, divisor = atom.operands
            self.rules.append((((Atom("floordiv", (dividend, divisor)), 1),), divisor, dividend))
        self._facts_of.clear()

    # -- variables and decisions

    def variable(self, name: str) -> Size:
        """The size that is a variable; what it is equal to, where an equality says so."""
        return polynomial(self, {((Atom(name), 1),): 1})

    def at_least(self, size: Size, least: int) -> bool | None:
        """Whether `size >= least` for all values of the variables; `None` where it is for some only, or is not known."""
        if type(size) is not SymbolicSize:
            return bool(size >= least)
        if lower_bound(self, size) >= least:
            return True
        return False if upper_bound(self, size) < least else None

    def within(self, a: Size, b: Size) -> bool:
        """Whether `0 <= a < b` is known, so that a division of one by the other is no matter."""
        return self.at_least(a, 0) is True and self.at_least(b - a, 1) is True if type(b) is int else False

    def facts_of(self, atom: Atom) -> list[Size]:
        """Sizes that are at least 0 by what the operation means."""
        found = self._facts_of.get(atom)
        if found is None:
            self._facts_of[atom] = []  # while they are being made
            found = self._facts_of[atom] = self._made_facts(atom)
        return found

    def _made_facts(self, atom: Atom) -> list[Size]:
        this = atom_size(self, atom)
        a, b = atom.operands
        match atom.name:
            case "max":
                return [this - a, this - b]
            case "min":
                return [a - this, b - this]
            case _ if lower_bound(self, b, 1) < 1:
                return []
            case "mod":
                return [b - 1 - this] + ([a - this] if lower_bound(self, a, 1) >= 0 else [])
            case _:
                return [a - this * b, this * b - a + b - 1]
