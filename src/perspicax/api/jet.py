"""Taylor-mode differentiation: `jet` takes a polynomial through a function.

A `JetTrace` pairs each value with the further coefficients of its power series. A primitive that has a rule for series
(`primitive.extra["jet"]`, see `jet_rules.py`) is applied to these. Any other is differentiated: the coefficients of
`y = f(x)` are those of `y' = f'(x) x'`, which its derivative rule computes from series that are shorter by one.
"""
from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from sys import getrefcount
from typing import Any

import numpy as np

from perspicax.api.jet_errors import JetSeriesError
from perspicax.api.power_series import Series, scaled
from perspicax.api.wrapping import check_callable, public
from perspicax.core import dtypes
from perspicax.core.avals import ShapedArray
from perspicax.core.config import local
from perspicax.core.jaxpr import DebugInfo
from perspicax.core.primitive import Missing, Primitive
from perspicax.core.trace import Trace, Zero, leak_error, outlived
from perspicax.core.tracer import Tracer, get_aval
from perspicax.lax.operand import operand
from perspicax.lax.shape import broadcast_in_dim
from perspicax.transform import trees as tree
from perspicax.transform.custom_primitives import Callee, call_flat, full_tangent
from perspicax.transform.errors import CustomRuleError
from perspicax.transform.hooks import as_traced, filled, lax
from perspicax.transform.stage import FlatFunction, check_arguments, debug_info, function_name, positional_names

__all__ = ["JetTrace", "JetTracer", "jet", "jet_flat"]


class JetTracer(Tracer):
    """A value and the further coefficients of its series, `None` where one is zero."""

    __slots__ = ("derivative", "primal", "shorter", "terms")
    hides = False

    def __init__(self, trace: JetTrace, primal: Any, terms: Series) -> None:
        self._trace, self.primal, self.terms = trace, primal, terms
        self.shorter: Any = None
        self.derivative: Any = None

    @property
    def aval(self) -> Any:  # type: ignore[override]
        return get_aval(self.primal)

    def inner(self) -> Any:
        return self.primal

    def number(self) -> Any:
        return None

    def concrete(self) -> Any:
        if self._trace.dead:
            raise leak_error(self)
        return self.primal.concrete() if isinstance(self.primal, Tracer) else self.primal

    def __repr__(self) -> str:
        return f"JetTracer(primal={self.primal}, order={len(self.terms)})"


