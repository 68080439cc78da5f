"""The sanitizer `nans`: where a NaN or an infinity was born, forward or backward.

A value that is not finite is followed from the operation that made it. A NaN that came of an infinity leads to the
operation that made that one. In programs nothing is told unless a result is not finite; what is made and masked out
again is no finding. Infinities alone are told where a loss or the like, a single number, has become one; those that
operations by themselves made of finite numbers, once they are given up and nothing finite has been computed of them.
"""
from __future__ import annotations

import atexit
import itertools
import sys
import weakref
from collections.abc import Sequence
from types import FrameType
from typing import Any, NamedTuple

import numpy as np

from perspicax.api.checkify_rules import MAKES_NAN
from perspicax.core import dtypes
from perspicax.core.avals import ShapedArray
from perspicax.core.config import local
from perspicax.core.context import evaluator, use_trace
from perspicax.core.jaxpr import ClosedJaxpr, JaxprEqn, Literal
from perspicax.core.primitive import Inner, Inside, Primitive
from perspicax.core.tracer import get_aval
from perspicax.diagnose.expression import Expression, located
from perspicax.diagnose.frames import INTERNAL, LIBRARY, kind_of
from perspicax.diagnose.place import Position
from perspicax.diagnose.render.text import ordinal
from perspicax.diagnose.report import Fix
from perspicax.diagnose.source import imported_as, operands_at, user_place
from perspicax.sanitize.findings import NonFinite
from perspicax.sanitize.reading import used_in
from perspicax.sanitize.telling import found
from perspicax.xla.array import NUMPY_AXES, ArrayImpl

MAX_STEPS = 20_000  # equations that are applied one by one in a search
MAX_SEARCHES = 3  # of one program
PROGRAMS = frozenset({"jit", "scan", "while", "cond"})
"""What `look_at_results` looks at."""
GUARDS = frozenset("""
    where select nan_to_num isnan isfinite isinf cond switch piecewise nanmean nansum nanmax nanmin nanstd nanvar nanmedian
    nanprod nanpercentile nanquantile nanargmax nanargmin
""".split())
OUTGROWS = frozenset("""
    exp exp2 expm1 cosh sinh pow integer_pow square mul add sub reduce_sum reduce_prod cumsum cumprod dot_general
    conv_general_dilated div rsqrt convert_element_type
""".split())
"""What makes infinities that are seldom meant, unlike the logarithm of 0."""
OVERFLOWS = OUTGROWS | frozenset("""
    log log1p lgamma digamma atanh tan reduce_window_sum scatter_add scatter-add
""".split())
NATURAL = {
    "add": {"add", "add_any"}, "subtract": {"sub"}, "multiply": {"mul"}, "divide": {"div"}, "true_divide": {"div"},
    "power": {"pow", "integer_pow", "sqrt"}, "pow": {"pow", "integer_pow"}, "log": {"log"}, "log1p": {"log1p"},
    "log2": {"log", "div", "log2"}, "log10": {"log", "div", "log10"}, "sqrt": {"sqrt"}, "rsqrt": {"rsqrt"}, "exp": {"exp"},
    "exp2": {"exp2"}, "expm1": {"expm1"}, "arccos": {"acos"}, "arcsin": {"asin"}, "acos": {"acos"}, "asin": {"asin"},
    "arctanh": {"atanh"}, "arccosh": {"acosh"}, "atanh": {"atanh"}, "acosh": {"acosh"}, "remainder": {"rem"}, "mod": {"rem"},
    "sum": {"reduce_sum"}, "prod": {"reduce_prod"}, "mean": {"reduce_sum", "div"}, "square": {"square", "integer_pow", "mul"},
    "reciprocal": {"div", "integer_pow"}, "matmul": {"dot_general"}, "dot": {"dot_general"}, "cumsum": {"cumsum"},
    "cumprod": {"cumprod"}, "cosh": {"cosh"}, "sinh": {"sinh"}, "tan": {"tan"}, "cbrt": {"cbrt"}, "abs": {"abs"},
    "norm": {"sqrt", "reduce_sum", "integer_pow", "square", "mul", "abs"}, "div": {"div"}, "sub": {"sub"}, "mul": {"mul"},
    "std": {"sqrt", "reduce_sum", "sub", "mul", "square"}, "var": {"reduce_sum", "div", "sub", "mul", "square"},
    "hypot": {"sqrt"}, "arctan2": {"atan2"}, "astype": {"convert_element_type"},
}
"""The operations of a program that functions and operators consist of; another one belongs to their derivative."""


