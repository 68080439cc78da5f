"""Carrying scopes into a transformed function and back: what all lifted transformations stand on.

A transformation of JAX takes pure functions of arrays. So the variables and keys of the scopes that a function uses are
taken out as pytrees, the function runs on new scopes that are made of them inside, and what it has changed is put back.
"""
from __future__ import annotations

import inspect
import warnings
from collections.abc import Callable, Iterable, Sequence
from functools import wraps
from typing import Any

from perspicax import tree_util
from perspicax.flax.core.filters import Filter, group_collections, in_filter, intersect_filters, union_filters
from perspicax.flax.core.rngs import LazyRng
from perspicax.flax.core.scopes import Scope
from perspicax.flax.traceback_util import api_boundary

__all__ = ["Carrier", "distinct_scopes", "id_fn", "named_as", "pack", "tree_map_rngs"]

Groups = tuple[tuple[dict[str, Any], ...], ...]
"""For each filter, for each scope, the collections (or keys) by name."""


def id_fn(x: Any) -> Any:
    """The value itself."""
    return x


def tree_map_rngs(fn: Callable[[Any], Any], tree: Any) -> Any:
    """A tree with `fn(key)` for each random key; names that are yet to be folded into a lazy one stay so."""
    return tree_util.tree_map(lambda rng: fn(rng) if not isinstance(rng, LazyRng) else LazyRng(fn(rng.rng), rng.suffix),
                              tree, is_leaf=lambda x: isinstance(x, LazyRng))


class Carrier:
    """The scopes of one call, and how to make their counterparts inside of a transformation.

    Args:
        scope_tree: a scope, or a pytree of scopes.
        in_filters: which collections are taken in, group by group.
        out_filters: which collections may change inside, and are taken out, group by group.
        rng_filters: which streams of random keys are taken in, group by group.
        name: the transformation, for the paths in reports.
    """

    def __init__(self, scope_tree: Any, in_filters: Sequence[Filter], out_filters: Sequence[Filter],
                 rng_filters: Sequence[Filter], name: str | None) -> None:
        leaves, self.structure = tree_util.tree_flatten(scope_tree)
        self.name = name
        self.out_filters = tuple(out_filters)
        self.scopes, self.ways = distinct_scopes(leaves)
        for scope in self.scopes:
            scope._check_valid()
            scope._populate_collections()
        self.variables = _by_group([group_collections(scope._variables, in_filters) for scope in self.scopes], in_filters)
        self.rngs = _by_group([group_collections(scope.rngs, rng_filters) for scope in self.scopes], rng_filters)  # type: ignore[arg-type]
        self.changeable: Filter = False
        for accepted in self.out_filters:
            self.changeable = union_filters(self.changeable, accepted)

    def enter(self, variables: Groups, rngs: Groups, mutable_filter: Filter = True) -> Any:
        """The scopes inside.

        Args:
            variables: the groups of variables, as the transformation hands them in.
            rngs: the groups of random keys.
            mutable_filter: which collections may change, of those that may change at all.
        """
        inner = [self._inner(i, scope, variables, rngs, mutable_filter) for i, scope in enumerate(self.scopes)]
        leaves = []
        for number, names in self.ways:
            scope = inner[number]
            for name in names:
                scope = scope.push(name, reuse=True)
            leaves.append(scope)
        return tree_util.tree_unflatten(self.structure, leaves)

    def _inner(self, i: int, scope: Scope, variables: Groups, rngs: Groups, mutable_filter: Filter) -> Scope:
        held: dict[str, Any] = {}
        for group in variables:
            held.update(group[i])
        keys: dict[str, Any] = {}
        for rng_group in rngs:
            keys.update(rng_group[i])
        path = scope.debug_path
        if self.name:
            path = (*path[:-1], f"{self.name}({path[-1] if path else ''})")
        made = Scope(tree_util.tree_map(id_fn, held), name=scope.name, rngs=keys, parent=None, path=scope.path,
                     mutable=intersect_filters(intersect_filters(scope.mutable, self.changeable), mutable_filter),
                     debug_path=path, flags=scope.flags)
        # Shared, so that keys that are drawn after the call differ from those that were drawn inside.
        made.rng_counters = scope.rng_counters
        return made

    def leave(self, inner_tree: Any) -> Groups:
        """The changeable variables of scopes that `enter` made; the scopes end."""
        leaves = self.structure.flatten_up_to(inner_tree)
        roots: dict[int, Scope] = {}
        for scope, (number, names) in zip(leaves, self.ways, strict=True):
            for _ in names:
                scope.invalidate()
                scope = scope.parent
            roots[number] = scope
        changed = []
        for i in range(len(self.scopes)):
            root = roots[i]
            root.invalidate()
            root._validate_trace_level()
            own = {col: values for col, values in root._variables.items() if in_filter(root.mutable, col)}
            changed.append(group_collections(own, self.out_filters))
        return _by_group(changed, self.out_filters)

    def publish(self, groups: Groups) -> None:
        """Put what came out into the scopes outside."""
        for group in groups:
            for scope, collections in zip(self.scopes, group, strict=True):
                for col, values in collections.items():
                    if scope.is_mutable_collection(col):
                        for name, value in values.items():
                            scope.put_variable(col, name, value)


