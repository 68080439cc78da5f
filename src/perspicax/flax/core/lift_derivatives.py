"""Lifted derivatives: `vjp`, `value_and_grad`, `jvp`, `custom_vjp`."""
from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

import perspicax as jax
from perspicax import tree_util
from perspicax.diagnose.errors import PerspicaxError
from perspicax.flax import struct
from perspicax.flax.core.filters import CollectionFilter, PRNGSequenceFilter
from perspicax.flax.core.lift_reports import gradients_in_users_terms, noted, of_pair, tangents_in_users_terms
from perspicax.flax.core.packing import Groups, named_as, pack
from perspicax.flax.core.scopes import Scope
from perspicax.flax.error_base import article, listed
from perspicax.flax.tree_errors import LiftError

__all__ = ["custom_vjp", "jvp", "value_and_grad", "vjp"]


def _with_aux(result: Any, has_aux: bool, fn: Callable[..., Any]) -> tuple[Any, Any]:
    return of_pair(result, fn) if has_aux else (result, None)


def vjp(fn: Callable[..., Any], scope: Any, *primals: Any, has_aux: bool = False, reduce_axes: Sequence[str] = (),
        vjp_variables: CollectionFilter = "params", variables: CollectionFilter = True,
        rngs: PRNGSequenceFilter = True) -> Any:
    """As `jax.vjp`, of a function of a scope.

    Args:
        fn: takes a scope (or a pytree of scopes) and arguments.
        scope: the scope.
        *primals: the arguments.
        has_aux: whether `fn` returns a pair of a result and of values without derivative.
        reduce_axes: accepted, as in Flax; it must be empty.
        vjp_variables: the collections to differentiate with respect to.
        variables: the other collections that `fn` uses, and the ones it may change.
        rngs: the streams of random keys that it uses.

    Returns:
        (result, pullback), and the values without derivative if `has_aux`. The pullback takes a cotangent of the result
        and returns the cotangents of the variables, for each scope a dict of collections, and of each argument.

    >>> y, pullback = vjp(dense, scope, x)
    >>> variables_bar, x_bar = pullback(jnp.ones_like(y))
    """
    _no_reduce_axes(reduce_axes)
    structure = tree_util.tree_structure(scope)

    def differentiated(enter: Any, leave: Any, variables: Groups, rngs: Groups, *args: Any) -> Any:
        moving, still = variables

        @named_as(fn, "variables")
        def inner(moving: Any, *args: Any) -> Any:
            inside = enter((moving, still), rngs)
            result, aux = _with_aux(fn(inside, *args), has_aux, fn)
            return result, (aux, leave(inside))

        result, pullback, (aux, changed) = jax.vjp(inner, moving, *args, has_aux=True)
        outer = _Pullback(pullback, structure)
        return ((result, outer, aux) if has_aux else (result, outer)), changed

    return pack(differentiated, (vjp_variables, variables), (variables,), (rngs,), name="vjp")(scope, *primals)


class _Pullback(struct.PyTreeNode):
    """A pullback whose cotangents of variables are by scopes. It is a pytree, so that it can be a residual."""

    pullback: Any
    structure: Any = struct.field(pytree_node=False)

    def __call__(self, cotangent: Any) -> tuple[Any, ...]:
        of_variables, *of_args = self.pullback(cotangent)
        # Of several scopes, those that lie in others have their variables there.
        whole = of_variables
        if len(of_variables) == self.structure.num_leaves:
            whole = tree_util.tree_unflatten(self.structure, of_variables)
        return (whole, *of_args)


def _no_reduce_axes(reduce_axes: Sequence[str]) -> None:
    if reduce_axes:
        raise LiftError(says=f"`reduce_axes` is {tuple(reduce_axes)!r}, but must be empty.",
                        why="JAX has taken this argument away; sums over a mapped axis are written as `jax.lax.psum`")