class Origin(NamedTuple):
    """Where a value that is not finite was born.

    Attributes:
        kind: "NaN", "inf" or "-inf".
        place: in the user's code.
        primitive: the operation.
        operands: facts on its operands.
        cause: the origin of an infinity among the operands.
        backward: whether it belongs to a derivative.
        inner: the line of an installed package, between the user's line and the operation.
    """

    kind: str
    place: Any
    primitive: str
    operands: tuple[str, ...]
    cause: Origin | None = None
    backward: bool = False
    inner: Any = None


GIVEN = Origin("", None, "", ())
"""Of a value that is not finite where a program or the search begins."""


Pair = tuple[Any, Origin | None]
"""A value and its origin."""


class Known:
    """The origins of arrays that are alive, and of which something is to be told when they outlive the call that made them.

    Attributes:
        origins: of arrays, by their `id`.
        waiting: those of NaNs that the next operation tells of.
        infinite: those of infinities that are told once nothing holds them any more, unless an operation takes them.
    """

    __slots__ = ("infinite", "origins", "waiting")

    def __init__(self) -> None:
        self.origins: dict[int, tuple[weakref.ref, Origin]] = {}
        self.waiting: dict[int, Origin] = {}
        self.infinite: dict[int, Origin] = {}

    def of(self, x: Any) -> Origin | None:
        """The origin of an array."""
        known = self.origins.get(id(x))
        return known[1] if known is not None and known[0]() is x else None

    def enter(self, x: Any, origin: Origin, waits: bool) -> None:
        """Note the origin of an array; `waits` if it is to be told once the array has left the call that made it."""
        key = id(x)
        self.origins[key] = weakref.ref(x, lambda _: self._gone(key)), origin
        if waits:
            self.waiting[key] = origin

    def _gone(self, key: int) -> None:
        self.origins.pop(key, None)
        origin, infinite = self.waiting.pop(key, None), self.infinite.pop(key, None)
        if sys.is_finalizing():
            return
        if origin is not None and user_place(2) != origin.place:
            tell(origin, "")
        given_up = kind_of(sys._getframe(2).f_code.co_filename) != INTERNAL  # by others than the function that computed it
        if infinite is not None and given_up and user_place(2) != infinite.place:
            tell(infinite, "")

    def used(self, x: Any, place: Any) -> None:
        """Another operation takes the array."""
        origin = self.waiting.get(id(x))
        if origin is not None and origin.place != place:
            del self.waiting[id(x)]
            tell(origin, "")


known = Known()


# -- operations that are applied by themselves

def look(primitive: Primitive, args: tuple, values: tuple, results: Sequence[Any]) -> None:
    """Look at the results of one operation."""
    if known.waiting:
        here = local.place or user_place()
        for x in args:
            known.used(x, here)
    infinite = [known.infinite.pop(id(x)) for x in args if id(x) in known.infinite] if known.infinite else []
    if primitive.name in PROGRAMS and not known.origins:  # its results have been looked at, and nothing is to be handed on
        return
    for x in results:
        if type(x) is not ArrayImpl or not _is_float(x.aval) or x.ndim > NUMPY_AXES or known.of(x) is not None:
            continue
        kind = kind_of_value(x.value())
        if not kind:
            continue
        origin = _origin(primitive, args, x, kind, [known.of(a) for a in args], local.place or user_place(), now=True)
        if origin is not None and origin is not GIVEN:
            sources = [a for a in args if known.of(a) is origin]
            fresh = origin.kind == "NaN" and not sources
            natural = _is_natural(origin)
            if origin.kind != "NaN" and ((not sources and origin.primitive in OUTGROWS) or origin in infinite):
                known.infinite[id(x)] = origin
            known.enter(x, origin, not natural and (fresh or any(id(a) in known.waiting for a in sources)))
            if fresh and natural:
                tell(origin, "")