class JetTrace(Trace):
    """Applies rules for series."""

    __slots__ = ("known", "within")

    def __init__(self, parent: Trace, debug: DebugInfo | None = None) -> None:
        self.parent: Trace = parent
        self.dead = False
        self.debug = debug
        self.within = False
        self.known: dict[Any, Any] = {}

    def mine(self, x: Any) -> bool:
        """Whether `x` has a series of this trace."""
        if isinstance(x, Tracer) and x._trace.dead:
            raise leak_error(x)
        return type(x) is JetTracer and x._trace is self

    def wrap(self, primal: Any, terms: Series) -> Any:
        """A value with its series; the value alone where all else is zero, as it is for integers."""
        if all(t is None for t in terms) or not dtypes.issubdtype(get_aval(primal).dtype, np.inexact):  # type: ignore
            return primal
        return JetTracer(self, primal, terms)

    def process(self, primitive: Primitive, args: tuple, values: tuple) -> Any:
        if primitive.holds_function and primitive.stage is not None:
            return self.call(primitive, args, primitive.unpack(values))
        return self.record(primitive, args, values)

    def record(self, primitive: Primitive, args: Sequence[Any], values: tuple) -> Any:
        """Apply a primitive that holds no Python function."""
        args = tuple(args)
        orders = [len(x.terms) for x in args if self.mine(x)]
        if not orders:
            return self.hand_on(primitive, args, values)
        order = min(orders)
        rule = primitive.extra.get("jet")
        if rule is None:
            return self.differentiated(primitive, args, values, order)
        before, local.trace = local.trace, self.parent
        try:
            primals = [x.primal if self.mine(x) else x for x in args]
            series = [x.terms[:order] if self.mine(x) else [None] * order for x in args]
            out, terms = rule(primals, series, **primitive.unpack(values))
        finally:
            local.trace = before
        if primitive.multiple_results:
            return [self.wrap(x, t) for x, t in zip(out, terms, strict=True)]
        return self.wrap(out, terms)

    # -- by derivatives

    def differentiated(self, primitive: Primitive, args: tuple, values: tuple, order: int) -> Any:
        """The series of `y` from that of `y'`, which the derivative rule of the primitive gives.

        The rule applies primitives to shorter series, among them often the same ones: what was found is kept until the
        outermost primitive is done.
        """
        key = (primitive, values, tuple([id(x) for x in args]), order)
        try:
            kept = self.known.get(key)
        except TypeError:  # a parameter that cannot be hashed
            key, kept = None, None  # type: ignore[assignment]
        if kept is not None:
            return kept[0]
        outermost, self.within = not self.within, True
        try:
            found = self._from_derivative(primitive, args, values, order)
            if key is not None:
                self.known[key] = found, args  # the operands stay alive, and their ids are theirs alone
        finally:
            if outermost:
                self.within = False
                self.known.clear()
        return found

    def _from_derivative(self, primitive: Primitive, args: tuple, values: tuple, order: int) -> Any:
        rule = primitive.jvp
        if rule is None or isinstance(rule, Missing):
            rule = primitive.rule("jvp")
        primals = tuple([self.shortened(x, order - 1) for x in args])
        tangents = tuple([self.derived(x, order) for x in args])
        before, local.trace = local.trace, self
        try:
            out, tangent = rule(primals, tangents, **primitive.unpack(values))
        finally:
            local.trace = before
        if primitive.multiple_results:
            return [self.integrated(x, t, order) for x, t in zip(out, tangent, strict=True)]
        return self.integrated(out, tangent, order)

    def shortened(self, x: Any, order: int) -> Any:
        """`x` with fewer coefficients."""
        if not self.mine(x) or len(x.terms) == order:
            return x
        if x.shorter is None:
            terms = x.terms[:-1]
            x.shorter = JetTracer(self, x.primal, terms) if terms else x.primal
        return self.shortened(x.shorter, order)

    def derived(self, x: Any, order: int) -> Any:
        """The derivative of `x`, which has one coefficient fewer; a `Zero` where it does not move."""
        if not self.mine(x):
            return Zero.like(x)
        if x.derivative is None:
            with_trace, local.trace = local.trace, self.parent
            try:
                first, *terms = [scaled(c, k) for k, c in enumerate(x.terms, 1)]
                if first is None:
                    first = filled(get_aval(x.primal).to_tangent_aval(), 0)  # type: ignore[attr-defined]
            finally:
                local.trace = with_trace
            x.derivative = JetTracer(self, first, terms) if terms else first
        return self.shortened(x.derivative, order - 1)

    def integrated(self, out: Any, tangent: Any, order: int) -> Any:
        """A value whose derivative is `tangent`."""
        primal = out.primal if self.mine(out) else out
        if type(tangent) is Zero or getattr(tangent, "dtype", None) == dtypes.float0:
            return primal
        rates = [tangent.primal, *tangent.terms] if self.mine(tangent) else [tangent]
        rates += [None] * (order - len(rates))
        before, local.trace = local.trace, self.parent
        try:
            return JetTracer(self, primal, [scaled(c, 1 / k) for k, c in enumerate(rates[:order], 1)])
        finally:
            local.trace = before

    # -- functions with rules of the user's

    def call(self, primitive: Primitive, args: tuple, params: dict[str, Any]) -> list:
        """A function with a rule for forward mode is differentiated by that; one that has none by its own operations."""
        function, rule = params["call_jaxpr"], params.get("jvp")
        before, local.trace = local.trace, self
        try:
            if rule is None or not any(self.mine(x) for x in args):
                return call_flat(function, *args)
            return self._by_rule(function, rule, args, params)
        finally:
            local.trace = before

    def _by_rule(self, function: Any, rule: Callable[..., Any], args: tuple, params: dict[str, Any]) -> list:
        count, name = params["num_consts"], params["name"]
        if any(self.mine(x) for x in args[:count]) or self._closes_over(function, args):
            raise CustomRuleError(function=name, kind="closure", rule="defjvp")
        order = min([len(x.terms) for x in args if self.mine(x)])
        primals = tuple([self.shortened(x, order - 1) for x in args[count:]])
        tangents = [self.derived(x, order) for x in args[count:]]
        outs, moved = rule(primals, tangents if params["symbolic_zeros"] else [full_tangent(t) for t in tangents])
        return [self.integrated(x, t, order) for x, t in zip(outs, moved, strict=True)]

    def _closes_over(self, function: Any, args: tuple) -> bool:
        """Whether a function that was not staged depends on series besides those of its arguments."""
        if type(function) is not Callee:
            return False
        return any(self.mine(x) for x in function.call(*[x.primal if self.mine(x) else x for x in args]))


def jet_flat(fun: Callable[..., Sequence[Any]], primals: Sequence[Any], series: Sequence[Series],
             debug: DebugInfo | None = None) -> tuple[list[Any], list[Series | None]]:
    """Results of `fun` and the further coefficients of each; `None` for a result that does not move."""
    parent = local.trace
    trace = JetTrace(parent, debug)
    args: Any = [trace.wrap(p, terms) for p, terms in zip(primals, series)]
    local.trace = trace
    try:
        outs: Any = fun(*args)
    finally:
        local.trace = parent
    found = [x.primal if trace.mine(x) else x for x in outs]
    terms = [x.terms if trace.mine(x) else None for x in outs]
    trace.dead = True
    args = outs = ()
    if getrefcount(trace) > 2:
        outlived(trace)
    return found, terms


# -- the public function

