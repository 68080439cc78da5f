"""Symbolic sizes: an axis whose size is `b`, or `2*b + 1`, in a function that is traced once for all sizes.

A size is a polynomial with integer coefficients in variables and in the operations `floordiv`, `mod`, `max` and `min` of
other sizes, in a normal form: equal polynomials are equal objects' contents, so that shapes compare and hash. Every
variable is at least 1, and what else is known of it stands in its scope (`symbolic_scope.py`), which also decides
comparisons (`symbolic_bounds.py`).
"""
from __future__ import annotations

import math
import operator
from collections.abc import Callable, Iterable, Mapping
from functools import total_ordering
from typing import TYPE_CHECKING, Any

import numpy as np

from perspicax.core.symbolic_errors import (
    InconclusiveDimensionOperation,
    SymbolicShapeError,
    SymbolicSizeConversionError,
)
from perspicax.diagnose.report import Fix

if TYPE_CHECKING:
    from perspicax.core.symbolic_scope import SymbolicScope

__all__ = ["Atom", "Size", "SymbolicSize", "Terms", "as_size", "atom_size", "divide", "is_symbolic_dim", "largest",
           "mixed_scopes", "polynomial", "remainder", "set_value_of", "smallest", "surely_less", "symbolic_in"]

Size = Any
"""An int, or a `SymbolicSize`."""


@total_ordering
class Atom:
    """A variable, or an operation that polynomials cannot express.

    Attributes:
        name: of the variable, or `floordiv`, `mod`, `max`, `min`.
        operands: sizes; none for a variable.
    """

    __slots__ = ("hash", "key", "name", "operands")

    def __init__(self, name: str, operands: tuple[Size, ...] = ()) -> None:
        self.name, self.operands = name, operands
        self.hash = hash((name, operands))
        # variables come before operations
        self.key = (len(operands) > 0, name, tuple([str(o) for o in operands]))

    def __eq__(self, other: object) -> bool:
        return self is other or (isinstance(other, Atom) and self.name == other.name and self.operands == other.operands)

    def __lt__(self, other: Atom) -> bool:
        return self.key < other.key

    def __hash__(self) -> int:
        return self.hash

    def __str__(self) -> str:
        return f"{self.name}({', '.join(map(str, self.operands))})" if self.operands else self.name

    __repr__ = __str__


Monomial = tuple[tuple[Atom, int], ...]
"""Atoms with their powers, sorted; the empty one is the constant's."""
Terms = dict[Monomial, int]


def _order(monomial: Monomial) -> tuple:
    return sum([power for _, power in monomial]), monomial


