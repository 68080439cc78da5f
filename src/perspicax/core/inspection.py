"""What libraries ask of traces, values and jaxprs: `jax.extend.core`'s small functions."""
from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

from perspicax.core.avals import AbstractValue, ShapedArray
from perspicax.core.config import local
from perspicax.core.context import use_trace
from perspicax.core.effects import NO_EFFECTS
from perspicax.core.errors import JaxprOperandsError
from perspicax.core.jaxpr import ClosedJaxpr, Jaxpr, JaxprEqn, jaxprs_in
from perspicax.core.jaxpr import eval_jaxpr as apply_jaxpr
from perspicax.core.trace import Trace
from perspicax.core.tracer import Tracer
from perspicax.diagnose.boundary import public

__all__ = [
    "OpaqueTraceState", "concrete_or_error", "eval_jaxpr", "find_top_trace", "gensym", "get_opaque_trace_state", "jaxpr_as_fun",
    "jaxprs_in_params", "mapped_aval", "max_dim", "min_dim", "new_jaxpr_eqn", "primal_dtype_to_tangent_dtype",
    "set_current_trace", "subjaxprs", "take_current_trace", "tracing", "unmapped_aval",
]


class OpaqueTraceState:
    """The trace that is current: equal to another one exactly while both mean the same trace."""

    __slots__ = ("_trace",)

    def __init__(self, trace: Trace) -> None:
        import weakref

        self._trace = weakref.ref(trace)  # a library that keeps this must not keep a trace alive

    def __eq__(self, other: object) -> bool:
        return isinstance(other, OpaqueTraceState) and self._trace() is other._trace() is not None

    def __hash__(self) -> int:
        return hash(id(self._trace()))

    def __repr__(self) -> str:
        return f"OpaqueTraceState({type(self._trace()).__name__})"


def get_opaque_trace_state(convention: str | None = None) -> OpaqueTraceState:
    """The identity of the trace that is current, for libraries that must not mix values of two traces."""
    return OpaqueTraceState(local.trace)


def find_top_trace(_: Any = None) -> Trace:
    """The trace that is current."""
    return local.trace


def tracing() -> bool:
    """Whether a transformation is tracing in this thread."""
    from perspicax.core.context import eager

    return not eager()


def take_current_trace() -> Any:
    """A context manager that gives the current trace, and lets operations inside run at once."""
    import contextlib

    from perspicax.core.context import evaluator

    @contextlib.contextmanager
    def taking() -> Iterator[Trace]:
        before = local.trace
        with use_trace(evaluator()):
            yield before

    return taking()


def set_current_trace(trace: Trace, check_leaks: bool = False) -> Any:
    """A context manager in which `trace` processes primitives."""
    return use_trace(trace)


def concrete_or_error(force: Any, val: Any, context: str = "") -> Any:
    """A value that must be known now.

    Args:
        force: what to convert it with (`int`, `bool`, `numpy.asarray`), or `None`.
        val: the value.
        context: accepted; the report says where the value comes from.

    Raises:
        ConcretizationTypeError: it is being traced.
    """
    if isinstance(val, Tracer):
        known = val.concrete()
        if known is None:
            return (force or int)(val)  # which raises the report of that question
        val = known
    return val if force is None else force(val)


def mapped_aval(size: int, axis: int | None, aval: Any) -> Any:
    """The type of one slice of a value of type `aval` along `axis`."""
    return aval if axis is None else aval.unbatched(axis)


def unmapped_aval(size: int, axis: int | None, aval: Any, explicit_mesh_axis: Any = None) -> Any:
    """The type of `size` values of type `aval`, stacked along `axis`."""
    return aval if axis is None else aval.batched(size, axis)


def primal_dtype_to_tangent_dtype(primal_dtype: Any) -> Any:
    """The dtype of tangents of values of a dtype: `float0` unless it is floating or complex."""
    return ShapedArray((), primal_dtype).to_tangent_aval().dtype


def max_dim(d1: Any, d2: Any) -> Any:
    """The greater of two sizes."""
    return d1 if d1 >= d2 else d2


def min_dim(d1: Any, d2: Any) -> Any:
    """The lesser of two sizes."""
    return d1 if d1 <= d2 else d2


def jaxpr_as_fun(closed_jaxpr: ClosedJaxpr) -> Callable[..., list[Any]]:
    """A closed jaxpr as a function of flat arguments that returns a list."""
    def fun(*args: Any) -> list[Any]:
        return eval_jaxpr(closed_jaxpr.jaxpr, closed_jaxpr.consts, *args)

    return public(fun)


@public
def eval_jaxpr(jaxpr: Jaxpr, consts: Sequence[Any], *args: Any, propagate_source_info: bool = True) -> list[Any]:
    """Apply the equations of `jaxpr` to values.

    Args:
        jaxpr: an open jaxpr.
        consts: one value for each of its constants.
        args: one value for each of its arguments.
        propagate_source_info: accepted; reports always name the place where an equation was first applied.

    Returns:
        The values of its results.

    Raises:
        JaxprOperandsError: there are more or fewer values.

    >>> closed = jax.make_jaxpr(lambda x: x * 2)(1.)
    >>> jax.core.eval_jaxpr(closed.jaxpr, closed.consts, 3.)
    [Array(6., dtype=float32, weak_type=True)]
    """
    for kind, variables, values in (("constants", jaxpr.constvars, consts), ("arguments", jaxpr.invars, args)):
        if len(variables) != len(values):
            raise JaxprOperandsError(kind=kind, expected=tuple([v.aval.str_short() for v in variables]),
                                     actual=len(values))
    return apply_jaxpr(jaxpr, consts, *args)


def subjaxprs(jaxpr: Jaxpr) -> Iterator[Jaxpr]:
    """The jaxprs among the parameters of a jaxpr's equations."""
    for eqn in jaxpr.eqns:
        yield from jaxprs_in_params(eqn.params)


def jaxprs_in_params(params: Mapping[str, Any]) -> Iterator[Jaxpr]:
    """The jaxprs among an equation's parameters."""
    for value in params.values():
        yield from jaxprs_in(value)


def new_jaxpr_eqn(invars: Iterable[Any], outvars: Iterable[Any], primitive: Any, params: Mapping[str, Any],
                  effects: Any = NO_EFFECTS, source_info: Any = None, ctx: Any = None) -> JaxprEqn:
    """An equation of its parts."""
    place = None if source_info is None else (source_info.code, source_info.lasti)
    return JaxprEqn(primitive, tuple(invars), primitive.pack(dict(params)), tuple(outvars), frozenset(effects), place)


def gensym() -> Callable[[AbstractValue], Any]:
    """A function that makes a new variable for a type."""
    from perspicax.core.jaxpr import Var

    return Var