def kind_of_value(value: np.ndarray) -> str:
    """"NaN", "inf", "-inf", or empty if all is finite."""
    value = value if value.dtype.kind in "fc" else value.astype(np.float32)
    if np.isfinite(value).all():
        return ""
    if np.isnan(value).any():
        return "NaN"
    return "inf" if value.dtype.kind == "c" or np.isposinf(value).any() else "-inf"


def _is_float(aval: Any) -> bool:
    return isinstance(aval, ShapedArray) and not aval.extended and dtypes.issubdtype(aval.dtype, np.inexact)


def _origin(primitive: Primitive, args: Sequence[Any], out: Any, kind: str, origins: Sequence[Origin | None],
            place: Any, now: bool = False) -> Origin | None:
    """The origin of a result that is not finite; `now` if the functions that run have asked for the operation."""
    given = [kind_of_value(np.asarray(_value(a))) if _is_inexact(a) else "" for a in args]
    if kind == "NaN":
        for what, origin in zip(given, origins):
            if what == "NaN":
                return origin or GIVEN
        if primitive.name not in MAKES_NAN:
            return None
        cause = next((o for what, o in zip(given, origins) if what and o is not None and o is not GIVEN), None)
    else:
        for what, origin in zip(given, origins):
            if what:
                return origin or GIVEN
        if primitive.name not in OVERFLOWS:
            return None
        cause = None
    inner, backward = _way(primitive.name, place) if now else (None, _in_backward(primitive.name, place))
    backward = backward or (primitive.name == "pow" and _other_exponent(args, place))
    return Origin(kind, place, primitive.name, () if backward else _facts(primitive, args, place), cause, backward, inner)


def _way(primitive: str, place: Any) -> tuple[Any, bool]:
    """The line of an installed package that asked for the operation, and whether a derivative did."""
    frame: FrameType | None = sys._getframe(1)
    differentiates = local.place is not None
    while frame is not None and kind_of(frame.f_code.co_filename) == INTERNAL:
        name = frame.f_globals.get("__name__")
        if name == "perspicax.transform.transpose":
            return None, True
        differentiates = differentiates or name == "perspicax.transform.jvp"
        frame = frame.f_back
    backward = differentiates and _in_backward(primitive, place)  # primal and tangent are computed together
    if frame is None or kind_of(frame.f_code.co_filename) != LIBRARY:
        return None, backward
    root = str(frame.f_globals.get("__name__")).partition(".")[0]
    return (None if root in sys.stdlib_module_names else (frame.f_code, frame.f_lasti)), backward


def _value(x: Any) -> Any:
    return x.value() if type(x) is ArrayImpl else x


def _is_inexact(x: Any) -> bool:
    return _is_float(get_aval(x))


def _facts(primitive: Primitive, args: Sequence[Any], place: Any) -> tuple[str, ...]:
    """What is remarkable of the operands."""
    operands = operands_at(None if place is None else Position(*place))
    natural = primitive.name in NATURAL.get(operands.operation, ())
    named = [o.text for o in operands] if natural and len(operands) == len(args) else []
    facts = []
    for i, x in enumerate(args):
        if not _is_inexact(x):
            continue
        value = np.asarray(_value(x))
        if value.dtype.kind not in "fc":
            value = value.astype(np.float32)
        name = (f"`{named[i]}`" if named and len(named[i]) <= 60 else "its operand" if len(args) == 1
                else f"the {ordinal(i)} operand")
        whole = "is" if value.ndim == 0 else "holds"
        if np.isnan(value).any():
            facts.append(f"{name} {whole} NaN")
        elif np.isinf(value).any():
            facts.append(f"{name} {whole} an infinity")
        elif value.dtype.kind == "c":
            continue
        elif primitive.name in ("log", "log1p", "sqrt", "rsqrt", "pow", "lgamma", "digamma") and i == 0 and value.size:
            facts.append(f"{name} {whole} {value.min():.6g}")
        elif (primitive.name in ("div", "rem") and i == 1) and (value == 0).any():
            facts.append(f"{name} {whole} 0")
        elif value.size and primitive.name in OVERFLOWS - {"div"}:
            facts.append(f"{name} {whole} {value.reshape(-1)[np.abs(value).argmax()]:.6g}")
        elif value.size and primitive.name in ("acos", "asin", "atanh", "acosh"):
            facts.append(f"{name} {whole} {value.min():.6g} to {value.max():.6g}")
    facts = list(dict.fromkeys(facts))[:2]
    if not named and len(args) == 2 and len(facts) == 2 and len({fact.partition(" operand holds ")[2] for fact in facts}) == 1:
        return (facts[0].replace("the 1st operand holds", "both operands hold"),)
    return tuple(facts)