class SymbolicSize:
    """A size that is not known while the function is traced. It takes part in arithmetic with integers and other sizes.

    A comparison that holds, or fails, for all values of the variables is decided; any other raises.

    Attributes:
        scope: the variables it belongs to, and what is known of them.
        terms: coefficients by monomial, in the order in which they are shown.
    """

    __slots__ = ("_hash", "scope", "terms")

    scope: SymbolicScope
    terms: tuple[tuple[Monomial, int], ...]

    def __init__(self, scope: SymbolicScope, terms: tuple[tuple[Monomial, int], ...]) -> None:
        self.scope, self.terms = scope, terms
        self._hash = hash((terms, id(scope)))

    # -- what it is

    def __hash__(self) -> int:
        return self._hash

    def __str__(self) -> str:
        shown = ""
        for i, (monomial, n) in enumerate(self.terms):
            text = "*".join([str(a) if p == 1 else f"{a}^{p}" for a, p in monomial])
            body = text if abs(n) == 1 and monomial else f"{abs(n)}*{text}" if monomial else str(abs(n))
            sign = ("" if not i else " + ") if n > 0 else ("- " if not i else " - ")
            shown += sign + body
        return shown

    __repr__ = __str__

    def __format__(self, spec: str) -> str:
        return format(str(self), spec)

    def __copy__(self) -> SymbolicSize:
        return self

    def __deepcopy__(self, memo: dict) -> SymbolicSize:
        return self

    @property
    def constant(self) -> int:
        """The term without variables."""
        return self.terms[-1][1] if not self.terms[-1][0] else 0

    @property
    def variables(self) -> frozenset[str]:
        """Names of the variables in it, those within operations included."""
        found: set[str] = set()
        for monomial, _ in self.terms:
            for atom, _ in monomial:
                if atom.operands:
                    found.update(*[o.variables for o in atom.operands if type(o) is SymbolicSize])
                else:
                    found.add(atom.name)
        return frozenset(found)

    def evaluate(self, values: Mapping[str, Any], operations: Mapping[str, Callable[..., Any]] | None = None) -> Any:
        """Its value for these of the variables: integers, or anything with `+` and `*`, given `operations` by name."""
        total: Any = None
        for monomial, n in self.terms:
            product: Any = None
            for atom, power in monomial:
                value = self._atom_value(atom, values, operations or _INTEGER_OPERATIONS)
                for _ in range(power):
                    product = value if product is None else product * value
            term = n if product is None else product if n == 1 else product * n
            total = term if total is None else total + term
        return total

    @staticmethod
    def _atom_value(atom: Atom, values: Mapping[str, Any], operations: Mapping[str, Callable[..., Any]]) -> Any:
        if not atom.operands:
            return values[atom.name]
        given = [o.evaluate(values, operations) if type(o) is SymbolicSize else o for o in atom.operands]
        return operations[atom.name](*given)

    # -- as a value

    def __int__(self) -> int:
        raise SymbolicSizeConversionError(size=str(self), asks="int")

    def __index__(self) -> int:
        raise SymbolicSizeConversionError(size=str(self), asks="index")

    def __float__(self) -> float:
        raise SymbolicSizeConversionError(size=str(self), asks="float")

    def __jax_array__(self) -> Any:
        return _value_of[0](self)

    def __bool__(self) -> bool:
        return self != 0

    # -- arithmetic

    def __add__(self, other: Any) -> Any:
        found = _as_size(other, self.scope)
        if found is None:
            return self._as_value("__add__", other)
        terms = dict(self.terms)
        for monomial, n in _terms_of(found):
            terms[monomial] = terms.get(monomial, 0) + n
        return polynomial(self.scope, terms)

    def __radd__(self, other: Any) -> Any:
        return self._as_value("__radd__", other) if _as_size(other, self.scope) is None else self + other

    def __neg__(self) -> Any:
        return self * -1

    def __pos__(self) -> Any:
        return self

    def __sub__(self, other: Any) -> Any:
        found = _as_size(other, self.scope)
        return self._as_value("__sub__", other) if found is None else self + -found

    def __rsub__(self, other: Any) -> Any:
        found = _as_size(other, self.scope)
        return self._as_value("__rsub__", other) if found is None else -self + found

    def __mul__(self, other: Any) -> Any:
        found = _as_size(other, self.scope)
        if found is None:
            return self._as_value("__mul__", other)
        terms: Terms = {}
        for a, m in self.terms:
            for b, n in _terms_of(found):
                product = _product(a, b)
                terms[product] = terms.get(product, 0) + m * n
        return polynomial(self.scope, terms)

    def __rmul__(self, other: Any) -> Any:
        return self._as_value("__rmul__", other) if _as_size(other, self.scope) is None else self * other

    def __pow__(self, power: Any, modulo: None = None) -> Any:
        if not isinstance(power, int | np.integer):
            raise SymbolicShapeError(says=f"The size `{self}` was raised to the power {power!r}.",
                                     why="a symbolic size can be raised to an integer from 0 up")
        if power < 0:
            raise SymbolicShapeError(says=f"The size `{self}` was raised to the power {power}.",
                                     why="the result would be no integer; the power is 0 or more")
        found: Size = 1
        for _ in range(int(power)):
            found = self * found
        return found

    def __floordiv__(self, other: Any) -> Any:
        found = _as_size(other, self.scope)
        return self._as_value("__floordiv__", other) if found is None else divide(self.scope, self, found)

    def __rfloordiv__(self, other: Any) -> Any:
        found = _as_size(other, self.scope)
        return self._as_value("__rfloordiv__", other) if found is None else divide(self.scope, found, self)

    def __mod__(self, other: Any) -> Any:
        found = _as_size(other, self.scope)
        return self._as_value("__mod__", other) if found is None else remainder(self.scope, self, found)

    def __rmod__(self, other: Any) -> Any:
        found = _as_size(other, self.scope)
        return self._as_value("__rmod__", other) if found is None else remainder(self.scope, found, self)

    def __divmod__(self, other: Any) -> tuple[Any, Any]:
        return self // other, self % other

    def __rdivmod__(self, other: Any) -> tuple[Any, Any]:
        return other // self, other % self

    def __truediv__(self, other: Any) -> Any:
        return self._as_value("__truediv__", other)

    def __rtruediv__(self, other: Any) -> Any:
        return self._as_value("__rtruediv__", other)

    def _as_value(self, operator: str, other: Any) -> Any:
        """The operation with something that is no size: on arrays, where the size is a traced integer."""
        if isinstance(other, SymbolicSize):  # a division
            other = other.__jax_array__()
        elif isinstance(other, str) or other is None:
            return NotImplemented
        return getattr(self.__jax_array__(), operator)(other)

    __array_priority__ = 1000  # `np.float32(2) * b` asks here

    def __array_ufunc__(self, ufunc: Any, method: str, *inputs: Any, **kwargs: Any) -> Any:
        """NumPy scalars and arrays on the left of an operator, and `np.prod` of a shape."""
        operator = _UFUNC_OPERATORS.get(ufunc.__name__)
        if method != "__call__" or operator is None or len(inputs) != 2 or kwargs:
            return NotImplemented
        left, right = [x.item() if isinstance(x, np.integer) else x for x in inputs]
        if isinstance(left, SymbolicSize):
            return getattr(left, f"__{operator}__")(right)
        return getattr(right, _REFLECTED.get(operator, f"__r{operator}__"))(left)

    # -- comparison

    def __eq__(self, other: object) -> bool:
        if self is other:
            return True
        if type(other) is SymbolicSize:
            return self.scope is other.scope and self.terms == other.terms
        return False

    def __ge__(self, other: Any) -> bool:
        return self._at_least(other, 0, ">=")

    def __gt__(self, other: Any) -> bool:
        return self._at_least(other, 1, ">")

    def __le__(self, other: Any) -> bool:
        found = self._at_least(other, 1, "<=")
        return found if found is NotImplemented else not found

    def __lt__(self, other: Any) -> bool:
        found = self._at_least(other, 0, "<")
        return found if found is NotImplemented else not found

    def _at_least(self, other: Any, least: int, shown: str) -> Any:
        """Whether the difference to `other` is at least `least`; for a comparison that is shown so.

        Raises:
            InconclusiveDimensionOperation: it is for some values of the variables, and is not for others.
        """
        size = _as_size(other, self.scope)
        if size is None:
            return NotImplemented
        found = self.scope.at_least(self - size, least)
        if found is None:
            raise InconclusiveDimensionOperation(left=str(self), comparison=shown, right=str(other),
                                                 constraints=self.scope.explicit, scope_place=self.scope.place)
        return found


