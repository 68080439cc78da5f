"""Lifted transformations that map over axes: `vmap`, `scan`, `remat_scan`."""
from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import wraps
from typing import Any

import perspicax as jax
from perspicax import random, tree_util
from perspicax.diagnose import Fix
from perspicax.diagnose.errors import PerspicaxError
from perspicax.flax.core import meta
from perspicax.flax.core.axes_scan import broadcast
from perspicax.flax.core.axes_scan import scan as scan_axes
from perspicax.flax.core.filters import CollectionFilter, PRNGSequenceFilter
from perspicax.flax.core.lift_reports import axes_in_users_terms, in_users_terms, noted
from perspicax.flax.core.lift_stages import remat
from perspicax.flax.core.packing import Groups, named_as, pack, tree_map_rngs
from perspicax.flax.core.scopes import Scope
from perspicax.flax.error_base import article
from perspicax.flax.tree_errors import LiftError
from perspicax.flax.typing import In, InOutAxis, InOutScanAxis, Out

__all__ = ["remat_scan", "scan", "vmap"]


def _in_and_out(axes: Mapping[CollectionFilter, Any]) -> tuple[dict[Any, Any], dict[Any, Any]]:
    """The axes of collections on the way in, and on the way out."""
    taken = {key: axis.axis if isinstance(axis, In) else axis for key, axis in axes.items() if not isinstance(axis, Out)}
    given = {key: axis.axis if isinstance(axis, Out) else axis for key, axis in axes.items() if not isinstance(axis, In)}
    return taken, given


def _with_axis(change: Callable[[Any, int, dict[Any, Any]], Any], groups: Groups, axes: Sequence[Any],
               params: dict[Any, Any]) -> Groups:
    """Groups whose boxes know of an axis that is added or taken away, where there is one."""
    return tuple([change(group, axis, params) if isinstance(axis, int) else group
                  for group, axis in zip(groups, axes, strict=True)])


def _sizes(tree: Any, axes: Any, transform: str) -> set[int]:
    """The sizes of the leaves of a tree along their axes, which are given for the tree or for parts of it."""
    def none(x: Any) -> bool:  # an argument that is left out stands as None, and has an axis all the same
        return x is None

    try:
        spread = tree_util.tree_broadcast(axes, tree, is_leaf=none)
    except PerspicaxError as error:
        if hasattr(error, "prefix_name"):
            error.function, error.prefix_name, error.full_name = transform, "in_axes", "args"  # type: ignore[attr-defined]
        raise
    found = zip(tree_util.tree_leaves(tree, is_leaf=none), tree_util.tree_leaves(spread, is_leaf=none), strict=True)
    sizes = [(jax.numpy.shape(leaf), axis) for leaf, axis in found if axis is not None and leaf is not None]
    return {shape[axis] for shape, axis in sizes if -len(shape) <= axis < len(shape)}  # of others `jax.vmap` tells


def _axes_of_each(in_axes: Any, args: tuple[Any, ...], transform: str) -> tuple[Any, ...]:
    """For each argument its axis, or the axes of its parts.

    Raises:
        LiftError: there are more or fewer.
    """
    if not isinstance(in_axes, (tuple, list)):
        return tuple([in_axes] * len(args))
    if len(in_axes) != len(args):
        besides = "the module and the carry are" if transform == "scan" else "the module is"
        raise LiftError(says=f"`in_axes` of {transform} has {len(in_axes)} entr{'y' if len(in_axes) == 1 else 'ies'}, but "
                             f"{len(args)} argument{'' if len(args) == 1 else 's'} came.",
                        why=f"it has one for each argument; {besides} not counted, nor is what is given by keyword")
    return tuple(in_axes)


def _pair(found: Any) -> tuple[Any, Any]:
    """What a step of a loop returns.

    Raises:
        LiftError: it is no pair.
    """
    if isinstance(found, (tuple, list)) and len(found) == 2:
        return found[0], found[1]
    what = f"{len(found)} values" if isinstance(found, (tuple, list)) else article(found)
    raise LiftError(says=f"The body of a lifted scan returned {what}.",
                    why="a step returns a pair: the carry for the next step, and the outputs of this one, which are stacked",
                    fixes=(Fix("return None beside the carry where there are no outputs", code="return carry, None"),))


