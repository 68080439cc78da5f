"""Ordinary differential equations: `odeint`, and its gradient by the adjoint equation."""
from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np

import perspicax.numpy as jnp
from perspicax.api.dormand_prince import Tolerances, integrate
from perspicax.api.jit import jit
from perspicax.api.ode_errors import DerivativeStateError, SolverTimesError, SolverToleranceError
from perspicax.api.wrapping import check_callable, public
from perspicax.core import dtypes
from perspicax.core.jaxpr import ClosedJaxpr, eval_jaxpr
from perspicax.core.trace import stage_flat
from perspicax.core.tracer import Tracer, get_aval
from perspicax.lax.bodies import Body, definition_of, stage_body
from perspicax.lax.convert import convert_element_type
from perspicax.lax.loops import scan
from perspicax.lax.operand import operand
from perspicax.transform import trees as tree
from perspicax.transform.custom import custom_vjp
from perspicax.transform.grad import vjp
from perspicax.transform.stage import check_arguments, function_name

__all__ = ["odeint"]


class _Problem(NamedTuple):
    """What is solved: `field` takes a vector `[n]`, a time and further arguments to a vector `[n]`; equal if it is the same."""

    field: ClosedJaxpr
    tolerances: Tolerances

    def derivative(self, args: Sequence[Any]) -> Callable[[Any, Any], Any]:
        """The field for these further arguments."""
        return lambda y, t: eval_jaxpr(self.field.jaxpr, self.field.consts, y, t, *args)[0]


@public
def odeint(func: Callable[..., Any], y0: Any, t: Any, *args: Any, rtol: float = 1.4e-8, atol: float = 1.4e-8,
           mxstep: float = np.inf, hmax: float = np.inf) -> Any:
    """The solution of `dy/dt = func(y, t, *args)` from `y0` on, by steps of Dormand and Prince of adaptive size.

    Args:
        func: `func(y, t, *args)`, the derivative with respect to the time: a pytree like `y0`.
        y0: pytree of floating or complex arrays, the state at the time `t[0]`.
        t: increasing floating vector `[times]`.
        args: pytrees of arrays, which `func` gets.
        rtol, atol: the error of a step may be `atol + rtol * abs(y)`, in the mean of squares over all entries.
        mxstep: the most steps from one time to the next; then the solution goes on from where it has come.
        hmax: the longest step.

    Returns:
        A pytree like `y0`, each leaf with a new leading axis of the size of `t`. It can be differentiated in reverse mode,
        with respect to `y0`, `t`, `args` and what `func` closes over: the adjoint equation is solved backwards, with the same
        tolerances.

    Raises:
        DerivativeStateError: `func` returns another number of entries than the state has, or the state holds integers.
        SolverTimesError: `t` is no floating vector.
        SolverToleranceError: a tolerance is no number, or a traced one.

    Differs: integers among `args` are no obstacle to gradients.

    >>> odeint(lambda y, t: -y, 1., jnp.array([0., 1.]))
    Array([1.       , 0.3678794], dtype=float32)
    """
    check_callable("odeint", func)
    tolerances = Tolerances(*[_number(name, given) for name, given in
                              (("rtol", rtol), ("atol", atol), ("mxstep", mxstep), ("hmax", hmax))])
    times = _times(t)
    body, avals, y_tree = _stage(func, y0, times, args)
    y_leaves, more = tree.flatten(y0)[0], tree.flatten(args)[0]
    y_avals = avals[:len(y_leaves)]
    vector = _packed(y_leaves)
    field = body.found.get("field")
    if field is None:
        field = body.found["field"] = _vector_field(body, y_avals, vector, avals)
    ys = _solved(_Problem(field, tolerances), vector, times, *body.consts, *[operand(x) for x in more])
    return y_tree.unflatten(_parts(ys, y_avals))


