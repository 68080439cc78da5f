"""`where` with three arguments: the choice that nearly every other function needs."""
from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from perspicax.core.array import Array
from perspicax.core.avals import ShapedArray
from perspicax.core.config import local, state_key
from perspicax.core.context import evaluator
from perspicax.core.promotion import lattice_result
from perspicax.lax import shape as lax_shape
from perspicax.lax.compare import ne, select_n_p
from perspicax.lax.convert import convert
from perspicax.numpy.hosted import host_value
from perspicax.numpy.promote import SCALARS, array_like, broadcast_shape_of, constant_maker, of_numbers, type_of
from perspicax.xla.array import ArrayImpl, beyond_numpy
from perspicax.xla.dispatch import HOST_LIMIT
from perspicax.xla.kept import KeptArrays

MAX_PLANS = 8192
MAX_SPREAD = 16

Step = Callable[[Any], Any] | None
Hosted = tuple[ShapedArray, Step, Step]  # the type of what NumPy can choose, and what it needs of the two cases
Plan = tuple[Step, Step, Step, Hosted | None]

_plans: dict[Any, dict[tuple, Plan]] = {}
_EVALUATOR = evaluator()


def where3(condition: Any, x: Any, y: Any) -> Any:
    """Elements of `x` where the condition holds, else of `y`; all three broadcast."""
    key = (condition.aval if isinstance(condition, Array) else type(condition), x.aval if isinstance(x, Array) else type(x),
           y.aval if isinstance(y, Array) else type(y))
    plans = _plans.get(state_key())
    plan = None if plans is None else plans.get(key)
    if plan is None:
        condition, x, y = [array_like(v, "where", i) for i, v in enumerate((condition, x, y))]
        of_numbers(condition, "where")
        plan = _plan(condition, x, y)
        if all(isinstance(v, Array) or type(v) in SCALARS for v in (condition, x, y)):
            plans = _plans.setdefault(state_key(), {})
            if len(plans) >= MAX_PLANS:
                plans.clear()
            plans[key] = plan
    c, first, second, hosted = plan
    if hosted is not None and local.trace is _EVALUATOR:  # in one step what the primitive would do on the host
        out, before, after = hosted
        a = host_value(condition)
        b = host_value(x) if before is None else before(x)
        d = host_value(y) if after is None else after(y)
        if a is not None and b is not None and d is not None:
            found = np.where(a, b, d)
            return ArrayImpl(out, None, found if type(found) is np.ndarray else np.asarray(found))
    which = condition if c is None else c(condition)
    yes, no = x if first is None else first(x), y if second is None else second(y)
    return local.trace.process(select_n_p, (which, no, yes), ())


def _plan(condition: Any, x: Any, y: Any) -> Plan:
    a, b, c = [type_of(v) for v in (condition, x, y)]
    dtype, weak = _common(b, c)
    shape = broadcast_shape_of("where", (a, b, c), any_rank=True)
    return (_condition_step(a, shape), _case_step(x, b, dtype, weak, shape), _case_step(y, c, dtype, weak, shape),
            _hosted(((condition, a), (x, b), (y, c)), ShapedArray(shape, dtype, weak)))


def _hosted(operands: Sequence[tuple[Any, Any]], out: ShapedArray) -> Hosted | None:
    """How NumPy chooses, which broadcasts by itself; `None` where XLA has to."""
    if out.extended or out.symbolic or out.dtype.kind not in "biufc" or out.size > HOST_LIMIT or beyond_numpy(out):
        return None
    if any(t.explicit is not None for _, t in operands):
        return None
    (condition, of_condition), *cases = operands
    if not isinstance(condition, Array) or of_condition.dtype.kind not in "biu":
        return None
    first, second = [_host_case(v, t, out) for v, t in cases]
    return out, first, second


def _host_case(v: Any, aval: Any, out: ShapedArray) -> Step:
    """What brings a case to the dtype of the result; `None` where it has it."""
    if type(v) in SCALARS:
        return _host_number(out)
    if isinstance(v, Array) and aval.dtype == out.dtype:
        return None
    return lambda x: host_value(convert(x, out.dtype, out.weak_type))


def _host_number(out: ShapedArray) -> Callable[[Any], np.ndarray]:
    constant = constant_maker(out.dtype, out.weak_type)
    return lambda v: constant(v).value()


def _common(b: Any, c: Any) -> tuple[Any, bool]:
    if b.extended and b.dtype == c.dtype:
        return b.dtype, False
    return lattice_result([b.dtype, c.dtype], [b.weak_type, c.weak_type])


def _condition_step(aval: Any, shape: tuple) -> Step:
    is_bool = aval.dtype == np.dtype(bool)
    if is_bool and aval.shape in ((), shape):
        return None
    zero = None if is_bool else np.zeros((), aval.dtype)

    def step(c: Any) -> Any:
        if not is_bool:
            c = ne(c, zero)
        return c if aval.shape in ((), shape) else spread(c, aval.shape, shape)

    return step


def _case_step(v: Any, aval: Any, dtype: Any, weak: bool, shape: tuple) -> Step:
    if type(v) in SCALARS:
        constant = constant_maker(dtype, weak)
        return constant if shape == () else _spread_constant(constant, shape)
    if isinstance(v, Array) and aval is ShapedArray(shape, dtype, weak):
        return None

    def step(x: Any) -> Any:
        x = convert(x, dtype, weak)
        return x if aval.shape == shape else spread(x, aval.shape, shape)

    return step


def _spread_constant(constant: Callable[[Any], Any], shape: tuple) -> Callable[[Any], Any]:
    """A number in every entry; the arrays of a few numbers are kept, as `where(…, x, 0)` comes again and again."""
    kept = KeptArrays()

    def step(x: Any) -> Any:
        scalar = constant(x)
        if host_value(scalar, math.prod(shape)) is None:
            return lax_shape.broadcast_in_dim(scalar, shape, ())
        key = x if x or type(x) is int else repr(x)  # 0.0 and -0.0 are equal
        found = kept.get(key)
        if found is None:
            if len(kept) >= MAX_SPREAD:
                kept.clear()
            found = kept[key] = lax_shape.broadcast_in_dim(scalar, shape, ())
        return found

    return step


def spread(x: Any, old: tuple, shape: tuple) -> Any:
    """An array repeated to `shape`, to which it broadcasts."""
    return lax_shape.broadcast_in_dim(x, shape, range(len(shape) - len(old), len(shape)))


__all__ = ["spread", "where3"]