def vmap(fn: Callable[..., Any], variable_axes: Mapping[CollectionFilter, InOutAxis],
         split_rngs: Mapping[PRNGSequenceFilter, bool], in_axes: Any = 0, out_axes: Any = 0, axis_size: int | None = None,
         axis_name: str | None = None, spmd_axis_name: str | None = None,
         metadata_params: dict[Any, Any] = {}) -> Callable[..., Any]:  # noqa: B006  (the signature is Flax's; never changed)
    """As `jax.vmap`, of a function of a scope.

    Args:
        fn: takes a scope and arguments.
        variable_axes: for each filter of collections the axis of the variables that belongs to the mapped one; `None`
            shares the variables. `In` and `Out` hold in one direction alone. Collections that are not named are not there.
        split_rngs: for each filter of streams whether each entry gets keys of its own. Streams that are not named are not
            there.
        in_axes: as for `jax.vmap`.
        out_axes: as for `jax.vmap`.
        axis_size: the size of the mapped axis; needed where nothing is mapped.
        axis_name: as for `jax.vmap`.
        spmd_axis_name: as for `jax.vmap`.
        metadata_params: what boxes of variables are told about the axis, e.g. its name.

    Returns:
        A function of the same arguments, for batches of them.

    Raises:
        LiftError: nothing is mapped, and `axis_size` is not given.
    """
    taken, given = _in_and_out(variable_axes)
    taken_axes, given_axes = tuple(taken.values()), tuple(given.values())
    splits = tuple(split_rngs.values())
    rng_axes = tuple([0 if split else None for split in splits])

    def mapped(enter: Any, leave: Any, variables: Groups, rngs: Groups, *args: Any) -> Any:
        axes = _axes_of_each(in_axes, args, "vmap")
        size = axis_size
        if size is None:
            sizes = _sizes(variables, taken_axes, "vmap") | _sizes(args, axes, "vmap")
            if not sizes:
                raise LiftError(says="`vmap` was given nothing to map over, and no `axis_size`.",
                                why="the size of the mapped axis comes from the arguments and variables that have it",
                                fixes=(Fix(code="vmap(..., axis_size=10)"),))
            size = min(sizes)  # where there are several, `jax.vmap` says so
        keys = tuple([tree_map_rngs(lambda key: random.split(key, size), group) if split else group
                      for group, split in zip(rngs, splits, strict=True)])

        passing: list[PerspicaxError] = []  # errors of what `fn` does

        @named_as(fn, signature=False)
        def inner(variables: Groups, keys: Groups, args: Any) -> Any:
            scope = enter(_with_axis(meta.remove_axis, variables, taken_axes, metadata_params), keys)
            with noted(passing):
                result = fn(scope, *args)
            return result, _with_axis(meta.add_axis, leave(scope), given_axes, metadata_params)

        over = jax.vmap(inner, in_axes=(taken_axes, rng_axes, axes), out_axes=(out_axes, given_axes), axis_size=size,
                        axis_name=axis_name, spmd_axis_name=spmd_axis_name)
        with axes_in_users_terms(fn, in_axes, out_axes, passing):
            return over(variables, keys, args)

    return pack(mapped, tuple(taken), tuple(given), tuple(split_rngs), name="vmap")


def scan(fn: Callable[..., Any], variable_axes: Mapping[CollectionFilter, InOutScanAxis] = {},
         variable_broadcast: CollectionFilter = False, variable_carry: CollectionFilter = False,
         split_rngs: Mapping[PRNGSequenceFilter, bool] = {}, in_axes: Any = 0, out_axes: Any = 0,
         length: int | None = None, reverse: bool = False, unroll: int = 1, _split_transpose: bool = False,
         data_transform: Callable[..., Any] | None = None, metadata_params: dict[Any, Any] = {},  # noqa: B006
         check_constancy_invariants: bool = True) -> Callable[..., Any]:
    """As `jax.lax.scan`, of a function of a scope.

    Args:
        fn: takes a scope, the carry and slices of the arguments; returns the carry and results.
        variable_axes: for each filter of collections the axis of the variables along which the steps lie.
        variable_broadcast: the collections that are the same in each step.
        variable_carry: the collections that go from step to step.
        split_rngs: for each filter of streams whether each step gets keys of its own.
        in_axes: for the arguments, or parts of them, the axis to loop over, or `broadcast`.
        out_axes: for the results, or parts of them, the axis along which they are stacked, or `broadcast`.
        length: the number of steps; needed where nothing is looped over.
        reverse: whether to begin at the end.
        unroll: how many steps to unroll.
        _split_transpose: as for `jax.lax.scan`.
        data_transform: takes the groups of variables and of keys of a step, on their way in, and returns them changed.
        metadata_params: what boxes of variables are told about the axis, e.g. its name.
        check_constancy_invariants: whether `fn` is traced a second time for the loop itself.

    Returns:
        A function of a scope, the carry and arguments, which returns the last carry and the results.

    Raises:
        LiftError: there is no length, or what shall be the same in each step is not.
    """
    taken, given = _in_and_out(variable_axes)
    taken_axes, given_axes = tuple(taken.values()), tuple(given.values())
    splits = tuple(split_rngs.values())
    rng_axes = tuple([0 if split else broadcast for split in splits])

    def looped(enter: Any, leave: Any, variables: Groups, rngs: Groups, carry: Any, *args: Any) -> Any:
        axes = _axes_of_each(in_axes, args, "scan")
        shared, carried, stepped = variables[0], variables[1], variables[2:]
        size = length if length is not None else _length(args, axes, stepped, taken_axes)
        keys = tuple([tree_map_rngs(lambda key: random.split(key, size), group) if split else group
                      for group, split in zip(rngs, splits, strict=True)])

        given_shared = shared

        def step(shared: Any, carry: Any, stepped: Groups, keys: Groups, args: Any) -> Any:
            carried, value = carry
            # In the loop `shared` is what a first trace made: collections that may not change are not among it.
            shared = tuple([{**held, **made} for held, made in zip(given_shared, shared, strict=True)])
            own = _with_axis(meta.remove_axis, stepped, taken_axes, metadata_params)
            groups: Any = (shared, carried, *own)
            if data_transform is not None:
                groups, keys = data_transform(groups, keys)
            scope = enter(groups, keys)
            value, results = _pair(fn(scope, value, *args))
            shared, carried, *own = leave(scope)
            return shared, (carried, value), (_with_axis(meta.add_axis, tuple(own), given_axes, metadata_params), results)

        loop = scan_axes(step, in_axes=(taken_axes, rng_axes, axes), out_axes=(given_axes, out_axes), length=size,
                         reverse=reverse, unroll=unroll, _split_transpose=_split_transpose,
                         check_constancy_invariants=check_constancy_invariants)
        with in_users_terms(1, {"f": fn}, carry=True):
            shared, (carried, carry), (stepped, results) = loop(shared, (carried, carry), stepped, keys, args)
        return (carry, results), (shared, carried, *stepped)

    return pack(looped, (variable_broadcast, variable_carry, *taken), (variable_broadcast, variable_carry, *given),
                tuple(split_rngs), name="scan")


