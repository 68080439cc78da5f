"""Transformations of module classes, methods and functions of modules: `flax.linen.transforms`."""
from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import perspicax as jax
from perspicax.flax.core import lift
from perspicax.flax.core.frozen_dict import FrozenDict
from perspicax.flax.core.lift import CollectionFilter, PRNGSequenceFilter
from perspicax.flax.linen.lifting import Methods, lift_target
from perspicax.flax.linen.module_state import running
from perspicax.flax.linen.transform_calls import cond as cond
from perspicax.flax.linen.transform_calls import custom_vjp as custom_vjp
from perspicax.flax.linen.transform_calls import grad as grad
from perspicax.flax.linen.transform_calls import jvp as jvp
from perspicax.flax.linen.transform_calls import switch as switch
from perspicax.flax.linen.transform_calls import value_and_grad as value_and_grad
from perspicax.flax.linen.transform_calls import vjp as vjp
from perspicax.flax.linen.transform_calls import while_loop as while_loop
from perspicax.flax.traceback_util import api_boundary
from perspicax.flax.typing import InOutAxis, InOutScanAxis

__all__ = [
    "add_metadata_axis", "checkpoint", "cond", "custom_vjp", "fold_rngs", "grad", "jit", "jvp", "map_variables", "named_call",
    "remat", "remat_scan", "scan", "switch", "value_and_grad", "vjp", "vmap", "while_loop",
]

_NONE: Mapping[Any, Any] = FrozenDict({})


@api_boundary
def vmap(target: Any, variable_axes: Mapping[CollectionFilter, InOutAxis] = _NONE,
         split_rngs: Mapping[PRNGSequenceFilter, bool] = _NONE, in_axes: Any = 0, out_axes: Any = 0,
         axis_size: int | None = None, axis_name: str | None = None, spmd_axis_name: str | None = None,
         metadata_params: Mapping[Any, Any] = _NONE, methods: Methods = None) -> Any:
    """As `jax.vmap`, of modules.

    Args:
        target: a class of modules, a method, or a function whose first argument is a module.
        variable_axes: for each filter of collections the axis of the variables that belongs to the mapped one; `None`
            shares the variables. Collections that are not named are not there.
        split_rngs: for each filter of streams whether each entry gets keys of its own. Streams that are not named are not
            there.
        in_axes: as for `jax.vmap`, without the module.
        out_axes: as for `jax.vmap`.
        axis_size: the size of the mapped axis; needed where nothing is mapped.
        axis_name: as for `jax.vmap`.
        spmd_axis_name: as for `jax.vmap`.
        metadata_params: what boxes of variables are told about the axis.
        methods: of a class the methods to transform, `__call__` by default; a mapping gives options for each.

    Returns:
        A class or function like `target`, for batches.

    >>> heads = nn.vmap(nn.Dense, variable_axes={"params": 0}, split_rngs={"params": True})(features=4)
    """
    return lift_target("vmap", lift.vmap, target, methods, {
        "variable_axes": variable_axes, "split_rngs": split_rngs, "in_axes": in_axes, "out_axes": out_axes,
        "axis_size": axis_size, "axis_name": axis_name, "spmd_axis_name": spmd_axis_name,
        "metadata_params": metadata_params})


