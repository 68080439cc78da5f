"""Lifted control flow: `while_loop`, `cond`, `switch`."""
from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

from perspicax import lax, random
from perspicax.flax.core.filters import CollectionFilter, PRNGSequenceFilter
from perspicax.flax.core.lift_reports import in_users_terms
from perspicax.flax.core.packing import Groups, named_as, pack, tree_map_rngs
from perspicax.flax.core.scopes import Scope

__all__ = ["cond", "switch", "while_loop"]

C = TypeVar("C")


def while_loop(cond_fn: Callable[[Scope, C], Any], body_fn: Callable[[Scope, C], C], scope: Scope, init: C,
               carry_variables: CollectionFilter = False, broadcast_variables: CollectionFilter = True,
               split_rngs: Mapping[PRNGSequenceFilter, bool] = {}) -> C:
    """As `jax.lax.while_loop`, with functions of a scope.

    Args:
        cond_fn: takes a scope and the carry, says whether to go on; it may change no variable.
        body_fn: takes a scope and the carry, returns the next carry.
        scope: the scope, or a pytree of scopes.
        init: the first carry.
        carry_variables: the collections that go from step to step; they exist before the loop.
        broadcast_variables: the collections that are the same in each step.
        split_rngs: for each filter of streams whether each step gets keys of its own. Streams that are not named are not
            there.

    Returns:
        The last carry.
    """
    splits = tuple(split_rngs.values())

    def looped(enter: Any, leave: Any, variables: Groups, rngs: Groups, carry: Any) -> Any:
        carried, shared = variables

        def keys_of(step: Any) -> Groups:
            return tuple([tree_map_rngs(lambda key: random.fold_in(key, step), group) if split else group
                          for group, split in zip(rngs, splits, strict=True)])

        def goes_on(state: Any) -> Any:
            step, carried, carry = state
            return cond_fn(enter((carried, shared), keys_of(step), False), carry)

        def body(state: Any) -> Any:
            step, carried, carry = state
            inside = enter((carried, shared), keys_of(step))
            carry = body_fn(inside, carry)
            (carried,) = leave(inside)
            return step + 1, carried, carry

        goes_on.__name__ = getattr(cond_fn, "__name__", "cond_fn")
        with in_users_terms(2, {"body_fun": body_fn}, carry=True):
            _, carried, carry = lax.while_loop(goes_on, body, (0, carried, carry))
        return carry, (carried,)

    return pack(looped, (carry_variables, broadcast_variables), (carry_variables,), tuple(split_rngs),
                name="while_loop")(scope, init)


def _branch(fn: Callable[..., Any], enter: Any, leave: Any) -> Callable[..., Any]:
    @named_as(fn, "variables", "rngs")
    def branch(variables: Groups, rngs: Groups, *operands: Any) -> Any:
        inside = enter(variables, rngs)
        result = fn(inside, *operands)
        return result, leave(inside)

    return branch


def cond(pred: Any, true_fun: Callable[..., C], false_fun: Callable[..., C], scope: Scope, *operands: Any,
         variables: CollectionFilter = True, rngs: PRNGSequenceFilter = True) -> C:
    """As `jax.lax.cond`, with functions of a scope.

    Args:
        pred: which of the functions to run.
        true_fun: takes a scope and the operands.
        false_fun: the same; it makes the same variables.
        scope: the scope, or a pytree of scopes.
        *operands: further arguments.
        variables: the collections that they use, and may change.
        rngs: the streams of random keys that they use.

    Returns:
        The result of the function that ran.
    """
    def branched(enter: Any, leave: Any, variables: Groups, rngs: Groups, *operands: Any) -> Any:
        with in_users_terms(0, {"true_fun": true_fun, "false_fun": false_fun}):
            return lax.cond(pred, _branch(true_fun, enter, leave), _branch(false_fun, enter, leave), variables, rngs,
                            *operands)

    return pack(branched, (variables,), (variables,), (rngs,), name="cond")(scope, *operands)


def switch(index: Any, branches: Sequence[Callable[..., C]], scope: Scope, *operands: Any,
           variables: CollectionFilter = True, rngs: PRNGSequenceFilter = True) -> C:
    """As `jax.lax.switch`, with functions of a scope.

    Args:
        index: the number of the function to run.
        branches: functions of a scope and the operands; all make the same variables.
        scope: the scope, or a pytree of scopes.
        *operands: further arguments.
        variables: the collections that they use, and may change.
        rngs: the streams of random keys that they use.

    Returns:
        The result of the function that ran.
    """
    def branched(enter: Any, leave: Any, variables: Groups, rngs: Groups, *operands: Any) -> Any:
        with in_users_terms(0, {f"branches[{i}]": fn for i, fn in enumerate(branches)}):
            return lax.switch(index, [_branch(fn, enter, leave) for fn in branches], variables, rngs, *operands)

    return pack(branched, (variables,), (variables,), (rngs,), name="switch")(scope, *operands)
