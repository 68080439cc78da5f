"""Formulas for emission rules: values that are combined with Python's operators while StableHLO is written.

    f = Formula(b, x)
    (1 + f * f).sqrt().value            # emits multiply, add, sqrt

Numbers stand for constants of the other operand's type. All values in one formula have one shape.
"""
from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from perspicax.core import dtypes
from perspicax.core.avals import ShapedArray
from perspicax.lax.families import spread_to
from perspicax.xla.emit import i64_array

BOOLEAN = np.dtype(bool)
SINGLE = np.dtype("float32")


class Formula:
    """A value that is being computed in the builder `b`."""

    __slots__ = ("b", "value")

    def __init__(self, b: Any, value: Any) -> None:
        self.b, self.value = b, value

    @property
    def dtype(self) -> Any:
        return self.value.aval.dtype

    def constant(self, number: Any) -> Formula:
        """`number` everywhere, in this type."""
        return Formula(self.b, self.b.constant(number, self.value.aval))

    def _other(self, x: Any) -> Formula:
        return x if isinstance(x, Formula) else self.constant(x)

    def _op(self, name: str, *operands: Any) -> Formula:
        return Formula(self.b, self.b.op(name, [self.value, *[self._other(x).value for x in operands]],
                                         self.value.aval))

    def _compare(self, x: Any, direction: str) -> Formula:
        return Formula(self.b, self.b.compare(self.value, self._other(x).value, direction, "FLOAT"))

    def __add__(self, x: Any) -> Formula:
        return self._op("add", x)

    def __sub__(self, x: Any) -> Formula:
        return self._op("subtract", x)

    def __mul__(self, x: Any) -> Formula:
        return self._op("multiply", x)

    def __truediv__(self, x: Any) -> Formula:
        return self._op("divide", x)

    def __radd__(self, x: Any) -> Formula:
        return self._other(x) + self

    def __rsub__(self, x: Any) -> Formula:
        return self._other(x) - self

    def __rmul__(self, x: Any) -> Formula:
        return self._other(x) * self

    def __rtruediv__(self, x: Any) -> Formula:
        return self._other(x) / self

    def __neg__(self) -> Formula:
        return self._op("negate")

    def __abs__(self) -> Formula:
        return self._op("abs")

    def exp(self) -> Formula:
        return self._op("exponential")

    def log(self) -> Formula:
        return self._op("log")

    def log1p(self) -> Formula:
        return self._op("log_plus_one")

    def sqrt(self) -> Formula:
        return self._op("sqrt")

    def special(self, name: str) -> Formula:
        """An operation of CHLO: `lgamma`, `digamma`."""
        return Formula(self.b, self.b.generic(f"chlo.{name}", [self.value], self.value.aval))

    def __lt__(self, x: Any) -> Formula:
        return self._compare(x, "LT")

    def __le__(self, x: Any) -> Formula:
        return self._compare(x, "LE")

    def __gt__(self, x: Any) -> Formula:
        return self._compare(x, "GT")

    def __ge__(self, x: Any) -> Formula:
        return self._compare(x, "GE")

    def equals(self, x: Any) -> Formula:
        """Where this is `x`."""
        return self._compare(x, "EQ")

    def differs(self, x: Any) -> Formula:
        """Where this is not `x`."""
        return self._compare(x, "NE")

    def is_nan(self) -> Formula:
        return self._compare(self, "NE")

    def __and__(self, x: Formula) -> Formula:
        return self._op("and", x)

    def __or__(self, x: Formula) -> Formula:
        return self._op("or", x)

    def __invert__(self) -> Formula:
        return self._op("not")

    def where(self, on_true: Any, on_false: Any) -> Formula:
        """`on_true` where this holds, else `on_false`; one of them may be a number."""
        if not isinstance(on_true, Formula):
            on_true = on_false.constant(on_true)
        elif not isinstance(on_false, Formula):
            on_false = on_true.constant(on_false)
        return Formula(self.b, self.b.select(self.value, on_true.value, on_false.value))

    def any(self) -> Formula:
        """Whether this holds anywhere: a scalar."""
        rank = len(self.value.shape)
        if rank == 0:
            return self
        scalar = ShapedArray((), BOOLEAN)
        body = self.b.region([scalar, scalar], lambda inner, x, y: [inner.op("or", [x, y], scalar)])
        return Formula(self.b, self.b.hlo("reduce", [self.value, self.b.constant(False, scalar)], scalar,
                                          f"dimensions = {i64_array(range(rank))}", [body]))

    def spread(self, like: Formula) -> Formula:
        """A scalar repeated to the shape of `like`."""
        return Formula(self.b, self.b.broadcast(self.value, like.value.shape, ()))


State = dict[str, Formula]


def repeat(start: State, goes_on: Callable[[State], Formula], step: Callable[[State], State]) -> State:
    """A loop: `step` turns the named values into the next ones while `goes_on`, a scalar, holds."""
    names = list(start)
    values = [start[n].value for n in names]
    avals = [v.aval.strong for v in values]
    b = start[names[0]].b

    def state(inner: Any, args: Sequence[Any]) -> State:
        return {n: Formula(inner, v) for n, v in zip(names, args)}

    def after(inner: Any, *args: Any) -> list[Any]:
        found = step(state(inner, args))
        return [found[n].value for n in names]

    regions = [b.region(avals, lambda inner, *args: [goes_on(state(inner, args)).value]), b.region(avals, after)]
    results = b.hlo("while", values, avals, "", regions)
    return {n: Formula(b, v) for n, v in zip(names, results)}


def in_single_precision(formula: Callable[..., Formula]) -> Callable[..., Any]:
    """The emission rule that evaluates `formula(*operands)`; narrow floats are computed as float32."""
    def emit(b: Any, *operands: Any) -> Any:
        out = b.out[0]
        narrow = dtypes.itemsize_bits(out.dtype) < 32
        shape = out.shape
        values = []
        for v in operands:
            v = b.convert(v, SINGLE) if narrow else v
            values.append(Formula(b, spread_to(b, v, shape)))
        return b.convert(formula(*values).value, out.dtype)

    return emit