@api_boundary
def scan(target: Any, variable_axes: Mapping[CollectionFilter, InOutScanAxis] = _NONE,
         variable_broadcast: CollectionFilter = False, variable_carry: CollectionFilter = False,
         split_rngs: Mapping[PRNGSequenceFilter, bool] = _NONE, in_axes: Any = 0, out_axes: Any = 0,
         length: int | None = None, reverse: bool = False, unroll: int = 1,
         data_transform: Callable[..., Any] | None = None, metadata_params: Mapping[Any, Any] = _NONE,
         methods: Methods = None, _split_transpose: bool = False, check_constancy_invariants: bool = True) -> Any:
    """As `jax.lax.scan`, of modules: a layer that is applied along an axis, or layer upon layer.

    Args:
        target: a class of modules, a method, or a function whose first argument is a module. It takes a carry and slices
            of the arguments, and returns a carry and results.
        variable_axes: for each filter of collections the axis of the variables along which the steps lie.
        variable_broadcast: the collections that are the same in each step.
        variable_carry: the collections that go from step to step.
        split_rngs: for each filter of streams whether each step gets keys of its own.
        in_axes: for the arguments after the carry the axis to loop over, or `nn.broadcast`.
        out_axes: for the results the axis along which they are stacked, or `nn.broadcast`.
        length: the number of steps; needed where nothing is looped over.
        reverse: whether to begin at the end.
        unroll: how many steps to unroll.
        data_transform: takes the groups of variables and of keys of a step, and returns them changed.
        metadata_params: what boxes of variables are told about the axis.
        methods: as for `vmap`.
        _split_transpose: as for `jax.lax.scan`.
        check_constancy_invariants: whether the target is traced a second time for the loop itself.

    Returns:
        A class or function, which takes a carry and arguments and returns the last carry and the results.

    >>> layers = nn.scan(Block, variable_axes={"params": 0}, split_rngs={"params": True}, length=12)()
    >>> x, _ = layers(x, None)
    """
    return lift_target("scan", lift.scan, target, methods, {
        "variable_axes": variable_axes, "variable_broadcast": variable_broadcast, "variable_carry": variable_carry,
        "split_rngs": split_rngs, "in_axes": in_axes, "out_axes": out_axes, "length": length, "reverse": reverse,
        "unroll": unroll, "data_transform": data_transform, "metadata_params": metadata_params,
        "_split_transpose": _split_transpose, "check_constancy_invariants": check_constancy_invariants})


@api_boundary
def jit(target: Any, variables: CollectionFilter = True, rngs: PRNGSequenceFilter = True,
        static_argnums: int | Iterable[int] = (), static_argnames: str | Iterable[str] = (),
        donate_argnums: int | Iterable[int] = (), device: Any = None, backend: str | None = None,
        methods: Methods = None) -> Any:
    """As `jax.jit`, of modules: those that are equal but for their names share one program.

    Args:
        target: a class of modules, a method, or a function whose first argument is a module.
        variables: the collections that it uses, and may change.
        rngs: the streams of random keys that it uses.
        static_argnums: numbers of static arguments; the module is number 0.
        static_argnames: names of static arguments.
        donate_argnums: numbers of arguments whose memory may be used for results; the module is number 0.
        device: as for `jax.jit`.
        backend: as for `jax.jit`.
        methods: as for `vmap`.

    Returns:
        A class or function like `target`. The random keys in it do not depend on the module's name, as in Flax.
    """
    return lift_target("jit", lift.jit, target, methods, {
        "variables": variables, "rngs": rngs, "static_argnums": static_argnums, "static_argnames": static_argnames,
        "donate_argnums": donate_argnums, "device": device, "backend": backend}, cached=True)


@api_boundary
def remat(target: Any, variables: CollectionFilter = True, rngs: PRNGSequenceFilter = True, concrete: bool = False,
          prevent_cse: bool = True, static_argnums: int | tuple[int, ...] = (),
          policy: Callable[..., bool] | None = None, methods: Methods = None) -> Any:
    """As `jax.checkpoint`, of modules: for the derivative they are computed a second time, instead of kept in memory.

    Args:
        target: a class of modules, a method, or a function whose first argument is a module.
        variables: the collections that it uses, and may change.
        rngs: the streams of random keys that it uses.
        concrete: accepted; it has no effect.
        prevent_cse: as for `jax.checkpoint`; `False` within `scan` is faster.
        static_argnums: numbers of static arguments; the module is number 0.
        policy: which results to keep, as for `jax.checkpoint`.
        methods: as for `vmap`.

    Returns:
        A class or function like `target`.
    """
    numbers = (static_argnums,) if isinstance(static_argnums, int) else tuple(static_argnums)
    return lift_target("remat", lift.remat, target, methods, {
        "variables": variables, "rngs": rngs, "concrete": concrete, "prevent_cse": prevent_cse,
        "static_argnums": tuple([n - 1 for n in numbers if n > 0]), "policy": policy}, prefix="Checkpoint")


checkpoint = remat


