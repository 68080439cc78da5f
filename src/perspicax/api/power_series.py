"""Arithmetic of truncated power series.

A series is a list of coefficients, `[c0, c1, ..., cK]` for `c0 + c1 t + ... + cK t**K`; `None` stands for a coefficient that is
known to be zero, but never for `c0`. Results have as many coefficients as the operands.

The recurrences: Griewank and Walther, Evaluating Derivatives, chapter 13.
"""
from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from perspicax.lax import elementwise
from perspicax.lax.families import constant_like

Series = list[Any]


def total(terms: Iterable[Any]) -> Any:
    """The sum of coefficients, `None` where all are."""
    found = None
    for x in terms:
        if x is not None:
            found = x if found is None else elementwise.add(found, x)
    return found


def scaled(x: Any, by: float) -> Any:
    """A coefficient times a number."""
    return x if x is None or by == 1 else elementwise.neg(x) if by == -1 else elementwise.mul(x, constant_like(x, by))


def product(x: Any, y: Any) -> Any:
    """The product of two coefficients."""
    return None if x is None or y is None else elementwise.mul(x, y)


def quotient(x: Any, y: Any) -> Any:
    """A coefficient divided by an array."""
    return None if x is None else elementwise.div(x, y)


def coefficient(x: Series, y: Series, k: int, times: Callable[[Any, Any], Any] = product) -> Any:
    """Coefficient `k` of a product of two series, or of what else is linear in each of two."""
    return total([times(x[j], y[k - j]) for j in range(k + 1) if x[j] is not None and y[k - j] is not None])


def times(x: Series, y: Series) -> Series:
    """The product of two series."""
    return [coefficient(x, y, k) for k in range(len(x))]


def power(x: Series, n: int) -> Series:
    """A series to the power of a positive integer."""
    found, square = None, x
    while n:
        if n & 1:
            found = square if found is None else times(found, square)
        n >>= 1
        if n:
            square = times(square, square)
    return found if found is not None else square


def over(x: Series, y: Series) -> Series:
    """The quotient of two series."""
    z: Series = []
    for k in range(len(x)):
        known = total([product(y[j], z[k - j]) for j in range(1, k + 1)])
        z.append(quotient(total([x[k], scaled(known, -1)]), y[0]))
    return z


def root(x: Series, first: Any) -> Series:
    """The square root of a series; `first` is that of its first coefficient."""
    y: Series = [first]
    for k in range(1, len(x)):
        known = total([product(y[j], y[k - j]) for j in range(1, k)])
        y.append(quotient(total([x[k], scaled(known, -1)]), scaled(first, 2)))
    return y


def logarithm(x: Series, first: Any) -> Series:
    """The logarithm of a series; `first` is that of its first coefficient."""
    y: Series = [first]
    for k in range(1, len(x)):
        known = total([product(scaled(y[j], j / k), x[k - j]) for j in range(1, k)])
        y.append(quotient(total([x[k], scaled(known, -1)]), x[0]))
    return y


def grown(x: Series, first: Any, rate: Callable[[Series], Any]) -> Series:
    """The series `y` that begins with `first` and has `y' = r x'`.

    Args:
        rate: coefficient `k` of `r`, from the coefficients of `y` up to `k`; it is asked once for each, in order.
    """
    y, rates = [first], []
    for k in range(1, len(x)):
        rates.append(rate(y))
        y.append(total([product(scaled(x[j], j / k), rates[k - j]) for j in range(1, k + 1)]))
    return y


def paired(x: Series, first: Any, second: Any, sign: int) -> Series:
    """The series `y` that begins with `first` and has `y' = z x'`, where `z' = sign y x'` begins with `second`.

    Sines and cosines (-1), or the hyperbolic ones (1).
    """
    y, z = [first], [second]
    for k in range(1, len(x)):
        steps = [(scaled(x[j], j / k), k - j) for j in range(1, k + 1)]
        following = total([product(step, z[i]) for step, i in steps])
        z.append(scaled(total([product(step, y[i]) for step, i in steps]), sign))
        y.append(following)
    return y


__all__ = ["Series", "coefficient", "grown", "logarithm", "over", "paired", "power", "product", "quotient", "root",
           "scaled", "times", "total"]
