"""Lifted transformations of variables themselves: `map_variables`, `swap_collection`, `add_metadata_axis`."""
from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from perspicax.flax.core import meta
from perspicax.flax.core.filters import CollectionFilter, PRNGSequenceFilter, subtract_filters
from perspicax.flax.core.packing import Groups, id_fn, pack

__all__ = ["add_metadata_axis", "map_variables", "swap_collection"]


def map_variables(fn: Callable[..., Any], mapped_collections: CollectionFilter, map_in_fn: Callable[..., Any] = id_fn,
                  map_out_fn: Callable[..., Any] = id_fn, init: bool = False, mutable: bool = False,
                  rngs: PRNGSequenceFilter = True, variables: CollectionFilter = True) -> Callable[..., Any]:
    """Let a function see variables that are computed from those that are kept.

    Args:
        fn: takes a scope (or a pytree of scopes) and arguments.
        mapped_collections: the collections that are mapped.
        map_in_fn: takes the dict of these collections as they are kept, returns it as `fn` shall see it.
        map_out_fn: the reverse.
        init: whether the variables may be made. Then `fn` runs once more before, for what it makes.
        mutable: whether `fn` may change them.
        rngs: the streams of random keys that `fn` uses.
        variables: the other collections that it uses.

    Returns:
        A function of the same arguments.
    """
    changes = init or mutable

    def mapped(enter: Any, leave: Any, variables: Groups, rngs: Groups, *args: Any, **kwargs: Any) -> Any:
        target, others = variables
        if init and not any(collection for own in target for collection in own.values()):
            inside = enter((target, others), rngs)
            fn(inside, *args, **kwargs)
            made, *_ = leave(inside)
            target = tuple([map_out_fn(own) for own in made])
        seen = tuple([map_in_fn(own) for own in target])
        inside = enter((seen, others), rngs, True if changes else subtract_filters(True, mapped_collections))
        result = fn(inside, *args, **kwargs)
        if not changes:
            return result, leave(inside)
        changed, rest = leave(inside)
        return result, (tuple([map_out_fn(own) for own in changed]), rest)

    inner = (mapped_collections, variables)
    outer = inner if changes else (subtract_filters(variables, mapped_collections),)
    return pack(mapped, inner, outer, (rngs,), name="transform", enable_kwargs=True)


def swap_collection(fn: Callable[..., Any], col_a: str, col_b: str) -> Callable[..., Any]:
    """A function for which two collections have each other's name.

    Args:
        fn: takes a scope and arguments.
        col_a: one collection.
        col_b: the other one.
    """
    def swap(own: Mapping[str, Any]) -> dict[str, Any]:
        return {col_a: own.get(col_b, {}), col_b: own.get(col_a, {})}

    return map_variables(fn, (col_a, col_b), swap, swap, mutable=True)


def add_metadata_axis(fn: Callable[..., Any], variable_axes: Mapping[CollectionFilter, int | None] = {},
                      metadata_params: dict[Any, Any] = {}) -> Callable[..., Any]:  # noqa: B006
    """A function whose boxed variables know of one more axis outside than inside.

    Args:
        fn: takes a scope and arguments.
        variable_axes: for each filter of collections where the axis is; `None` adds none.
        metadata_params: what the boxes are told about it, e.g. its name.

    Returns:
        A function of the same arguments. The values are not changed, only what the boxes know.
    """
    lifted = fn
    for accepted, axis in variable_axes.items():
        if axis is not None:
            lifted = _with_one_axis(lifted, accepted, axis, metadata_params)
    return lifted


def _with_one_axis(fn: Callable[..., Any], accepted: CollectionFilter, axis: int,
                   params: dict[Any, Any]) -> Callable[..., Any]:
    return map_variables(fn, accepted, lambda own: meta.remove_axis(own, axis, params),
                         lambda own: meta.add_axis(own, axis, params), mutable=True, init=False)
