"""Transformations that are applied and called at once: derivatives and control flow of functions of modules."""
from __future__ import annotations

import functools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from perspicax import tree_util
from perspicax.flax.core import lift
from perspicax.flax.core.frozen_dict import FrozenDict
from perspicax.flax.core.lift import CollectionFilter, PRNGSequenceFilter
from perspicax.flax.core.lift_derivatives import gradients
from perspicax.flax.error_base import article
from perspicax.flax.linen.carried import Carried
from perspicax.flax.linen.module_class import wrap_method
from perspicax.flax.traceback_util import api_boundary
from perspicax.flax.tree_errors import LiftError

__all__ = ["cond", "custom_vjp", "grad", "jvp", "switch", "value_and_grad", "vjp", "while_loop"]


def _carry(name: str, mdl: Any, args: tuple[Any, ...], *fns: Callable[..., Any]) -> tuple[Carried, list[Any]]:
    """The modules of a call, and the functions as functions of scopes."""
    carried = Carried(mdl, args, {}, name)
    return carried, [carried.function(wrap_method(fn), getattr(fn, "__name__", "function")) for fn in fns]


@dataclass(frozen=True)
class _OfOne:
    """Takes, of a pullback whose variables are by scopes, the cotangents of one module alone.

    Equal ones compare equal, since they are part of the structure of residuals.
    """

    way: tuple[int, tuple[str, ...]]

    def __call__(self, pullback: Callable[..., Any], cotangent: Any) -> tuple[Any, ...]:
        of_scopes, *of_args = pullback(cotangent)
        number, names = self.way
        collections = of_scopes[number]
        for name in names:
            collections = {collection: inner[name] for collection, inner in collections.items() if name in inner}
        return (collections, *of_args)


@api_boundary
def vjp(fn: Callable[..., Any], mdl: Any, *primals: Any, has_aux: bool = False, reduce_axes: Sequence[str] = (),
        vjp_variables: CollectionFilter = "params", variables: CollectionFilter = True, rngs: PRNGSequenceFilter = True,
        multi_scope: bool = False) -> Any:
    """As `jax.vjp`, of a function of a module.

    Args:
        fn: takes a module and arguments.
        mdl: the module.
        *primals: the arguments.
        has_aux: whether `fn` returns a pair of a result and of values without derivative.
        reduce_axes: accepted, as in Flax; it must be empty.
        vjp_variables: the collections to differentiate with respect to.
        variables: the other collections that `fn` uses, and the ones it may change.
        rngs: the streams of random keys that it uses.
        multi_scope: whether the pullback returns the cotangents of the variables of all modules that are carried in, as a
            list; otherwise those of `mdl` alone.

    Returns:
        (result, pullback), and the values without derivative if `has_aux`. The pullback takes a cotangent of the result
        and returns the cotangents of the variables, a dict of collections, and of each argument.

    >>> y, pullback = nn.vjp(lambda module, x: module(x), self.layer, x)
    >>> variables_bar, x_bar = pullback(jnp.ones_like(y))
    """
    carried, (function,) = _carry("vjp", mdl, primals, fn)
    result, pullback, *aux = lift.vjp(function, carried.scopes, *carried.args, has_aux=has_aux,
                                      reduce_axes=reduce_axes, vjp_variables=vjp_variables, variables=variables, rngs=rngs)
    # A `Partial`, because it may be a residual of `custom_vjp`, and these are pytrees.
    return (result, pullback if multi_scope else tree_util.Partial(_OfOne(carried.own_way), pullback), *aux)


@api_boundary
def value_and_grad(fn: Callable[..., Any], mdl: Any, *primals: Any, has_aux: bool = False, reduce_axes: Sequence[str] = (),
                   variables: CollectionFilter = True, rngs: PRNGSequenceFilter = True) -> Any:
    """As `jax.value_and_grad`, of a function of a module, with respect to all arguments but the module.

    Args:
        fn: takes a module and arguments, returns a number.
        mdl: the module.
        *primals: the arguments.
        has_aux: whether `fn` returns a pair of a number and of values without derivative.
        reduce_axes: accepted, as in Flax; it must be empty.
        variables: the collections that `fn` uses, and may change.
        rngs: the streams of random keys that it uses.

    Returns:
        (number, gradients), or ((number, values without derivative), gradients) if `has_aux`. The gradients are a tuple
        with one for each argument.
    """
    options = {"has_aux": has_aux, "reduce_axes": reduce_axes, "variables": variables, "rngs": rngs}
    value, *aux, found = _differentiated("value_and_grad", fn, mdl, primals, options)
    return ((value, *aux) if has_aux else value), found


def _differentiated(transform: str, fn: Callable[..., Any], mdl: Any, primals: tuple[Any, ...],
                    options: dict[str, Any]) -> tuple[Any, ...]:
    carried, (function,) = _carry(transform, mdl, primals, fn)
    return gradients(transform, function, carried.scopes, carried.args, **options)  # type: ignore[arg-type]


@api_boundary
def grad(fn: Callable[..., Any], mdl: Any, *primals: Any, has_aux: bool = False, reduce_axes: Sequence[str] = (),
         variables: CollectionFilter = True, rngs: PRNGSequenceFilter = True) -> Any:
    """As `jax.grad`, of a function of a module, with respect to all arguments but the module.

    Args:
        fn: takes a module and arguments, returns a number.
        mdl: the module.
        *primals: the arguments.
        has_aux: whether `fn` returns a pair of a number and of values without derivative.
        reduce_axes: accepted, as in Flax; it must be empty.
        variables: the collections that `fn` uses, and may change.
        rngs: the streams of random keys that it uses.

    Returns:
        The gradients, a tuple with one for each argument; or (gradients, values without derivative) if `has_aux`.
    """
    options = {"has_aux": has_aux, "reduce_axes": reduce_axes, "variables": variables, "rngs": rngs}
    _, *aux, found = _differentiated("grad", fn, mdl, primals, options)
    return (found, *aux) if has_aux else found


