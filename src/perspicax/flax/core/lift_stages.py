"""Lifted transformations that stage a function: `jit`, `remat`; and `fold_rngs`, which goes with `jit`."""
from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

import perspicax as jax
from perspicax import tree_util
from perspicax.diagnose import Fix
from perspicax.flax.core.filters import CollectionFilter, DenyList, Filter, PRNGSequenceFilter
from perspicax.flax.core.packing import Groups, named_as, pack
from perspicax.flax.core.rngs import LazyRng
from perspicax.flax.core.scopes import Scope
from perspicax.flax.tree_errors import LiftError

__all__ = ["CountsHolder", "TransformContext", "checkpoint", "fold_rngs", "jit", "remat", "set_from_dict"]

A = TypeVar("A")


@dataclass
class TransformContext(threading.local, Generic[A]):
    """What a staged function needs of the call that stages it, and must not be part of its cache key.

    Attributes:
        stack: the values of the calls that are going on in this thread, the innermost last.
    """

    stack: list[A] = field(default_factory=list)

    @contextmanager
    def push(self, a: A) -> Iterator[None]:
        """A `with` block in which `get` gives `a`."""
        self.stack.append(a)
        try:
            yield
        finally:
            self.stack.pop()

    def get(self) -> A:
        """The value of the innermost block."""
        return self.stack[-1]


class CountsHolder:
    """How many random keys a scope, and the scopes in it, have drawn: counters by path.

    A function that is not traced again draws no keys from its scope, so what it drew when it was traced is counted anew.
    """

    def __init__(self, flat_d: dict[tuple[Any, ...], int]) -> None:
        self.flat_d = flat_d

    @classmethod
    def make(cls, d: Mapping[Any, Any]) -> CountsHolder:
        """The counters of `Scope.rng_counters`."""
        return cls(dict(_flat(d, ())))

    def sub(self, other: CountsHolder) -> CountsHolder:
        """What was drawn since `other`."""
        return CountsHolder({path: count - other.flat_d.get(path, 0) for path, count in self.flat_d.items()})

    def add(self, other: CountsHolder) -> CountsHolder:
        """The counters after both."""
        paths = {**self.flat_d, **other.flat_d}
        return CountsHolder({path: self.flat_d.get(path, 0) + other.flat_d.get(path, 0) for path in paths})

    def unflat(self) -> dict[Any, Any]:
        """Nested dicts, as `Scope.rng_counters` is."""
        nested: dict[Any, Any] = {}
        for path, count in self.flat_d.items():
            at = nested
            for key in path[:-1]:
                at = at.setdefault(key, {})
            at[path[-1]] = count
        return nested


def _flat(counters: Mapping[Any, Any], path: tuple[Any, ...]) -> Iterator[tuple[tuple[Any, ...], int]]:
    for key, value in counters.items():
        if isinstance(value, Mapping):
            yield from _flat(value, (*path, key))
        else:
            yield (*path, key), value


def set_from_dict(original: dict[Any, Any], updates: Mapping[Any, Any]) -> None:
    """Write nested entries into nested dicts, which stay the same objects."""
    for key, value in updates.items():
        if isinstance(value, Mapping):
            set_from_dict(original.setdefault(key, {}), value)
        else:
            original[key] = value


def _hashable(accepted: Filter) -> Any:
    """A filter that can be part of a cache key."""
    if isinstance(accepted, DenyList):
        return DenyList(_hashable(accepted.deny))
    return accepted if isinstance(accepted, (bool, str)) else frozenset(accepted)


def _without_names(rngs: Groups) -> Groups:
    """Keys without the names that are to be folded in: those would be part of the cache key, so that no two modules
    could share a program. Flax 0.12.8 does so, and the values of its parameters under `jit` follow from it."""
    return tree_util.tree_map(lambda key: key.clear_suffix(), rngs, is_leaf=lambda x: isinstance(x, LazyRng))