def _is_natural(origin: Origin) -> bool:
    """Whether the operation is the very one that the user's expression asks for."""
    operands = operands_at(None if origin.place is None else Position(*origin.place))
    return origin.backward or origin.primitive in NATURAL.get(operands.operation, ())


def _in_backward(primitive: str, place: Any) -> bool:
    operation = operands_at(None if place is None else Position(*place)).operation
    return operation in NATURAL and primitive not in NATURAL[operation]


def _other_exponent(args: Sequence[Any], place: Any) -> bool:
    """Whether the exponent is not the number that the expression has: the derivative of a power is a power, too."""
    operands = operands_at(None if place is None else Position(*place))
    if operands.operation not in ("pow", "power") or len(operands) != 2:
        return False
    try:
        written = float(operands[1].text)
    except ValueError:
        return False
    return bool((np.asarray(_value(args[1])).astype(np.float32) != np.float32(written)).all())


# -- programs

def look_at_results(closed: ClosedJaxpr, args: Sequence[ArrayImpl], outs: Sequence[ArrayImpl], name: str) -> None:
    """Look at the results of a program that has run."""
    kinds = [kind_of_value(x.value()) if _is_float(x.aval) and x.ndim <= NUMPY_AXES else "" for x in outs]
    if not any(kinds) or not any(kind == "NaN" or (kind and x.aval.size == 1) for kind, x in zip(kinds, outs)):
        return
    if any(_is_float(x.aval) and np.isnan(np.asarray(x.value())).any() for x in args if not x.is_deleted()):
        return  # it came from without, where it has been told
    searches = closed.derive("searches for NaNs", lambda: [0])
    if searches[0] >= MAX_SEARCHES or any(x.is_deleted() for x in args):
        return
    searches[0] += 1
    _, origins = Search().run(closed, list(args), [known.of(x) for x in args])
    for x, kind, origin in zip(outs, kinds, origins):
        if not kind or origin is None or origin is GIVEN:
            continue
        known.enter(x, origin, False)
        if kind == "NaN" or x.aval.size == 1:
            tell(origin, name, local.place)
            return