def value_and_grad(fn: Callable[..., Any], scope: Any, *primals: Any, has_aux: bool = False,
                   reduce_axes: Sequence[str] = (), variables: CollectionFilter = True,
                   rngs: PRNGSequenceFilter = True) -> Any:
    """As `jax.value_and_grad`, of a function of a scope, with respect to all arguments.

    Args:
        fn: takes a scope (or a pytree of scopes) and arguments, and returns a number.
        scope: the scope.
        *primals: the arguments.
        has_aux: whether `fn` returns a pair of a number and of values without derivative.
        reduce_axes: accepted, as in Flax; it must be empty.
        variables: the collections that `fn` uses, and may change.
        rngs: the streams of random keys that it uses.

    Returns:
        (number, gradients), or (number, values without derivative, gradients) if `has_aux`; a gradient for each argument.
    """
    return gradients("value_and_grad", fn, scope, primals, has_aux=has_aux, reduce_axes=reduce_axes, variables=variables,
                     rngs=rngs)


def gradients(transform: str, fn: Callable[..., Any], scope: Any, primals: Sequence[Any], *, has_aux: bool,
              reduce_axes: Sequence[str], variables: CollectionFilter, rngs: PRNGSequenceFilter) -> Any:
    """`value_and_grad`; `transform` is what the user called, for reports."""
    _no_reduce_axes(reduce_axes)

    def differentiated(enter: Any, leave: Any, variables: Groups, rngs: Groups, *args: Any) -> Any:
        passing: list[PerspicaxError] = []  # errors of what `fn` does

        @named_as(fn)
        def inner(*args: Any) -> Any:
            inside = enter(variables, rngs)
            with noted(passing):
                returned = fn(inside, *args)
            result, aux = _with_aux(returned, has_aux, fn)
            return result, (aux, leave(inside))

        numbers = tuple(range(len(args)))
        with gradients_in_users_terms(transform, passing):
            (result, (aux, changed)), found = jax.value_and_grad(inner, argnums=numbers, has_aux=True)(*args)
        return ((result, aux, found) if has_aux else (result, found)), changed

    return pack(differentiated, (variables,), (variables,), (rngs,), name=transform)(scope, *primals)


def jvp(fn: Callable[..., Any], scope: Scope, primals: Any, tangents: Any, variable_tangents: Any,
        variables: CollectionFilter = True, rngs: PRNGSequenceFilter = True) -> tuple[Any, Any]:
    """As `jax.jvp`, of a function of a scope.

    Args:
        fn: takes a scope (or a pytree of scopes) and arguments.
        scope: the scope.
        primals: the arguments.
        tangents: their tangents.
        variable_tangents: for each scope the tangents of its variables, a dict of collections; variables of other
            collections do not move.
        variables: the other collections that `fn` uses, and the ones it may change.
        rngs: the streams of random keys that it uses.

    Returns:
        (result, its tangent).

    Raises:
        LiftError: primals or tangents are no tuples; or there are tangents of a collection that no scope has.
        TangentError: a tangent does not fit.
    """
    for name, each in (("primals", primals), ("tangents", tangents)):
        if not isinstance(each, (tuple, list)):
            raise LiftError(says=f"`{name}` of a lifted `jvp` is {article(each)}, but must be a tuple.",
                            why="there is one entry for each argument after the scope or module; for one argument write `(x,)`")
    structure = tree_util.tree_structure(scope)
    of_scopes = tuple(structure.flatten_up_to(variable_tangents))
    moving_collections = {col for each in of_scopes for col, tangent in each.items() if tree_util.tree_leaves(tangent)}

    def differentiated(enter: Any, leave: Any, variables: Groups, rngs: Groups, *args: Any) -> Any:
        moving, still = variables
        passing: list[PerspicaxError] = []  # errors of what `fn` does

        @named_as(fn, signature=False)
        def inner(moving: Any, args: Any) -> Any:
            inside = enter((moving, still), rngs)
            with noted(passing):
                result = fn(inside, *args)
            return result, leave(inside)

        _check_collections(moving_collections, moving)
        given = tuple([{col: each[col] if col in each else tree_util.tree_map(_no_tangent, value) for col, value in own.items()}
                       for each, own in zip(of_scopes, moving, strict=True)])
        with tangents_in_users_terms(fn, (moving, args), (given, tuple(tangents)), passing):
            result, tangent, changed = jax.jvp(inner, (moving, args), (given, tuple(tangents)), has_aux=True)
        return (result, tangent), changed

    lifted = pack(differentiated, (moving_collections, variables), (variables,), (rngs,), name="jvp")
    return lifted(scope, *primals)


