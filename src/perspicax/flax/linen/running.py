"""Running a function of a module: `nn.apply`, `nn.init`, `nn.init_with_output`."""
from __future__ import annotations

import inspect
from collections.abc import Callable
from functools import wraps
from typing import Any

from perspicax.flax import core
from perspicax.flax.core.running import init_variables
from perspicax.flax.core.scope import CollectionFilter, DenyList, union_filters
from perspicax.flax.linen.errors import MethodNotCallableError, UnknownMethodError, class_of
from perspicax.flax.linen.module_state import ModuleBase, running
from perspicax.flax.module_errors import ApplyModuleInvalidMethodError

__all__ = ["apply", "capture_call_intermediates", "init", "init_with_output", "method_of"]

Captures = bool | Callable[[Any, str], bool]
_MADE_BY_INIT = DenyList("intermediates")


def capture_call_intermediates(module: Any, method_name: str) -> bool:
    """The filter that `capture_intermediates=True` stands for: the results of all calls."""
    return method_name == "__call__"


def _function_of_scope(fn: Callable[..., Any], module: Any, captures: Captures) -> Callable[..., Any]:
    @wraps(fn)
    def run(scope: Any, *args: Any, **kwargs: Any) -> Any:
        running.captures.append(captures)
        try:
            return fn(module.clone(parent=scope, _deep_clone=True), *args, **kwargs)
        finally:
            running.captures.pop()

    return run


def _with_intermediates(mutable: CollectionFilter, captures: Captures) -> tuple[CollectionFilter, Captures]:
    if captures is True:
        captures = capture_call_intermediates
    return (union_filters(mutable, "intermediates") if captures else mutable), captures


def apply(fn: Callable[..., Any], module: Any, mutable: CollectionFilter = False,
          capture_intermediates: Captures = False) -> Callable[..., Any]:
    """Make a function of a module a pure function of variables.

    Args:
        fn: takes the bound module and further arguments.
        module: the module.
        mutable: the filter of collections that may change.
        capture_intermediates: whether the results of all submodules are kept in the collection `intermediates`; or a
            function of (module, method name) that says for which.

    Returns:
        A function of (variables, further arguments, and `rngs=` by keyword), which returns what `fn` returns; unless
        `mutable` is `False`, a pair of that and of the mutable collections.
    """
    mutable, captures = _with_intermediates(mutable, capture_intermediates)
    return core.apply(_function_of_scope(fn, module, captures), mutable=mutable)


def init_with_output(fn: Callable[..., Any], module: Any, mutable: CollectionFilter = _MADE_BY_INIT,
                     capture_intermediates: Captures = False) -> Callable[..., Any]:
    """Make a function of a module a pure function that makes its variables.

    Args:
        fn: takes the bound module and further arguments.
        module: the module.
        mutable: the filter of collections that are made.
        capture_intermediates: as for `apply`.

    Returns:
        A function of (rngs, further arguments), which returns a pair of what `fn` returns and of the variables.
    """
    mutable, captures = _with_intermediates(mutable, capture_intermediates)
    return core.init(_function_of_scope(fn, module, captures), mutable=mutable)


def init(fn: Callable[..., Any], module: Any, mutable: CollectionFilter = _MADE_BY_INIT,
         capture_intermediates: Captures = False) -> Callable[..., Any]:
    """As `init_with_output`, for the variables alone.

    Args:
        fn: takes the bound module and further arguments.
        module: the module.
        mutable: the filter of collections that are made.
        capture_intermediates: as for `apply`.

    Returns:
        A function of (rngs, further arguments), which returns the variables.
    """
    mutable, captures = _with_intermediates(mutable, capture_intermediates)
    return init_variables(_function_of_scope(fn, module, captures), mutable=mutable)


def method_of(module: Any, method: Any) -> Callable[..., Any]:
    """What was given as `method=`, as a function whose first argument is the module.

    Args:
        module: the module.
        method: `None` for `__call__`; the name of a method or of a submodule; a method; a function.

    Raises:
        ApplyModuleInvalidMethodError: it is nothing of these.
    """
    if method is None:
        return _unbound(module, module.__call__)
    if not isinstance(method, str):
        return _unbound(module, method)
    name = method
    try:
        found = getattr(module, name)
    except AttributeError as error:
        raise UnknownMethodError(name, module=class_of(module), known=known_methods(module)) from error
    if isinstance(found, ModuleBase):
        return lambda bound, *args, **kwargs: getattr(bound, name)(*args, **kwargs)
    if not callable(found):
        raise MethodNotCallableError(name, module=class_of(module), known=known_methods(module))
    return _unbound(module, found)


def known_methods(module: Any) -> tuple[str, ...]:
    """The names of a module's own methods, for proposals."""
    ours = "perspicax.flax.linen.module"
    return tuple([name for cls in type(module).__mro__ if cls.__module__ != ours and issubclass(cls, ModuleBase)
                  for name, value in vars(cls).items() if callable(value) and not name.startswith("_")])


def _unbound(module: Any, method: Any) -> Callable[..., Any]:
    if inspect.ismethod(method) and isinstance(method.__self__, ModuleBase):
        method = method.__func__
    if not callable(method) or not _takes_argument(method):
        raise ApplyModuleInvalidMethodError(method, module=class_of(module), known=known_methods(module))
    return method


def _takes_argument(function: Callable[..., Any]) -> bool:
    code = getattr(function, "__code__", None)
    if code is not None and not hasattr(function, "__wrapped__"):
        return bool(code.co_argcount or code.co_flags & 0x04)  # CO_VARARGS
    return len(inspect.signature(function).parameters) > 0
