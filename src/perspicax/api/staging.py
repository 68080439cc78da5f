"""Looking at what a function becomes (its jaxpr, its result types), and names for its parts."""
from __future__ import annotations

import contextlib
import functools
import threading
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from perspicax.api.errors import ScopeNameError
from perspicax.api.wrapping import check_callable, public
from perspicax.core import tree
from perspicax.core.config import local
from perspicax.core.context import use_trace
from perspicax.core.refs import AbstractRef, RefCell, lent, load_rules
from perspicax.core.tracer import get_aval, valid_jaxtype
from perspicax.transform.ahead import ShapeDtypeStruct
from perspicax.transform.batch import BatchAxis, BatchTrace
from perspicax.transform.jit import JitFunction, clear_caches
from perspicax.transform.jit_options import JitOptions
from perspicax.transform.ref_calls import passed_for, with_arguments
from perspicax.transform.stage import function_name, wraps

__all__ = ["clear_caches", "eval_shape", "make_jaxpr", "named_call", "named_scope", "typeof"]


def _load_rules_of_refs() -> None:
    import perspicax.api.refs  # noqa: F401  # it fills them in


load_rules[:] = [_load_rules_of_refs]


@public
def make_jaxpr(fun: Callable[..., Any], static_argnums: int | Sequence[int] = (),
               axis_env: Sequence[tuple[Any, int]] | None = None, return_shape: bool = False,
               abstracted_axes: Any = None) -> Callable[..., Any]:
    """A function that returns the jaxpr of `fun` for given arguments, without running it.

    Args:
        fun: a function of pytrees of arrays.
        static_argnums: positions of arguments that are Python values.
        axis_env: names and sizes of axes that collectives in `fun` may refer to.
        return_shape: whether to return a pair of the jaxpr and the types of the result.
        abstracted_axes: not there yet: axes of a size that is not known.

    Returns:
        A function of the arguments of `fun` (arrays, or `ShapeDtypeStruct`s) that returns a `ClosedJaxpr`.

    Raises:
        StaticArgumentError: `static_argnums` names no argument.

    >>> make_jaxpr(lambda x: x * 2)(3.0)
    { lambda ; a:f32[]. let b:f32[] = mul a 2.0:f32[] in (b,) }
    """
    check_callable("make_jaxpr", fun)
    if abstracted_axes is not None:
        from perspicax.diagnose.facade import NotThereYet

        raise NotThereYet(missing="jax.make_jaxpr(abstracted_axes=...)")
    numbers = (static_argnums,) if isinstance(static_argnums, int) else tuple(static_argnums)

    def jaxpr_of(*args: Any, **kwargs: Any) -> Any:
        options = JitOptions(static_argnums=numbers)
        options.check(fun)
        # Not the function itself where names of axes are bound: what was staged without them is kept with it.
        target = fun if not axis_env else functools.partial(fun)
        with _named_axes(axis_env or ()):
            traced = JitFunction(target, options).trace(*args, **kwargs)
        return (traced.jaxpr, traced.out_info) if return_shape else traced.jaxpr

    jaxpr_of.__name__ = jaxpr_of.__qualname__ = f"make_jaxpr({function_name(fun)})"
    jaxpr_of.__doc__, jaxpr_of.__module__ = fun.__doc__, getattr(fun, "__module__", __name__)
    jaxpr_of.__wrapped__ = fun  # type: ignore[attr-defined]
    return public(jaxpr_of)


@contextlib.contextmanager
def _named_axes(axes: Sequence[tuple[Any, int]]) -> Iterator[None]:
    """Let collectives refer to these axes, as inside of a vmap of nothing."""
    with contextlib.ExitStack() as stack:
        for name, size in axes:
            stack.enter_context(use_trace(BatchTrace(local.trace, BatchAxis(size, name))))
        yield


@public
def eval_shape(fun: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
    """The types of the results of `fun`, without computing anything.

    Args:
        fun: a function of pytrees of arrays.
        args, kwargs: its arguments; in place of arrays anything that has a `shape` and a `dtype`.

    Returns:
        A pytree like the result, of `ShapeDtypeStruct`s.
    """
    check_callable("eval_shape", fun)
    cells, (args, kwargs) = passed_for((args, kwargs), fun, "eval_shape")
    if cells:
        with_values = with_arguments(fun)
        with lent(cells, "eval_shape", function_name(fun)):
            return eval_shape(wraps(fun, lambda *xs, **named: with_values(*xs, **named)[1]), *args, **kwargs)
    args, kwargs = tree.tree_map(_typed, (args, kwargs))
    if isinstance(fun, JitFunction):
        return fun.eval_shape(*args, **kwargs)
    wrapped = JitFunction(fun, JitOptions())
    wrapped.transform = "eval_shape"
    return wrapped.eval_shape(*args, **kwargs)


def _typed(x: Any) -> Any:
    """An argument as staging takes it: whatever has a shape and a dtype, and is no array, becomes a type."""
    if not valid_jaxtype(x) and hasattr(x, "shape") and hasattr(x, "dtype"):
        return ShapeDtypeStruct(x.shape, x.dtype, weak_type=getattr(x, "weak_type", False))
    return x


@public
def typeof(x: Any) -> Any:
    """The type of a value, as jaxprs know it.

    Args:
        x: an array, a number, a value that is being traced, or a reference.

    Raises:
        NotAnArrayError: it is none of these.
    """
    return AbstractRef(x.inner_aval()) if isinstance(x, RefCell) else get_aval(x)


# -- names

class _Scopes(threading.local):
    """The names of the scopes that are open in this thread."""

    names: tuple[str, ...] = ()


scopes = _Scopes()


@contextlib.contextmanager
def _scope(name: str) -> Iterator[None]:
    before = scopes.names
    scopes.names = (*before, name)
    try:
        yield
    finally:
        scopes.names = before


@public
def named_scope(name: str) -> Any:
    """A context manager, or decorator, that gives the operations inside a name, for profiles.

    Args:
        name: the name; scopes within scopes make paths.

    Raises:
        ScopeNameError: it is no text.

    Differs: the names are not written into compiled programs, whose operations carry their place in the source instead.
    """
    if not isinstance(name, str):
        raise ScopeNameError(value=repr(name)[:60])
    return _scope(name)


@public
def named_call(fun: Callable[..., Any], *, name: str | None = None) -> Callable[..., Any]:
    """`fun`, in a scope of its own name.

    Args:
        fun: a function.
        name: of the scope; by default that of the function.
    """
    check_callable("named_call", fun)
    chosen = function_name(fun) if name is None else name
    if not isinstance(chosen, str):
        raise ScopeNameError(value=repr(chosen)[:60])

    @functools.wraps(fun)
    def call(*args: Any, **kwargs: Any) -> Any:
        with _scope(chosen):
            return fun(*args, **kwargs)

    return call