@api_boundary
def jvp(fn: Callable[..., Any], mdl: Any, primals: Any, tangents: Any, variable_tangents: Any,
        variables: CollectionFilter = True, rngs: PRNGSequenceFilter = True) -> tuple[Any, Any]:
    """As `jax.jvp`, of a function of a module.

    Args:
        fn: takes a module and arguments.
        mdl: the module.
        primals: the arguments.
        tangents: their tangents.
        variable_tangents: the tangents of the module's variables, a dict of collections; variables of other collections do
            not move.
        variables: the other collections that `fn` uses, and the ones it may change.
        rngs: the streams of random keys that it uses.

    Returns:
        (result, its tangent).

    Raises:
        LiftError: primals or tangents are no tuples, or the tangents of variables no dict of collections that there are.
        TangentError: a tangent does not fit.
    """
    if not isinstance(variable_tangents, Mapping):
        raise LiftError(says=f"`variable_tangents` of `nn.jvp` is {article(variable_tangents)}, but must be a dict of "
                             "collections.",
                        why="it holds the tangents of the module's variables; it is empty where none of them moves")
    given = primals if isinstance(primals, (tuple, list)) else ()
    carried, (function,) = _carry("jvp", mdl, tuple(given), fn)
    return lift.jvp(function, carried.scopes, carried.args if given else primals, tangents,  # type: ignore[arg-type]
                    carried.by_scope(variable_tangents), variables=variables, rngs=rngs)


@api_boundary
def custom_vjp(fn: Callable[..., Any], forward_fn: Callable[..., Any], backward_fn: Callable[..., Any],
               grad_vars: CollectionFilter = "params", nondiff_argnums: Sequence[int] = ()) -> Callable[..., Any]:
    """As `jax.custom_vjp`, of a function of a module.

    Args:
        fn: takes a module and arguments.
        forward_fn: takes the same, returns the result and residuals.
        backward_fn: takes the arguments named by `nondiff_argnums`, the residuals and a cotangent of the result; returns
            the cotangents of the variables, a dict of collections, and of the other arguments.
        grad_vars: the collections that get cotangents.
        nondiff_argnums: numbers of arguments without derivative; the module is not counted.

    Returns:
        A function of the same arguments as `fn`.
    """
    @api_boundary
    @functools.wraps(fn)
    def ruled(mdl: Any, *args: Any, **kwargs: Any) -> Any:
        carried, (function, forward) = _carry("custom_vjp", mdl, args, fn, forward_fn)

        def backward(*given: Any) -> tuple[Any, ...]:
            of_variables, *of_args = backward_fn(*given)
            return (carried.by_scope(of_variables), *of_args)

        lifted = lift.custom_vjp(function, forward, backward, grad_vars=grad_vars, nondiff_argnums=tuple(nondiff_argnums))
        return lifted(carried.scopes, *carried.args, **kwargs)

    return ruled


@api_boundary
def while_loop(cond_fn: Callable[..., Any], body_fn: Callable[..., Any], mdl: Any, init: Any,
               carry_variables: CollectionFilter = False, broadcast_variables: CollectionFilter = True,
               split_rngs: Mapping[PRNGSequenceFilter, bool] = FrozenDict({})) -> Any:
    """As `jax.lax.while_loop`, with functions of a module.

    Args:
        cond_fn: takes a module and the carry, says whether to go on; it may change no variable.
        body_fn: takes a module and the carry, returns the next carry.
        mdl: the module.
        init: the first carry.
        carry_variables: the collections that go from step to step; they exist before the loop.
        broadcast_variables: the collections that are the same in each step.
        split_rngs: for each filter of streams whether each step gets keys of its own.

    Returns:
        The last carry.
    """
    carried, (goes_on, body) = _carry("while_loop", mdl, (), cond_fn, body_fn)
    return lift.while_loop(goes_on, body, carried.scopes, init, carry_variables, broadcast_variables,  # type: ignore[arg-type]
                           split_rngs)


@api_boundary
def cond(pred: Any, true_fun: Callable[..., Any], false_fun: Callable[..., Any], mdl: Any, *operands: Any,
         variables: CollectionFilter = True, rngs: PRNGSequenceFilter = True) -> Any:
    """As `jax.lax.cond`, with functions of a module.

    Args:
        pred: which of the functions to run.
        true_fun: takes a module and the operands.
        false_fun: the same; it makes the same variables.
        mdl: the module.
        *operands: further arguments.
        variables: the collections that they use, and may change.
        rngs: the streams of random keys that they use.

    Returns:
        The result of the function that ran.
    """
    carried, (yes, no) = _carry("cond", mdl, operands, true_fun, false_fun)
    return lift.cond(pred, yes, no, carried.scopes, *carried.args, variables=variables, rngs=rngs)  # type: ignore[arg-type]


@api_boundary
def switch(index: Any, branches: Sequence[Callable[..., Any]], mdl: Any, *operands: Any,
           variables: CollectionFilter = True, rngs: PRNGSequenceFilter = True) -> Any:
    """As `jax.lax.switch`, with functions of a module.

    Args:
        index: the number of the function to run.
        branches: functions of a module and the operands; all make the same variables.
        mdl: the module.
        *operands: further arguments.
        variables: the collections that they use, and may change.
        rngs: the streams of random keys that they use.

    Returns:
        The result of the function that ran.
    """
    carried, functions = _carry("switch", mdl, operands, *branches)
    return lift.switch(index, functions, carried.scopes, *carried.args, variables=variables, rngs=rngs)  # type: ignore[arg-type]