def _packed(leaves: Sequence[Any]) -> Any:
    """All entries in one vector, of the dtype that the leaves promote to."""
    arrays = [jnp.ravel(x) for x in leaves]
    dtype = jnp.result_type(*arrays) if arrays else dtypes.default_dtype("float")
    return jnp.concatenate([convert_element_type(x, dtype) for x in arrays] or [np.zeros(0, dtype)])


def _parts(vectors: Any, avals: Sequence[Any]) -> list[Any]:
    """Vectors `[..., n]` taken apart: leaves `[..., *shape]` of the types that `_packed` was given."""
    leaves, start = [], 0
    for aval in avals:
        part = jnp.reshape(vectors[..., start:start + aval.size], (*vectors.shape[:-1], *aval.shape))
        real = dtypes.issubdtype(part.dtype, np.complexfloating) and not dtypes.issubdtype(aval.dtype, np.complexfloating)
        leaves.append(convert_element_type(jnp.real(part) if real else part, aval.dtype))
        start += aval.size
    return leaves


def _number(option: str, given: Any) -> float:
    traced = isinstance(given, Tracer)
    try:
        if traced or isinstance(given, str):
            raise TypeError(given)
        return float(given)
    except (TypeError, ValueError):
        shown = get_aval(given).str_short() if traced else repr(given)  # type: ignore[attr-defined]
        raise SolverToleranceError(option=option, got=shown, traced=traced) from None


def _times(t: Any) -> Any:
    try:
        times = jnp.asarray(t)
    except TypeError:
        raise SolverTimesError(got=type(t).__name__) from None
    if times.ndim != 1 or not times.size or not dtypes.issubdtype(times.dtype, np.floating):
        raise SolverTimesError(got=get_aval(times).str_short())  # type: ignore[attr-defined]
    return times


def _stage(func: Callable[..., Any], y0: Any, times: Any, args: tuple) -> tuple[Body, list[Any], Any]:
    """The jaxpr of the derivative for these arguments, and the types of its inputs: state, time, further arguments."""
    example = (y0, np.zeros((), times.dtype), *args)
    leaves, in_tree = tree.flatten((example, {}))
    avals: list[Any] = [a.strong for a in check_arguments(leaves, in_tree, func, "odeint")]
    y_tree = tree.flatten(y0)[1]
    state = avals[:y_tree.num_leaves]
    if any(not dtypes.issubdtype(a.dtype, np.inexact) for a in state):
        raise DerivativeStateError(function=function_name(func), kind="integers", state=_types(state))
    body = stage_body(func, "odeint", in_tree, avals, parameter="func")
    outs: Any = body.closed.out_avals
    if sum([a.size for a in outs]) != sum([a.size for a in state]):
        raise DerivativeStateError(function=function_name(func), kind="size", state=_types(state), got=_types(outs),
                                   definition=definition_of(func))
    return body, avals, y_tree


def _types(avals: Sequence[Any]) -> tuple[str, ...]:
    return tuple([a.str_short() for a in avals])


def _vector_field(body: Body, y_avals: Sequence[Any], vector: Any, avals: Sequence[Any]) -> ClosedJaxpr:
    """The derivative as a function of a vector, the time, what `func` closes over, and its further arguments."""
    count = len(body.consts)

    def field(y: Any, t: Any, *rest: Any) -> list[Any]:
        outs = eval_jaxpr(body.closed.jaxpr, body.closed.consts, *rest[:count], *_parts(y, y_avals), t,
                         *rest[count:])
        return [_like(vector, outs)]

    others: list[Any] = [get_aval(c) for c in body.consts] + list(avals[len(y_avals) + 1:])
    return stage_flat(field, [get_aval(vector), avals[len(y_avals)], *others], body.closed.debug_info)


def _like(vector: Any, leaves: Sequence[Any]) -> Any:
    """All entries as a vector of the dtype of this one."""
    packed = _packed(leaves)
    real = dtypes.issubdtype(packed.dtype, np.complexfloating) and not dtypes.issubdtype(vector.dtype, np.complexfloating)
    return convert_element_type(jnp.real(packed) if real else packed, vector.dtype)