def _length(args: Any, axes: Any, stepped: Groups, taken_axes: Any) -> int:
    def ints(axes: Any) -> Any:
        return tree_util.tree_map(lambda axis: None if axis is broadcast else axis, axes, is_leaf=lambda x: x is broadcast)

    sizes = _sizes(args, ints(axes), "scan") | _sizes(stepped, ints(taken_axes), "scan")
    if not sizes:
        raise LiftError(says="`scan` was given nothing to loop over, and no `length`.",
                        why="the number of steps is the size of the axes that are looped over, or `length`",
                        fixes=(Fix("say how many steps there are", code="scan(..., length=10)"),))
    if len(sizes) > 1:
        raise LiftError(says=f"`scan` was given values with different sizes of the axes to loop over: "
                             f"{', '.join(map(str, sorted(sizes)))}.",
                        why="each step takes one slice of each; `in_axes` and `variable_axes` name the axes",
                        fixes=(Fix("give what is the same in each step whole", code="scan(..., in_axes=(0, nn.broadcast))"),))
    return sizes.pop()


def remat_scan(body_fn: Callable[..., Any], lengths: Sequence[int], policy: Callable[..., bool] | None = None,
               variable_broadcast: CollectionFilter = False, variable_carry: CollectionFilter = False,
               variable_axes: Mapping[CollectionFilter, InOutScanAxis] = {True: 0},
               split_rngs: Mapping[PRNGSequenceFilter, bool] = {True: True}) -> Callable[..., Any]:
    """Loops in loops whose steps are recomputed for the derivative, so that memory grows with the sum of the lengths.

    Args:
        body_fn: takes a scope and the carry, returns the carry.
        lengths: the number of steps of each loop, from the outermost; the steps in all are their product.
        policy: which results to keep, as for `jax.checkpoint`.
        variable_broadcast: the collections that are the same in each step.
        variable_carry: the collections that go from step to step.
        variable_axes: as for `scan`; variables get an axis for each loop.
        split_rngs: as for `scan`.

    Returns:
        A function of a scope and the carry, which returns the last carry.
    """
    options: dict[str, Any] = {"variable_broadcast": variable_broadcast, "variable_carry": variable_carry,
                               "variable_axes": variable_axes, "split_rngs": split_rngs}
    if not lengths:
        raise LiftError(says="`remat_scan` was given no lengths.", why="there is one for each loop, the number of its steps",
                        fixes=(Fix("say how many steps there are", code="lengths=(10, 100)"),))
    inner = body_fn if len(lengths) == 1 else remat_scan(body_fn, lengths[1:], policy, **options)
    step = remat(inner, policy=policy, prevent_cse=False)
    loop = scan(lambda scope, carry: (step(scope, carry), ()), length=lengths[0], **options)

    @wraps(body_fn)
    def looped(scope: Scope, carry: Any) -> Any:
        return loop(scope, carry)[0]

    return looped
