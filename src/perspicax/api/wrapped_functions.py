"""Functions with transformations stacked on them: `jax.extend.linear_util`.

A transformation is a function that calls the function below it: `gen(below, *static, *args)`. The stack can be hashed,
so that what is made for it can be cached; what a transformation has to say besides its result goes to a `Store`.
"""
from __future__ import annotations

import functools
import weakref
from collections.abc import Callable, Hashable
from typing import Any

from perspicax.core.config import state_key
from perspicax.core.jaxpr import DebugInfo
from perspicax.diagnose.errors import PerspicaxError
from perspicax.diagnose.report import Report
from perspicax.transform.stage import function_name

__all__ = [
    "Store", "StoreException", "WrappedFun", "cache", "merge_linear_aux", "transformation", "transformation2",
    "transformation_with_aux", "transformation_with_aux2", "wrap_init",
]


class StoreException(PerspicaxError):
    """What a transformation says besides its result was asked for before the call, or given twice.

    Attributes:
        kind: `empty`, `filled` or `both`.
    """

    kind: str

    @property
    def report(self) -> Report:
        match self.kind:
            case "empty":
                says = "The second result of a transformation was asked for before the function was called."
            case "filled":
                says = "The second result of a transformation was given twice."
            case _:
                says = "Both of two transformations have given a second result; one of them was expected to."
        return Report(says=says, why="it is known once the wrapped function has run, and that happens once")


class Store:
    """A place for one value, filled once."""

    __slots__ = ("_filled", "_val")

    def __init__(self) -> None:
        self._val: Any = None
        self._filled = False

    def store(self, val: Any) -> None:
        """Fill it.

        Raises:
            StoreException: it is filled.
        """
        if self._filled:
            raise StoreException(kind="filled")
        self._val, self._filled = val, True

    def reset(self) -> None:
        """Empty it."""
        self._val, self._filled = None, False

    @property
    def val(self) -> Any:
        """What it was filled with.

        Raises:
            StoreException: nothing yet.
        """
        if not self._filled:
            raise StoreException(kind="empty")
        return self._val

    def __bool__(self) -> bool:
        return self._filled


class WrappedFun:
    """A function and the transformations on it, the outermost first.

    Attributes:
        f: the function below all of them.
        f_transformed: the function with all of them.
        transforms: pairs of a transformation and its static arguments.
        stores: the store of each, or None.
        params: parameters of calls.
        debug_info: the function's name and those of its arguments.
    """

    __slots__ = ("__weakref__", "debug_info", "f", "f_transformed", "in_type", "params", "stores", "transforms")

    def __init__(self, f: Callable[..., Any], f_transformed: Callable[..., Any], transforms: tuple, stores: tuple,
                 params: tuple, in_type: Any, debug_info: DebugInfo) -> None:
        self.f, self.f_transformed, self.transforms, self.stores = f, f_transformed, transforms, stores
        self.params, self.in_type, self.debug_info = params, in_type, debug_info

    @property
    def __name__(self) -> str:
        return function_name(self.f)

    def wrap(self, gen: Callable[..., Any], gen_static_args: tuple, out_store: Store | None) -> WrappedFun:
        """This, with a further transformation on it."""
        below = self.f_transformed
        first = (below,) if out_store is None else (below, out_store)
        return WrappedFun(self.f, functools.partial(gen, *first, *gen_static_args),
                          ((gen, gen_static_args), *self.transforms), (out_store, *self.stores), self.params, None,
                          self.debug_info)

    def populate_stores(self, stores: tuple) -> None:
        """Fill the stores as those of an equal function were."""
        for mine, other in zip(self.stores, stores):
            if mine is not None and other:
                mine.store(other.val)

    def call_wrapped(self, *args: Any, **kwargs: Any) -> Any:
        """The result of the function with its transformations."""
        return self.f_transformed(*args, **kwargs)

    def replace_debug_info(self, debug_info: DebugInfo) -> WrappedFun:
        """The same with other names."""
        return WrappedFun(self.f, self.f_transformed, self.transforms, self.stores, self.params, self.in_type, debug_info)

    def _key(self) -> tuple:
        return self.f, self.transforms, self.params, self.in_type

    def __eq__(self, other: object) -> bool:
        return isinstance(other, WrappedFun) and self._key() == other._key()

    def __hash__(self) -> int:
        return hash(self._key())

    def __repr__(self) -> str:
        lines = [f"{i}: {function_name(gen)} {static}" for i, (gen, static) in enumerate(self.transforms)]
        return "\n".join(["Wrapped function:", *lines, f"below: {self.__name__}"])


def wrap_init(f: Callable[..., Any], params: dict[str, Hashable] | None = None, *,
              debug_info: DebugInfo | None = None) -> WrappedFun:
    """A function without transformations yet.

    Args:
        f: the function.
        params: keyword arguments for its calls, which can be hashed.
        debug_info: its name and those of its arguments, as `jax.api_util.debug_info` makes it.
    """
    chosen = () if params is None else tuple(sorted(params.items()))
    call = functools.partial(f, **dict(chosen)) if chosen else f
    return WrappedFun(f, call, (), (), chosen, None, debug_info or DebugInfo("wrap_init", function_name(f), fun=f))