class Search:
    """Applies equations one by one, and keeps the origin of each value that is not finite."""

    __slots__ = ("steps",)

    def __init__(self) -> None:
        self.steps = 0

    def run(self, closed: ClosedJaxpr, args: Sequence[Any], origins: Sequence[Origin | None]
            ) -> tuple[list[Any], list[Origin | None]]:
        """The results and their origins."""
        jaxpr = closed.jaxpr
        env: dict[Any, tuple[Any, Origin | None]] = {v: (c, None) for v, c in zip(jaxpr.constvars, closed.consts)}
        env.update((v, pair) for v, pair in zip(jaxpr.invars, zip(args, origins)))
        before = local.place
        try:
            with use_trace(evaluator()):
                for eqn in jaxpr.eqns:
                    pairs = [(a.val, None) if type(a) is Literal else env[a] for a in eqn.invars]
                    outs = self._apply(eqn, [p[0] for p in pairs], [p[1] for p in pairs])
                    env.update(zip(eqn.outvars, outs))
        finally:
            local.place = before
        found_pairs = [(a.val, None) if type(a) is Literal else env[a] for a in jaxpr.outvars]
        return [p[0] for p in found_pairs], [p[1] for p in found_pairs]

    def _apply(self, eqn: JaxprEqn, args: list[Any], origins: list[Origin | None]) -> list[Pair]:
        self.steps += 1
        primitive = eqn.primitive
        local.place = eqn.place
        if self.steps < MAX_STEPS:
            inner = self._inner(eqn, args, origins)
            if inner is not None:
                return inner
        out = local.trace.process(primitive, tuple(args), eqn.values)
        outs = list(out) if primitive.multiple_results else [out]
        return [(x, self._origin_of(eqn, args, origins, x)) for x in outs]

    def _origin_of(self, eqn: JaxprEqn, args: list[Any], origins: list[Origin | None], x: Any) -> Origin | None:
        if type(x) is not ArrayImpl or not _is_float(x.aval):
            return None
        kind = kind_of_value(x.value())
        return _origin(eqn.primitive, args, x, kind, origins, eqn.place) if kind else None

    def _inner(self, eqn: JaxprEqn, args: list[Any], origins: list[Origin | None]) -> list[Pair] | None:
        """The results of an equation that runs jaxprs; `None` for any other, and where it is not known how."""
        how = eqn.primitive.inside
        found = how(**eqn.params) if how is not None else None
        if found is None:
            return None
        pairs = list(zip(args, origins))
        match found.kind:
            case "call":
                return self._run(found.inner[0], pairs)
            case "branch":  # the first operand says which
                return self._run(found.inner[int(np.asarray(_value(args[0])))], pairs)
            case "loop":
                return self._loop(found, pairs)

    def _run(self, inner: Inner, pairs: Sequence[Pair]) -> list[Pair]:
        """The results of a jaxpr whose inputs come of these operands."""
        given = [pairs[i] for _, i in inner.inputs]
        return list(zip(*self.run(inner.jaxpr, [x for x, _ in given], [origin for _, origin in given])))

    def _loop(self, loop: Inside, pairs: list[Pair]) -> list[Pair] | None:
        """The results of a loop: what it carried last, and rows, stacked."""
        *tests, body = loop.inner
        carried = [i for how, i in body.inputs if how == "carry"]
        rows = {i for how, i in body.inputs if how == "row"}
        if loop.length == 0 or any(get_aval(pairs[i][0]).extended for i in rows):  # type: ignore[attr-defined]
            return None
        numbers = itertools.count() if loop.length is None else range(loop.length)
        columns: list[list[Any]] = []
        outer: list[Origin | None] = []
        for number in reversed(numbers) if loop.reverse and isinstance(numbers, range) else numbers:
            now = [(np.asarray(_value(x))[number], origin) if i in rows else (x, origin) for i, (x, origin) in enumerate(pairs)]
            if not all(np.asarray(_value(go_on)).all() for test in tests for go_on, _ in self._run(test, now)):
                break
            outs = self._run(body, now)
            stacked = outs[len(carried):]
            for i, pair in zip(carried, outs):
                pairs[i] = pair
            columns.append([np.asarray(_value(y)) if not get_aval(y).extended else None for y, _ in stacked])  # type: ignore
            outer = [a or b for a, (_, b) in zip(outer or [None] * len(stacked), stacked)]
            if self.steps >= MAX_STEPS:
                return None
        if loop.reverse:
            columns.reverse()
        if any(y is None for row in columns for y in row):
            return None
        return [*[pairs[i] for i in carried], *zip([np.stack(column) for column in zip(*columns)], outer)]


# -- telling

def tell(origin: Origin, function: str, call: Any = None) -> None:
    """Tell of an origin, unless the source shows that what is not finite is chosen away."""
    if origin.kind == "" or _guarded(call) or (not origin.backward and _guarded(origin.place)):
        return
    first = origin.cause if origin.cause is not None and origin.cause.place is not None else origin
    position = None if first.place is None else Position(*first.place)
    expression = located(position)
    operands = operands_at(position)
    operation = expression.text if expression is not None and len(expression.text) <= 90 else operands.operation
    found(NonFinite(
        kind=origin.kind, born=first.kind, operation=operation, primitive=first.primitive, operands=first.operands,
        function=function, backward=first.backward, seen=origin.place if first is not origin else None,
        within=not _is_natural(first), inner=first.inner,
        fixes=_fixes(first, operands, position), why=_why(origin, first), position=position))


def _guarded(place: Any) -> bool:
    expression = located(None if place is None else Position(*place))
    return expression is not None and used_in(expression, GUARDS) is not None


