"""What is known of a symbolic size for all values of its variables: its bounds.

First by intervals: a variable is at least 1, `mod(a, 3)` lies between 0 and 2, a sum lies between the sums of the bounds. Where
that leaves a question open, a fact `f >= 0` that shares a term is subtracted and the rest is bounded in its place: from
`a >= 2*b` follows `a - b >= b >= 1`. That is Fourier and Motzkin's elimination, along one line and to a small depth: it never
concludes what is wrong, and may leave open what a complete procedure would decide.
"""
from __future__ import annotations

import math
from collections.abc import Iterator
from typing import TYPE_CHECKING

from perspicax.core.symbolic import Atom, Size, SymbolicSize

if TYPE_CHECKING:
    from perspicax.core.symbolic_scope import SymbolicScope

__all__ = ["lower_bound", "upper_bound"]

Bound = float
"""An int, or an infinity."""
DEPTH = 4  # facts used in one conclusion
INFINITY = math.inf


def lower_bound(scope: SymbolicScope, size: Size, depth: int = DEPTH) -> Bound:
    """What `size` is never less than."""
    if type(size) is not SymbolicSize:
        return size
    key = (size, depth)
    found = scope.bounds.get(key)
    if found is None:
        scope.bounds[key] = -INFINITY  # while it is being looked for
        found = scope.bounds[key] = _lower(scope, size, depth)
    return found


def upper_bound(scope: SymbolicScope, size: Size, depth: int = DEPTH) -> Bound:
    """What `size` is never more than."""
    return -lower_bound(scope, -size, depth) if type(size) is SymbolicSize else size


def _lower(scope: SymbolicScope, size: SymbolicSize, depth: int) -> Bound:
    best = _by_intervals(scope, size, depth)
    if depth <= 0:
        return best
    terms = dict(size.terms)
    for fact in _facts(scope, size):
        for monomial, n in fact.terms:
            m = terms.get(monomial, 0)
            if not monomial or m * n <= 0:
                continue
            # k*size = j*fact + rest, with j > 0: so size >= rest / k
            k, j = abs(n) // math.gcd(m, n), abs(m) // math.gcd(m, n)
            rest = size * k - fact * j
            found = lower_bound(scope, rest, depth - 1)
            if found > -INFINITY:
                best = max(best, found if found == INFINITY else -(-found // k))
    return best


def _by_intervals(scope: SymbolicScope, size: SymbolicSize, depth: int) -> Bound:
    total: Bound = 0
    for monomial, n in size.terms:
        low: Bound = n
        high: Bound = n
        for atom, power in monomial:
            a, b = _interval(scope, atom, depth)
            for _ in range(power):
                corners = [_times(x, y) for x in (low, high) for y in (a, b)]
                low, high = min(corners), max(corners)
        total += low
        if total == -INFINITY:
            return total
    return total


def _times(a: Bound, b: Bound) -> Bound:
    return 0 if a == 0 or b == 0 else a * b


def _interval(scope: SymbolicScope, atom: Atom, depth: int) -> tuple[Bound, Bound]:
    if not atom.operands:
        return 1, INFINITY
    less = max(depth - 1, 0)
    lows = [lower_bound(scope, o, less) for o in atom.operands]
    highs = [upper_bound(scope, o, less) for o in atom.operands]
    match atom.name:
        case "max":
            return max(lows), max(highs)
        case "min":
            return min(lows), min(highs)
        case "mod":
            if lows[1] > 0:
                return 0, min(highs[1] - 1, highs[0] if lows[0] >= 0 else INFINITY)
            return (lows[1] + 1, 0) if highs[1] < 0 else (-INFINITY, INFINITY)
        case _:
            return _quotients(lows, highs)


def _quotients(lows: list[Bound], highs: list[Bound]) -> tuple[Bound, Bound]:
    """The bounds of a division that rounds down."""
    if lows[1] <= 0 <= highs[1]:
        return -INFINITY, INFINITY
    corners = [_floor(x, y) for x in (lows[0], highs[0]) for y in (lows[1], highs[1])]
    return min(corners), max(corners)


def _floor(a: Bound, b: Bound) -> Bound:
    if math.isinf(a):
        return 0 if math.isinf(b) else (a if b > 0 else -a)
    if math.isinf(b):
        return 0 if a == 0 or (a > 0) == (b > 0) else -1
    return a // b


def _facts(scope: SymbolicScope, size: SymbolicSize) -> Iterator[SymbolicSize]:
    """Sizes that are known to be at least 0, and may have a term in common with `size`."""
    yield from scope.facts
    for monomial, _ in size.terms:
        for atom, _ in monomial:
            if atom.operands:
                for fact in scope.facts_of(atom):
                    if type(fact) is SymbolicSize:
                        yield fact