def transformation2(gen: Callable[..., Any], fun: WrappedFun | None = None, *gen_static_args: Any) -> Any:
    """Put a transformation on a wrapped function; with `gen` alone, a function that does.

    Args:
        gen: `gen(below, *static, *args, **kwargs)` returns the result; `below` is what is transformed.
        fun: the wrapped function.
        gen_static_args: static arguments, which can be hashed.
    """
    if fun is None:
        return functools.wraps(gen)(functools.partial(transformation2, gen))
    return fun.wrap(gen, gen_static_args, None)


def transformation_with_aux2(gen: Callable[..., Any], fun: WrappedFun | None = None, *gen_static_args: Any,
                             use_eq_store: bool = False) -> Any:
    """The same for a transformation that has something to say besides its result.

    Args:
        gen: `gen(below, store, *static, *args, **kwargs)` calls `store.store(value)` and returns the result.
        fun: the wrapped function.
        gen_static_args: static arguments, which can be hashed.
        use_eq_store: whether the store may be filled again, with an equal value.

    Returns:
        The wrapped function, and a function that returns what was stored.
    """
    if fun is None:
        return functools.wraps(gen)(functools.partial(transformation_with_aux2, gen))
    store = _EqualStore() if use_eq_store else Store()
    return fun.wrap(gen, gen_static_args, store), lambda: store.val


class _EqualStore(Store):
    """A store that may be filled again with an equal value."""

    __slots__ = ()

    def store(self, val: Any) -> None:
        if not self or self.val != val:
            super().store(val)


def transformation(gen: Callable[..., Any], fun: WrappedFun | None = None, *gen_static_args: Any) -> Any:
    """As `transformation2`, for a generator: it yields `(args, kwargs)` for what it transforms, is sent the result, and
    yields its own."""
    if fun is None:
        return functools.wraps(gen)(functools.partial(transformation, gen))
    return fun.wrap(_Generator(gen, False), gen_static_args, None)


def transformation_with_aux(gen: Callable[..., Any], fun: WrappedFun | None = None, *gen_static_args: Any) -> Any:
    """As `transformation_with_aux2`, for a generator, which yields a pair of its result and what it says besides."""
    if fun is None:
        return functools.wraps(gen)(functools.partial(transformation_with_aux, gen))
    store = Store()
    return fun.wrap(_Generator(gen, True), gen_static_args, store), lambda: store.val


class _Generator:
    """A generator as a transformation that calls; two of one generator are equal."""

    __slots__ = ("gen", "with_aux")

    def __init__(self, gen: Callable[..., Any], with_aux: bool) -> None:
        self.gen, self.with_aux = gen, with_aux

    @property
    def __name__(self) -> str:
        return function_name(self.gen)

    def __call__(self, below: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        store, rest = (args[0], args[1:]) if self.with_aux else (None, args)
        steps = self.gen(*rest, **kwargs)
        inner_args, inner_kwargs = next(steps)
        result = steps.send(below(*inner_args, **inner_kwargs))
        steps.close()
        if store is None:
            return result
        result, aux = result
        store.store(aux)
        return result

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Generator) and (self.gen, self.with_aux) == (other.gen, other.with_aux)

    def __hash__(self) -> int:
        return hash((self.gen, self.with_aux))


def cache(call: Callable[..., Any], *, explain: Callable[..., None] | None = None) -> Callable[..., Any]:
    """`call(wrapped_fun, *args)`, computed once for equal wrapped functions and equal arguments.

    Args:
        call: its first argument is a `WrappedFun`; results are kept as long as the function below it lives.
        explain: not used: `jax_explain_cache_misses` asks elsewhere.
    """
    kept: weakref.WeakKeyDictionary[Any, dict] = weakref.WeakKeyDictionary()

    @functools.wraps(call)
    def cached(fun: WrappedFun, *args: Any) -> Any:
        found = kept.setdefault(fun.f, {})
        key = (fun.transforms, fun.params, fun.in_type, args, state_key())
        entry = found.get(key)
        if entry is not None:
            result, stores = entry
            fun.populate_stores(stores)
            return result
        result = call(fun, *args)
        found[key] = (result, fun.stores)
        return result

    cached.cache_clear = kept.clear  # type: ignore[attr-defined]
    return cached


def merge_linear_aux(aux1: Callable[[], Any], aux2: Callable[[], Any]) -> tuple[bool, Any]:
    """Of two second results, that which was given, and whether it is the first.

    Raises:
        StoreException: both were given, or none.
    """
    try:
        first = aux1()
    except StoreException:
        return False, aux2()
    try:
        aux2()
    except StoreException:
        return True, first
    raise StoreException(kind="both")