def _by_group(by_scope: Sequence[Sequence[dict[str, Any]]], filters: Sequence[Filter]) -> Groups:
    return tuple([tuple([groups[i] for groups in by_scope]) for i in range(len(filters))])


def distinct_scopes(leaves: Iterable[Scope]) -> tuple[list[Scope], list[tuple[int, tuple[str, ...]]]]:
    """The scopes that lie in none of the others, and for each leaf the way to it: (number of such a scope, names).

    A scope that lies in another one shares variables with it, so it must not be carried a second time.
    """
    leaves = list(leaves)
    given = set(leaves)
    tops: list[Scope] = []
    numbers: dict[Scope, int] = {}
    ways: list[tuple[int, tuple[str, ...]]] = []
    for leaf in leaves:
        top, at = leaf, leaf
        names: tuple[str, ...] = ()
        way: tuple[str, ...] = ()
        while at.parent is not None:
            way = (str(at.name), *way)
            at = at.parent
            if at in given:
                top, names = at, way
        if top not in numbers:
            numbers[top] = len(tops)
            tops.append(top)
        ways.append((numbers[top], names))
    return tops, ways


class _Signature:
    """What reports ask for in place of a function that runs the user's one: its code, and its parameters' names."""

    def __init__(self, fn: Callable[..., Any], lead: tuple[str, ...]) -> None:
        self.__wrapped__, self.lead = fn, lead

    @property
    def __signature__(self) -> inspect.Signature:
        first = [inspect.Parameter(name, inspect.Parameter.POSITIONAL_ONLY) for name in self.lead]
        try:
            own = list(inspect.signature(self.__wrapped__).parameters.values())
        except (TypeError, ValueError):  # a builtin
            own = []
        if own and own[0].kind is not inspect.Parameter.VAR_POSITIONAL:
            own = own[1:]  # without the scope or module
        return inspect.Signature([*first, *[each.replace(name=f"{each.name}_") if each.name in self.lead else each
                                            for each in own]])

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return self.__wrapped__(*args, **kwargs)


def named_as(fn: Callable[..., Any], *lead: str, signature: bool = True) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Decorator for what runs the user's `fn` within a transformation: reports call it and its arguments as the user does.

    Args:
        fn: the user's function, of a scope or module and arguments.
        *lead: the names of what the runner takes in place of the scope.
        signature: whether the runner's other parameters are those of `fn`, in the same order.
    """
    def named(runs: Callable[..., Any]) -> Callable[..., Any]:
        runs.__name__ = runs.__qualname__ = getattr(fn, "__name__", "function")
        if signature:
            runs.__wrapped__ = _Signature(fn, lead)  # type: ignore[attr-defined]
        return runs

    return named


def pack(fn: Callable[..., Any], in_variable_filters: Sequence[Filter], out_variable_filters: Sequence[Filter],
         rng_filters: Sequence[Filter], name: str | None = None, enable_kwargs: bool = False) -> Callable[..., Any]:
    """Make a lifted transformation of a function of pytrees.

    Args:
        fn: takes (enter, leave, variable groups, key groups, *args) and returns a result and variable groups.
            `enter(variables, rngs, mutable_filter=True)` makes the scopes inside of the transformation; `leave(scopes)`
            gives the groups of the variables that may change.
        in_variable_filters: the groups of collections that are taken in.
        out_variable_filters: the groups of collections that may change, and are taken out.
        rng_filters: the groups of random keys.
        name: the transformation, for the paths in reports.
        enable_kwargs: whether `fn` takes keyword arguments; otherwise they are left out, with a warning.

    Returns:
        A function of (a scope or a pytree of scopes, *args) that returns the result.
    """
    @api_boundary
    @wraps(fn)
    def packed(scope_tree: Any, *args: Any, **kwargs: Any) -> Any:
        if kwargs and not enable_kwargs:
            warnings.warn(f"{name or 'a lifted transformation'} takes no keyword arguments; left out: "
                          f"{', '.join(kwargs)}", RuntimeWarning, stacklevel=4)
            kwargs = {}
        carrier = Carrier(scope_tree, in_variable_filters, out_variable_filters, rng_filters, name)
        result, changed = fn(carrier.enter, carrier.leave, carrier.variables, carrier.rngs, *args, **kwargs)
        carrier.publish(changed)
        return result

    return packed