@public
def jet(fun: Callable[..., Any], primals: Sequence[Any], series: Sequence[Sequence[Any]], factorial_scaled: bool = True,
        **_: Any) -> tuple[Any, Any]:
    """The polynomial that a function makes of a polynomial: derivatives of all orders along a curve, in one pass.

    With `h(t) = primals + series[0] t + series[1] t**2 / 2 + ...`, these are the value and the derivatives of `fun(h(t))` at
    `t = 0`.

    Args:
        fun: a function of arrays; it returns a pytree of arrays.
        primals: its arguments, each an array or a number.
        series: for each argument its derivatives from the first on, each of the argument's shape and dtype; all arguments
            have equally many.
        factorial_scaled: whether coefficient `k` stands for the derivative, as above, or for `c` in `c t**k`.

    Returns:
        `(value, series)`: what `fun` returns, and a pytree like it in which a list of the derivatives takes the place of
        each leaf.

    Raises:
        JetSeriesError: `series` does not fit `primals`, or these are no arrays.
        RuleMissingError: `fun` uses an operation that has no derivative (a custom_vjp function is differentiated by its
            own operations).

    Differs: JAX has rules for some operations; here all that can be differentiated can be expanded.

    >>> jet(jnp.sin, (0.5,), ((1., 0.),))
    (Array(0.47942555, dtype=float32, weak_type=True), [Array(0.87758255, dtype=float32, weak_type=True), \
Array(-0.47942555, dtype=float32, weak_type=True)])
    """
    check_callable("jet", fun)
    name = function_name(fun)
    primals, rows = _checked(fun, name, primals, series)
    in_tree = tree.flatten((tuple(primals), {}))[1]
    flat = FlatFunction(fun, in_tree, "jet")
    scales = [math.factorial(k) if factorial_scaled else 1 for k in range(1, len(rows[0]) + 1)] if rows else []
    given = [[scaled(c, 1 / s) for c, s in zip(row, scales)] for row in rows]
    outs, terms = jet_flat(flat, primals, given, debug_info("jet", fun, in_tree))
    found = [[_nothing(x, factorial_scaled) if c is None else as_traced(scaled(c, s))
              for c, s in zip(row or [None] * len(scales), scales)] for x, row in zip(outs, terms)]
    return flat.out_tree.unflatten(outs), flat.out_tree.unflatten(found)


def _nothing(x: Any, factorial_scaled: bool) -> Any:
    """A coefficient of a result that does not move, as JAX gives it: what is scaled is floating."""
    aval: Any = get_aval(x)
    if factorial_scaled and not dtypes.issubdtype(aval.dtype, np.inexact):
        aval = ShapedArray(aval.shape, dtypes.default_dtype("float"), True)
    return lax().zeros(aval)


def _checked(fun: Any, name: str, primals: Any, series: Any) -> tuple[list[Any], list[list[Any]]]:
    for what, given in (("primals", primals), ("series", series)):
        if not isinstance(given, tuple | list):
            raise JetSeriesError(function=name, kind="sequence", name=what, got=_shown(given))
    if len(primals) != len(series):
        raise JetSeriesError(function=name, kind="count", name="series", expected=f"{len(primals)} arguments",
                             got=f"{len(series)} series")
    for i, row in enumerate(series):
        if not isinstance(row, tuple | list):
            raise JetSeriesError(function=name, kind="sequence", name=f"series[{i}]", got=_shown(row))
    if len({len(row) for row in series}) > 1:
        raise JetSeriesError(function=name, kind="lengths", name="series", got=", ".join([str(len(row)) for row in series]))
    names = positional_names(fun, len(primals))
    leaves, in_tree = tree.flatten((tuple(primals), {}))
    check_arguments(leaves, in_tree, fun, "jet")
    return list(primals), [[_coefficient(name, names[i], f"series[{i}][{j}]", x, c) for j, c in enumerate(row)]
                           for i, (x, row) in enumerate(zip(primals, series))]


def _coefficient(function: str, argument: str, name: str, primal: Any, given: Any) -> Any:
    """A coefficient in the type of its argument: a number takes its shape and dtype."""
    for what, x in ((argument, primal), (name, given)):
        if not isinstance(x, Tracer) and tree.flatten(x)[1].num_nodes != 1:
            raise JetSeriesError(function=function, kind="pytree", name=what, got=_shown(x))
    aval: Any = get_aval(operand(primal))
    found: Any = get_aval(operand(given))
    if not dtypes.issubdtype(aval.dtype, np.inexact):
        raise JetSeriesError(function=function, kind="integer", name=argument, got=aval.str_short())
    if found.shape not in ((), aval.shape) or (found.dtype != aval.dtype and not found.weak_type):
        raise JetSeriesError(function=function, kind="type", name=name, expected=aval.str_short(), got=found.str_short())
    converted = lax().convert(given, ShapedArray(found.shape, aval.dtype, aval.weak_type))
    return converted if found.shape == aval.shape else broadcast_in_dim(converted, aval.shape, ())


def _shown(x: Any) -> str:
    if isinstance(x, Tracer):
        return x.aval.str_short()
    return f"{'an' if type(x).__name__[:1] in 'aeiouAEIOU' else 'a'} {type(x).__name__}"
