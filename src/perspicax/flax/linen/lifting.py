"""How a transformation of functions of scopes becomes one of module classes, methods and functions of modules."""
from __future__ import annotations

import functools
import threading
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from perspicax.flax.core.scope import LazyRng
from perspicax.flax.linen.carried import Carried
from perspicax.flax.linen.module_class import wrap_method
from perspicax.flax.linen.module_state import ModuleBase
from perspicax.flax.module_errors import TransformTargetError
from perspicax.flax.traceback_util import api_boundary

__all__ = ["lift_cached", "lift_target"]

Methods = str | Sequence[str] | Mapping[str, Mapping[str, Any]] | None


def lift_target(name: str, transform: Callable[..., Any], target: Any, methods: Methods, options: dict[str, Any],
                prefix: str | None = None, cached: bool = False) -> Any:
    """Apply a transformation to a class of modules, or to a method or another function whose first argument is a module.

    Args:
        name: the transformation, for reports.
        transform: takes a function of (scopes, args) and options.
        target: the class or function.
        methods: of a class the methods to transform, `__call__` by default; a mapping gives options for each.
        options: for `transform`.
        prefix: what the name of the new class begins with; by default the transformation's.
        cached: whether `transform` keeps programs, so that it is applied once, and not at each call.

    Raises:
        TransformTargetError: the target is something else.
    """
    lift = lift_cached if cached else _lift
    if isinstance(target, type) and issubclass(target, ModuleBase):
        chosen = _by_method(methods)
        attributes: dict[str, Any] = {"__module__": target.__module__, "__doc__": target.__doc__}
        for method, own in chosen.items():
            attributes[method] = lift(name, transform, getattr(target, method), {**options, **own}, target)
        made_name = (name.capitalize() if prefix is None else prefix) + target.__name__
        make: Any = type(target)
        return make(made_name, (target,), {**attributes, "__qualname__": made_name})
    if isinstance(target, (type, ModuleBase)) or not callable(target):
        raise TransformTargetError(target, transform=name)
    return api_boundary(lift(name, transform, wrap_method(target), options))


def _by_method(methods: Methods) -> Mapping[str, Mapping[str, Any]]:
    if methods is None:
        return {"__call__": {}}
    if isinstance(methods, str):
        return {methods: {}}
    return methods if isinstance(methods, Mapping) else {name: {} for name in methods}


def _lift(name: str, transform: Callable[..., Any], fn: Callable[..., Any], options: dict[str, Any],
          inner_class: type[Any] | None = None) -> Callable[..., Any]:
    method = getattr(fn, "__name__", "function")

    @functools.wraps(fn)
    def lifted(module: Any, *args: Any, **kwargs: Any) -> Any:
        carried = Carried(module, args, kwargs, name, inner_class)
        return transform(carried.function(fn, method), **options)(carried.scopes, *carried.args, **carried.kwargs)

    return lifted


class _Calls(threading.local):
    """The calls of a cached function that are going on in this thread."""

    def __init__(self) -> None:
        self.stack: list[Carried] = []


def lift_cached(name: str, transform: Callable[..., Any], fn: Callable[..., Any], options: dict[str, Any],
                inner_class: type[Any] | None = None) -> Callable[..., Any]:
    """As `_lift`, for transformations whose programs are kept: they are told by a fingerprint of the modules."""
    method = getattr(fn, "__name__", "function")
    calls = _Calls()

    def core(scopes: Any, _: Any, *args: Any, **kwargs: Any) -> Any:
        return calls.stack[-1].run(fn, method, scopes, *args, **kwargs)

    core.__name__ = core.__qualname__ = method
    program = transform(core, **options)

    @functools.wraps(fn)
    def lifted(module: Any, *args: Any, **kwargs: Any) -> Any:
        carried = Carried(module, args, kwargs, name, inner_class)
        calls.stack.append(carried)
        try:
            # Only the module's own keys: Flax 0.12.8 does so, and the values of parameters follow from it.
            scopes = [_with_drawn_keys(scope) if (i, ()) == carried.own_way else scope
                      for i, scope in enumerate(carried.scopes)]
            return program(scopes, carried.fingerprint(), *carried.args, **carried.kwargs)
        finally:
            calls.stack.pop()

    return lifted


def _with_drawn_keys(scope: Any) -> Any:
    """A scope whose streams begin with keys that are drawn now: a program that is shared cannot fold in its name."""
    again = scope.rewound()
    again.rngs = {name: LazyRng.create(scope.make_rng(name)) for name in scope.rngs}
    return again