_UFUNC_OPERATORS = {"add": "add", "subtract": "sub", "multiply": "mul", "floor_divide": "floordiv", "remainder": "mod",
                    "divide": "truediv", "equal": "eq", "not_equal": "ne", "greater": "gt", "less": "lt",
                    "greater_equal": "ge", "less_equal": "le"}
_REFLECTED = {"eq": "__eq__", "ne": "__ne__", "gt": "__lt__", "lt": "__gt__", "ge": "__le__", "le": "__ge__"}
_INTEGER_OPERATIONS: dict[str, Callable[..., Any]] = {
    "floordiv": lambda a, b: a // b, "mod": lambda a, b: a % b, "max": max, "min": min}

_value_of: list[Callable[[SymbolicSize], Any]] = []


def set_value_of(make: Callable[[SymbolicSize], Any]) -> None:
    """Install what makes a traced integer of a size."""
    _value_of[:] = [make]


def is_symbolic_dim(p: Any) -> bool:
    """Whether a size is symbolic, and not an integer."""
    return type(p) is SymbolicSize


def as_size(n: Any) -> Size:
    """A size of an axis from what the user gives: an int, or a symbolic size as it is.

    Raises:
        TypeError: it is no integer.
    """
    return n if type(n) is SymbolicSize else operator.index(n)


def surely_less(a: Size, b: Size) -> bool:
    """Whether `a < b` is known: for a check that shall not complain of what is only possible."""
    difference = b - a
    return bool(difference > 0) if type(difference) is not SymbolicSize else difference.scope.at_least(difference, 1) is True


def symbolic_in(shape: Iterable[Size]) -> bool:
    """Whether one of these sizes is symbolic."""
    return SymbolicSize in map(type, shape)


# -- normal form

def polynomial(scope: SymbolicScope, terms: Terms) -> Size:
    """The size with these terms; an int where only the constant is left."""
    if scope.rules:
        terms = _rewritten(scope, terms)
    found = [(m, n) for m, n in terms.items() if n]
    if not found:
        return 0
    if len(found) == 1 and not found[0][0]:
        return found[0][1]
    found.sort(key=lambda term: _order(term[0]), reverse=True)
    return SymbolicSize(scope, tuple(found))


def _rewritten(scope: SymbolicScope, terms: Terms) -> Terms:
    """The terms with the scope's equalities used, each from left to right."""
    for _ in range(8):  # the right side of one equality may hold the left side of another
        changed = False
        for monomial, factor, replacement in scope.rules:
            for m, n in list(terms.items()):
                rest = _quotient(m, monomial)
                if rest is None or n == 0 or n % factor:
                    continue
                changed = True
                terms = dict(terms)
                del terms[m]
                for r, k in _terms_of(replacement):
                    product = _product(rest, r)
                    terms[product] = terms.get(product, 0) + k * (n // factor)
        if not changed:
            break
    return terms


def atom_size(scope: SymbolicScope, atom: Atom) -> Size:
    """An atom as a size."""
    return polynomial(scope, {((atom, 1),): 1})


def _terms_of(size: Size) -> Iterable[tuple[Monomial, int]]:
    return size.terms if type(size) is SymbolicSize else (((), size),)


def _as_size(x: Any, scope: SymbolicScope) -> Size:
    """`x` as a size of this scope, or `None` for what is no size.

    Raises:
        SymbolicShapeError: it is of another scope.
    """
    if type(x) is SymbolicSize:
        if x.scope is not scope:
            raise mixed_scopes(f"`{x}` was combined with a size of another scope.", scope, x.scope)
        return x
    if isinstance(x, int | np.integer):
        return int(x)
    return None


def mixed_scopes(says: str, first: SymbolicScope, second: SymbolicScope) -> SymbolicShapeError:
    """The error for sizes of two scopes in one computation."""
    return SymbolicShapeError(
        says=says, why=f"each call of `symbolic_shape` without `scope=` makes variables of its own, even of the same name: "
                       f"these come from {first} and {second}",
        fixes=(Fix("make all sizes that meet in one scope", code='symbolic_shape(..., scope=b.scope)'),))


def _product(a: Monomial, b: Monomial) -> Monomial:
    if not a or not b:
        return a or b
    powers = dict(a)
    for atom, power in b:
        powers[atom] = powers.get(atom, 0) + power
    return tuple(sorted(powers.items()))


def _quotient(a: Monomial, b: Monomial) -> Monomial | None:
    powers = dict(a)
    for atom, power in b:
        left = powers.get(atom, 0) - power
        if left < 0:
            return None
        powers[atom] = left
    return tuple([(atom, power) for atom, power in powers.items() if power])


# -- division

def _exact(scope: SymbolicScope, a: Size, b: Size) -> tuple[Size, int] | None:
    """`q` and an integer `r` with `a = q*b + r`, by long division; `None` where the remainder is more than an integer.

    Only a divisor that is an integer may leave a remainder: of any other nothing is known to compare it with.
    """
    (lead, n), *_ = _terms_of(b)
    quotient: Size = 0
    rest = a
    for _ in range(64):
        if type(rest) is not SymbolicSize:
            if rest == 0:
                return quotient, 0
            if type(b) is SymbolicSize:
                return None
            return quotient + rest // b, rest % b
        for monomial, m in rest.terms:
            found = _quotient(monomial, lead) if monomial else None
            if found is not None and m % n == 0:
                part = polynomial(scope, {found: m // n})
                quotient = part + quotient
                rest = rest - part * b
                break
        else:
            return None
    return None


def _reduced(scope: SymbolicScope, a: Size, b: Size) -> tuple[Size, Size, int]:
    """Both without their common factor, and that factor, where equalities may be waiting for the result.

    With `mod(b, 2) == 0` the remainder of `3*b` by 6 is known. Without them the form stays that of JAX, `mod(3*b, 6)`.
    """
    if not scope.rules or type(b) is not int:
        return a, b, 1
    common = math.gcd(b, *[n for _, n in _terms_of(a)])
    if common <= 1:
        return a, b, 1
    return polynomial(scope, {m: n // common for m, n in _terms_of(a)}), b // common, common


def divide(scope: SymbolicScope, a: Size, b: Size) -> Size:
    """`a // b`, rounded down."""
    if b == 0:
        raise ZeroDivisionError(f"the size {a} was divided by 0")
    a, b, _ = _reduced(scope, a, b)
    found = _exact(scope, a, b)
    if found is not None:
        return found[0]
    return 0 if scope.within(a, b) else atom_size(scope, Atom("floordiv", (a, b)))


def remainder(scope: SymbolicScope, a: Size, b: Size) -> Size:
    """`a % b`, of the sign of `b`."""
    if b == 0:
        raise ZeroDivisionError(f"the remainder of the size {a} by 0 was asked for")
    a, b, common = _reduced(scope, a, b)
    found = _exact(scope, a, b)
    if found is not None:
        return found[1] * common
    return (a if scope.within(a, b) else atom_size(scope, Atom("mod", (a, b)))) * common


def _extreme(name: str, sizes: tuple[Size, ...]) -> Size:
    """The largest (`max`) or smallest (`min`) of sizes; those that another is known to surpass are left out."""
    scope = next((s.scope for s in sizes if type(s) is SymbolicSize), None)
    if scope is None:
        return max(sizes) if name == "max" else min(sizes)
    found = sizes[0]
    for size in sizes[1:]:
        difference = found - size if name == "max" else size - found
        if scope.at_least(difference, 0) is True:
            continue
        if scope.at_least(difference, 1) is False:  # `size` is at least as good everywhere
            found = size
        else:
            found = atom_size(scope, Atom(name, (found, size)))
    return found


def largest(*sizes: Size) -> Size:
    """The largest of sizes, as a size."""
    return _extreme("max", sizes)


def smallest(*sizes: Size) -> Size:
    """The smallest of sizes, as a size."""
    return _extreme("min", sizes)