class _Staged:
    """A function of a scope as one of pytrees, which may be cached by `jit` and still finds its call's scopes."""

    def __init__(self, fn: Callable[..., Any]) -> None:
        self.fn = fn
        self.context: TransformContext[tuple[Any, Any]] = TransformContext()
        self.drawn: dict[Any, list[CountsHolder]] = {}
        self.runs = 0

    def run(self, fingerprint: Any, variables: Groups, rngs: Groups, *args: Any, **kwargs: Any) -> Any:
        """The body: it is entered when the function is traced, or each time if it is not cached."""
        self.runs += 1
        enter, leave = self.context.get()
        scope = enter(variables, rngs)
        result = self.fn(scope, fingerprint[1], *args, **kwargs)
        return result, leave(scope)

    def call(self, staged: Callable[..., Any], enter: Any, leave: Any, variables: Groups, rngs: Groups, hash_key: Any,
             args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """Call the staged body for scopes, and count the keys that they draw."""
        scopes: list[Scope] = tree_util.tree_leaves(enter(variables, rngs))
        fingerprint = (tuple([_hashable(scope.mutable) for scope in scopes]), hash_key)
        before = [CountsHolder.make(scope.rng_counters) for scope in scopes]
        runs = self.runs
        with self.context.push((enter, leave)):
            result = staged(fingerprint, variables, _without_names(rngs), *args, **kwargs)
        if self.runs != runs:
            self.drawn[fingerprint] = [CountsHolder.make(scope.rng_counters).sub(old)
                                       for scope, old in zip(scopes, before, strict=True)]
        else:
            for scope, old, drawn in zip(scopes, before, self.drawn[fingerprint], strict=True):
                set_from_dict(scope.rng_counters, old.add(drawn).unflat())
        return result


def _numbers(of: int | Iterable[int]) -> tuple[int, ...]:
    return (of,) if isinstance(of, int) else tuple(of)


def jit(fn: Callable[..., Any], variables: CollectionFilter = True, rngs: PRNGSequenceFilter = True,
        static_argnums: int | Iterable[int] = (), static_argnames: str | Iterable[str] = (),
        donate_argnums: int | Iterable[int] = (), device: Any = None, backend: str | None = None) -> Callable[..., Any]:
    """As `jax.jit`, of a function of a scope.

    Args:
        fn: takes a scope, a hash key and arguments.
        variables: the collections that it uses.
        rngs: the streams of random keys that it uses.
        static_argnums: numbers of static arguments; the scope is number 0, the hash key is not counted.
        static_argnames: names of static arguments.
        donate_argnums: numbers of arguments whose memory may be used for results; counted in the same way.
        device: as for `jax.jit`.
        backend: as for `jax.jit`.

    Returns:
        A function of (scope, hash key, arguments). Calls with equal hash keys, which should tell the modules that `fn`
        closes over, share a program.
    """
    staged = _Staged(fn)
    # Of the staged body, number 0 is the fingerprint, 1 the variables, 2 the keys; the arguments follow.
    static = tuple(sorted({0, *[n + 2 for n in _numbers(static_argnums) if n > 0]}))
    options: dict[str, Any] = {"static_argnums": static, "static_argnames": static_argnames,
                               "donate_argnums": tuple([n + 2 if n > 0 else 1 for n in _numbers(donate_argnums)])}
    if device is not None:
        options["device"] = device
    if backend is not None:
        options["backend"] = backend
    program = jax.jit(staged.run, **options)

    def jitted(enter: Any, leave: Any, variables: Groups, rngs: Groups, hash_key: Any, *args: Any, **kwargs: Any) -> Any:
        return staged.call(program, enter, leave, variables, rngs, hash_key, args, kwargs)

    return pack(jitted, (variables,), (variables,), (rngs,), name="jit", enable_kwargs=True)


def fold_rngs(fn: Callable[..., Any], variables: CollectionFilter = True,
              rngs: PRNGSequenceFilter = True) -> Callable[..., Any]:
    """A function of a scope that draws the same random keys as under `jit`.

    Args:
        fn: takes a scope, a hash key and arguments.
        variables: the collections that it uses.
        rngs: the streams of random keys that it uses.

    Returns:
        A function of (scope, hash key, arguments).
    """
    staged = _Staged(fn)

    def folded(enter: Any, leave: Any, variables: Groups, rngs: Groups, hash_key: Any, *args: Any, **kwargs: Any) -> Any:
        return staged.call(staged.run, enter, leave, variables, rngs, hash_key, args, kwargs)

    return pack(folded, (variables,), (variables,), (rngs,), name="fold_rngs", enable_kwargs=True)


def remat(fn: Callable[..., Any], variables: CollectionFilter = True, rngs: PRNGSequenceFilter = True,
          concrete: bool = False, prevent_cse: bool = True, static_argnums: int | tuple[int, ...] = (),
          policy: Callable[..., bool] | None = None) -> Callable[..., Any]:
    """As `jax.checkpoint`, of a function of a scope: for the derivative it is computed a second time.

    Args:
        fn: takes a scope and arguments.
        variables: the collections that it uses.
        rngs: the streams of random keys that it uses.
        concrete: accepted; it has no effect.
        prevent_cse: as for `jax.checkpoint`.
        static_argnums: numbers of static arguments; the scope is not counted.
        policy: which results to keep, as for `jax.checkpoint`.

    Returns:
        A function of the same arguments.
    """
    numbers = _numbers(static_argnums)

    def recomputed(enter: Any, leave: Any, variables: Groups, rngs: Groups, *args: Any, **kwargs: Any) -> Any:
        if any(n >= len(args) for n in numbers):
            names = " and ".join([f"`{name}`" for name in kwargs])
            raise LiftError(says="`static_argnums` names an argument that the call does not give by position"
                                 f"{f': it gives {names} by name' if names else ''}.",
                            why="`static_argnums` counts the arguments that are given by position",
                            fixes=(Fix("give the static argument by position"),))

        @named_as(fn, "variables", "rngs")
        def inner(variables: Groups, rngs: Groups, *args: Any, **kwargs: Any) -> Any:
            scope = enter(variables, rngs)
            result = fn(scope, *args, **kwargs)
            return result, leave(scope)

        wrapped = jax.checkpoint(inner, prevent_cse=prevent_cse, policy=policy,
                                 static_argnums=tuple([n + 2 for n in numbers]))
        return wrapped(variables, rngs, *args, **kwargs)

    return pack(recomputed, (variables,), (variables,), (rngs,), name="remat", enable_kwargs=True)


checkpoint = remat