# -- the vector equation, and its adjoint

def _integrated(problem: _Problem, y0: Any, ts: Any, *args: Any) -> Any:
    return integrate(problem.derivative(args), y0, ts, problem.tolerances)


_compiled = jit(_integrated, static_argnums=0)


def _solution(problem: _Problem, y0: Any, ts: Any, *args: Any) -> Any:
    return _compiled(problem, y0, ts, *args)


_solution.__name__ = "odeint"  # what reports call it
_solved = custom_vjp(_solution, nondiff_argnums=(0,))


def _forward(problem: _Problem, y0: Any, ts: Any, *args: Any) -> tuple[Any, tuple]:
    ys = _solved(problem, y0, ts, *args)
    return ys, (ys, ts, args)


def _moves(x: Any) -> bool:
    return dtypes.issubdtype(get_aval(x).dtype, np.inexact)  # type: ignore[attr-defined]


def _backward(problem: _Problem, kept: tuple, cts: Any) -> tuple:
    """Cotangents of `y0`, the times and the further arguments: the adjoint equation, from each time to the one before.

    Pontryagin et al., The Mathematical Theory of Optimal Processes, 1962. It goes backwards in time, so its own is `-t`.
    """
    ys, ts, args = kept
    moving = [x for x in args if _moves(x)]
    start = (cts[-1], jnp.zeros((), ts.dtype), [jnp.zeros_like(x) for x in moving])
    avals: list[Any] = [get_aval(x) for x in (ys[-1], cts[-1], ts[0], *moving)]
    key = "adjoint", *avals, *[get_aval(x) for x in args]
    adjoint = _Problem(problem.field.derive(key, lambda: _adjoint(problem, avals, ts[0], args)), problem.tolerances)

    def to_time(carry: tuple, i: Any) -> tuple[tuple, Any]:
        ct_y, ct_first, ct_args = carry
        slope = problem.derivative(args)(ys[i], ts[i])
        ct_time = jnp.real(jnp.dot(slope, cts[i])).astype(ts.dtype)
        vector = _packed([ys[i], ct_y, ct_first - ct_time, *ct_args])
        found = _solved(adjoint, vector, jnp.stack([-ts[i], -ts[i - 1]]), *args)[1]
        _, ct_y, ct_first, *ct_args = _parts(found, avals)
        return (ct_y + cts[i - 1], ct_first, ct_args), ct_time

    (ct_y, ct_first, ct_args), ct_times = scan(to_time, start, jnp.arange(len(ts) - 1, 0, -1))
    found = iter(ct_args)
    return ct_y, jnp.concatenate([ct_first[None], ct_times[::-1]]), *[next(found) if _moves(x) else None for x in args]


def _adjoint(problem: _Problem, avals: Sequence[Any], time: Any, args: Sequence[Any]) -> ClosedJaxpr:
    """The field of the adjoint equation: of the state, its cotangent, that of the time, and those of the arguments."""
    vector = _packed([jnp.zeros(a.shape, a.dtype) for a in avals])

    def field(augmented: Any, backwards: Any, *args: Any) -> list[Any]:
        y, ct_y, *_ = _parts(augmented, avals)
        moving = [x for x in args if _moves(x)]

        def of_moving(y: Any, t: Any, *moved: Any) -> Any:
            rest = iter(moved)
            return problem.derivative([next(rest) if _moves(x) else x for x in args])(y, t)

        slope, back = vjp(of_moving, y, -backwards, *moving)
        return [_like(vector, [-slope, *back(ct_y)])]

    operands: list[Any] = [get_aval(x) for x in (vector, time, *args)]
    return stage_flat(field, [a.strong for a in operands], problem.field.debug_info)


_solved.defvjp(_forward, _backward)