def _check_collections(named: set[str], moving: Sequence[Any]) -> None:
    known = {col for own in moving for col in own}
    for col in sorted(named - known):
        raise LiftError(says=f"`variable_tangents` of `jvp` has tangents of the collection {col!r}, of which there are no "
                             "variables.",
                        why="a tangent belongs to a variable that exists" + (
                            f"; of the collections named there are variables of {listed(sorted(known))}" if known else ""))


def _no_tangent(x: Any) -> Any:
    """The tangent of a variable that does not move."""
    dtype = x.dtype if jax.dtypes.issubdtype(x.dtype, np.inexact) else jax.dtypes.float0
    return np.zeros(x.shape, dtype)


def custom_vjp(fn: Callable[..., Any], forward_fn: Callable[..., Any], backward_fn: Callable[..., Any],
               grad_vars: CollectionFilter = "params", nondiff_argnums: Sequence[int] = ()) -> Callable[..., Any]:
    """As `jax.custom_vjp`, for a function of a scope.

    Args:
        fn: takes a scope (or a pytree of scopes) and arguments.
        forward_fn: takes the same, returns a result and residuals; `vjp` may make both.
        backward_fn: takes the arguments of `nondiff_argnums`, the residuals and a cotangent of the result; returns the
            cotangents of the variables of `grad_vars`, for each scope a dict of collections, and of each argument.
        grad_vars: the collections that have cotangents.
        nondiff_argnums: numbers of arguments without derivative; the scope is number 0.

    Returns:
        A function of the same arguments as `fn`.

    Raises:
        LiftError: `nondiff_argnums` names the scope.
    """
    fixed = tuple(sorted(nondiff_argnums))
    if any(number < 1 for number in fixed):
        raise LiftError(says=f"`nondiff_argnums` of `custom_vjp` is {fixed!r}, but argument 0 is the scope.",
                        why="the arguments after the scope have the numbers 1, 2, ...; which variables have derivatives is "
                            "said by `grad_vars`")

    def ruled(structure: Any) -> Callable[..., Any]:
        def call(enter: Any, leave: Any, variables: Groups, rngs: Groups, *args: Any) -> Any:
            moving, still = variables

            def run(function: Callable[..., Any], moving: Any, still: Any, rngs: Groups, args: Any) -> Any:
                inside = enter((moving, still), rngs)
                return function(inside, *args), leave(inside)

            # The variables and keys that have no cotangents are arguments too: they may be tracers of a derivative.
            @named_as(fn, signature=False)  # `jax.custom_vjp` binds arguments by it
            def inner(moving: Any, still: Any, rngs: Groups, *args: Any) -> Any:
                return run(fn, moving, still, rngs, args)

            def forward(moving: Any, still: Any, rngs: Groups, *args: Any) -> Any:
                (result, residuals), changed = run(forward_fn, moving, still, rngs, args)
                return (result, changed), residuals

            def backward(*given: Any) -> tuple[Any, ...]:
                *constants, residuals, (cotangent, _) = given
                of_variables, *of_args = backward_fn(*constants, residuals, cotangent)
                of_scopes = tuple(structure.flatten_up_to(of_variables))
                return (of_scopes, None, None, *of_args)

            rule = jax.custom_vjp(inner, nondiff_argnums=tuple([n + 2 for n in fixed]))
            rule.defvjp(forward, backward)
            return rule(moving, still, rngs, *args)

        return call

    def lifted(scope: Any, *args: Any, **kwargs: Any) -> Any:
        call = ruled(tree_util.tree_structure(scope))
        return pack(call, (grad_vars, True), (grad_vars, True), (True,), name="custom_vjp")(scope, *args, **kwargs)

    return lifted