_WHYS = {
    "log": "the logarithm of 0 is -inf, that of a negative number NaN", "div": "x / 0 is an infinity, and 0 / 0 is NaN",
    "sqrt": "the square root of a negative number is NaN", "exp": "exp of more than about 88.7 is beyond float32",
    "log1p": "log1p(-1) is -inf, and of anything less it is NaN", "acos": "the argument must lie between -1 and 1",
    "asin": "the argument must lie between -1 and 1",
    "pow": "a negative number has no power that is not whole; 0 to a negative power is an infinity",
    "sub": "inf - inf is NaN", "mul": "0 * inf is NaN", "rsqrt": "1 / sqrt(0) is an infinity",
    "add": "inf - inf is NaN", "atanh": "the argument must lie between -1 and 1",
}


def _why(origin: Origin, first: Origin) -> str:
    if first.backward:
        return ("the derivative of this expression has no finite value there (as that of `sqrt(x)` at 0), and a `where` behind "
                "it does not help: 0 times an infinity is NaN")
    said = _WHYS.get(first.primitive, "for these operands there is no finite result, or it is beyond the range of the dtype")
    if first is not origin:
        said += f"; {_WHYS.get(origin.primitive, 'with an infinity the next operations give NaN')}"
    return said


def _fixes(first: Origin, operands: list[Expression], position: Position | None) -> tuple[Fix, ...]:
    jnp = imported_as(position, "numpy", "jnp") if position is not None else "jnp"
    x = operands[0].text if operands and len(operands[0].text) <= 50 else "x"
    top = operands[0].grouped if operands and x != "x" else "x"
    last = operands[1].grouped if len(operands) > 1 and len(operands[1].text) <= 50 else "y"
    if first.backward:
        return (Fix("make the argument safe before the function, and choose the result after it (a guard on both sides)",
                    code=f"{jnp}.where({x} > 0, f({jnp}.where({x} > 0, {x}, 1.0)), 0.0)"),
                Fix(f"add a small epsilon: {x} + 1e-12"))
    if not _is_natural(first):
        infinite = first.operands == ("both operands hold an infinity",)
        return (*[Fix("put a large finite number, such as -1e9, in place of the infinity")] * infinite,
                Fix(f"guard what the function is given, by `{jnp}.where` or `{jnp}.clip`, so that its result is finite"))
    match first.primitive:
        case "log" | "log1p" | "lgamma" | "digamma":
            return (Fix("guard the argument: keep it above 0", code=f"{jnp}.log({jnp}.where({x} > 0, {x}, 1.0))"),
                    Fix("add a small epsilon", code=f"{jnp}.log({x} + 1e-12)"),
                    Fix("for `p * log(p)`, which is 0 at 0, there is", code="jax.scipy.special.xlogy(p, p)"))
        case "div" | "rem":
            return (Fix("guard the denominator",
                        code=f"{jnp}.where({last} == 0, 0.0, {top} / {jnp}.where({last} == 0, 1.0, {last}))"),
                    Fix(f"add a small epsilon: {last} + 1e-12"))
        case "sqrt" | "rsqrt" | "pow":
            return (Fix("guard the argument: keep it above 0", code=f"{jnp}.maximum({x}, 1e-12)"),)
        case "exp" | "exp2" | "expm1" | "cosh" | "sinh":
            return (Fix("subtract the largest exponent first, as `jax.nn.softmax` and `jax.nn.logsumexp` do",
                        code=f"{jnp}.exp({x} - {jnp}.max({x}))"),
                    Fix("limit the argument", code=f"{jnp}.exp({jnp}.clip({x}, None, 80.0))"))
        case "acos" | "asin" | "atanh":
            return (Fix("keep the argument inside", code=f"{jnp}.clip({x}, -1.0, 1.0)"),)
    return (Fix(f"guard the operands, by `{jnp}.where` or `{jnp}.clip`, or scale them down"),)


@atexit.register
def finish() -> None:
    """Tell of what is still waiting: at the end of a program, or of a block."""
    for origin in [*known.waiting.values(), *known.infinite.values()]:
        tell(origin, "")
    known.waiting.clear()
    known.infinite.clear()


__all__ = ["Origin", "Search", "finish", "known", "look", "look_at_results", "tell"]
