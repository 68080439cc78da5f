"""What happens when a method of a module is called."""
from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import perspicax as jax
from perspicax.flax.configurations import config
from perspicax.flax.linen.module_state import running
from perspicax.flax.module_errors import CallCompactUnboundModuleError, CallSetupUnboundModuleError

__all__ = ["InterceptorContext", "call_in_name_scope", "call_method", "disable_named_call", "enable_named_call",
           "intercept_methods", "override_named_call"]


@dataclass(frozen=True)
class InterceptorContext:
    """Which call an interceptor sees.

    Attributes:
        module: the module.
        method_name: the method's name.
        orig_method: the method of this module, without interceptors.
    """

    module: Any
    method_name: str
    orig_method: Callable[..., Any]


@contextmanager
def intercept_methods(interceptor: Callable[..., Any]) -> Iterator[None]:
    """A `with` block in which a function stands around every method of every module.

    Args:
        interceptor: takes (the method, its args, its kwargs, an `InterceptorContext`); what it returns is the call's
            result. It calls the method itself, or does not.

    An interceptor of an outer block is outside of that of an inner one. `setup` is not intercepted, nor are methods that
    are marked `nowrap`.
    """
    running.interceptors.append(interceptor)
    try:
        yield
    finally:
        running.interceptors.pop()


def enable_named_call() -> None:
    """Run each method in a `jax.named_scope` of its module's name, so that profiles show it. That is the default."""
    running.named_calls = True


def disable_named_call() -> None:
    """Run methods without a `jax.named_scope`."""
    running.named_calls = False


@contextmanager
def override_named_call(enable: bool = True) -> Iterator[None]:
    """A `with` block in which methods run in a `jax.named_scope`, or do not.

    Args:
        enable: whether they do.
    """
    before, running.named_calls = running.named_calls, enable
    try:
        yield
    finally:
        running.named_calls = before


def call_method(module: Any, fun: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """Run a method of a module.

    Args:
        module: the module.
        fun: the method as it was written.
        args: its arguments, without the module.
        kwargs: those by keyword.

    Raises:
        CallSetupUnboundModuleError: it is `setup`, and the module is not bound.
        CallCompactUnboundModuleError: it is compact, and the module is not bound.
    """
    name = getattr(fun, "__name__", "unnamed_function")
    state = module._state
    is_setup, is_compact = name == "setup", hasattr(fun, "compact")
    entered = False
    if is_setup:
        if module.scope is None:
            raise CallSetupUnboundModuleError(module=type(module).__name__)
        entered, state.in_setup = not state.in_setup, True
    else:
        module._try_setup()
        if is_compact:
            if module.scope is None:
                raise CallCompactUnboundModuleError(module=type(module).__name__, method=name)
            # A method that calls the inherited one is compact until it ends itself.
            entered, state.in_compact_method = not state.in_compact_method, True
    running.modules.append(module)
    try:
        result = _run(module, fun, name, args, kwargs, is_setup)
        if running.captures:
            keeps: Any = running.captures[-1]
            if keeps and keeps(module, name):
                module.sow("intermediates", name, result)
        return result
    finally:
        running.modules.pop()
        if is_compact:
            object.__setattr__(module, "scope", module.scope.rewound())
        if entered:
            state.reset()


def _run(module: Any, fun: Callable[..., Any], name: str, args: tuple[Any, ...], kwargs: dict[str, Any],
         is_setup: bool) -> Any:
    if running.interceptors:
        fun = functools.partial(_intercepted, module, fun, name, tuple(running.interceptors))
    if is_setup:
        return fun(module, *args, **kwargs)
    if running.named_calls if running.named_calls is not None else config.flax_profile:
        with jax.named_scope(_profile_name(module, name)):
            return fun(module, *args, **kwargs)
    return fun(module, *args, **kwargs)


def _profile_name(module: Any, method: str) -> str:
    owner = module.name or type(module).__name__
    return owner if method == "__call__" else f"{owner}.{method}"


def _intercepted(module: Any, fun: Callable[..., Any], name: str, interceptors: tuple[Callable[..., Any], ...],
                 _: Any, *args: Any, **kwargs: Any) -> Any:
    method = functools.partial(fun, module)
    seen = InterceptorContext(module, name, method)

    def from_here(depth: int) -> Callable[..., Any]:
        if depth == len(interceptors):
            return method
        return lambda *args, **kwargs: interceptors[depth](from_here(depth + 1), args, kwargs, seen)

    return from_here(0)(*args, **kwargs)


def call_in_name_scope(module: Any, fun: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """Run a method marked `compact_name_scope`: the submodules that it makes belong to a module of the method's name."""
    name = getattr(fun, "__name__", "unnamed_function")
    owner = module._name_scope(name)
    owner_call: Any = owner
    return owner_call(fun, module, args, kwargs)