@api_boundary
def remat_scan(target: Any, lengths: Sequence[int] | None = (), policy: Callable[..., bool] | None = None,
               variable_broadcast: CollectionFilter = False, variable_carry: CollectionFilter = False,
               variable_axes: Mapping[CollectionFilter, InOutScanAxis] = FrozenDict({True: 0}),
               split_rngs: Mapping[PRNGSequenceFilter, bool] = FrozenDict({True: True})) -> Any:
    """Layer upon layer, in loops in loops whose steps are recomputed for the derivative.

    Args:
        target: a class of modules, a method, or a function whose first argument is a module. It takes a carry and returns
            one.
        lengths: the number of steps of each loop, from the outermost.
        policy: which results to keep, as for `jax.checkpoint`.
        variable_broadcast: the collections that are the same in each step.
        variable_carry: the collections that go from step to step.
        variable_axes: as for `scan`; variables get an axis for each loop.
        split_rngs: as for `scan`.

    Returns:
        A class or function like `target`. With lengths (10, 100) it is applied 1000 times, and the memory for the
        derivative is that of 110 steps.
    """
    return lift_target("remat_scan", lift.remat_scan, target, None, {
        "lengths": tuple(lengths or ()), "policy": policy, "variable_broadcast": variable_broadcast,
        "variable_carry": variable_carry, "variable_axes": variable_axes, "split_rngs": split_rngs})


@api_boundary
def map_variables(target: Any, mapped_collections: CollectionFilter = True,
                  trans_in_fn: Callable[..., Any] = lift.id_fn, trans_out_fn: Callable[..., Any] = lift.id_fn,
                  init: bool = False, mutable: bool = False, rngs: PRNGSequenceFilter = True,
                  variables: CollectionFilter = True, methods: Methods = None) -> Any:
    """Let modules see variables that are computed from those that are kept.

    Args:
        target: a class of modules, a method, or a function whose first argument is a module.
        mapped_collections: the collections that are mapped.
        trans_in_fn: takes the dict of these collections as they are kept, returns it as the target shall see it.
        trans_out_fn: the reverse; needed where variables are made or changed.
        init: whether the variables may be made. Then the target runs once more before, for what it makes.
        mutable: whether the target may change them.
        rngs: the streams of random keys that the target uses.
        variables: the other collections that it uses.
        methods: as for `vmap`.

    Returns:
        A class or function like `target`.
    """
    return lift_target("map_variables", lift.map_variables, target, methods, {
        "mapped_collections": mapped_collections, "map_in_fn": trans_in_fn, "map_out_fn": trans_out_fn, "init": init,
        "mutable": mutable, "rngs": rngs, "variables": variables})


@api_boundary
def add_metadata_axis(target: Any, variable_axes: Mapping[CollectionFilter, InOutAxis] = _NONE,
                      metadata_params: dict[Any, Any] = {}) -> Any:  # noqa: B006  (the signature is Flax's; never changed)
    """Let boxed variables of modules know of one more axis outside than inside.

    Args:
        target: a class of modules, a method, or a function whose first argument is a module.
        variable_axes: for each filter of collections where the axis is; `None` adds none.
        metadata_params: what the boxes are told about it, e.g. its name.

    Returns:
        A class or function like `target`. The values are not changed, only what the boxes know.
    """
    return lift_target("add_metadata_axis", lift.add_metadata_axis, target, None,
                       {"variable_axes": variable_axes, "metadata_params": metadata_params}, prefix="")


@api_boundary
def fold_rngs(target: Any, variables: CollectionFilter = True, rngs: PRNGSequenceFilter = True) -> Any:
    """Let modules draw the same random keys as under `nn.jit`.

    Args:
        target: a class of modules, a method, or a function whose first argument is a module.
        variables: the collections that it uses, and may change.
        rngs: the streams of random keys that it uses.

    Returns:
        A class or function like `target`.
    """
    return lift_target("fold_rngs", lift.fold_rngs, target, None, {"variables": variables, "rngs": rngs}, cached=True)


@api_boundary
def named_call(class_fn: Callable[..., Any], force: bool = True) -> Callable[..., Any]:
    """A method that runs in a `jax.named_scope` of its module's name, so that profiles show it.

    Args:
        class_fn: the method.
        force: whether also where `nn.disable_named_call` has switched that off.
    """
    @functools.wraps(class_fn)
    def named(self: Any, *args: Any, **kwargs: Any) -> Any:
        if self._state.in_setup or not (force or running.named_calls is not False):
            return class_fn(self, *args, **kwargs)
        name = getattr(class_fn, "__name__", "__call__")
        owner = self.name or type(self).__name__
        with jax.named_scope(owner if name == "__call__" else f"{owner}.{name}"):
            return class_fn(self, *args, **kwargs)

    return named
