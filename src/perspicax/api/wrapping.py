"""Public functions: errors leave them with the user's frames only, and so they leave the functions that they return."""
from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any, TypeVar

from perspicax.api.errors import NotCallableError
from perspicax.core.config import config
from perspicax.diagnose.boundary import public, set_filtering_source

__all__ = ["application", "check_callable", "public", "transformation"]



def _filtering() -> str | None:
    """What the configuration says; nothing while it says "auto", and then the environment is asked, as it is then."""
    chosen = config.jax_traceback_filtering
    return None if chosen == "auto" else chosen


set_filtering_source(_filtering)

F = TypeVar("F", bound=Callable[..., Any])


def transformation(transform: F) -> F:
    """The public form of a function that takes a function first and returns another.

    Raises:
        NotCallableError: by the function that is made, when its first argument is no function.
    """
    name = transform.__name__

    def made(fun: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        check_callable(name, fun)
        return public(transform(fun, *args, **kwargs))

    return _like(made, transform)


def application(transform: F) -> F:
    """The public form of a function that takes a function first and calls it (`jvp`, `vjp`).

    Raises:
        NotCallableError: by the function that is made, when its first argument is no function.
    """
    name = transform.__name__

    def apply(fun: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        check_callable(name, fun)
        return transform(fun, *args, **kwargs)

    return _like(apply, transform)


def _like(made: Callable[..., Any], original: Any) -> Any:
    made.__wrapped__ = original  # type: ignore[attr-defined]
    made.__doc__, made.__name__, made.__qualname__ = original.__doc__, original.__name__, original.__qualname__
    return public(made)


def check_callable(transform: str, fun: Any) -> None:
    """Raise for what cannot be called, and for functions whose call runs nothing, but makes a generator.

    Raises:
        NotCallableError: it is one of these.
    """
    if not callable(fun) or (inspect.isgeneratorfunction(fun) and transform != "named_call"):  # which only names what it runs
        text = repr(fun)
        raise NotCallableError(transform=transform, value_type="generator function" if callable(fun) else type(fun).__name__,
                               value=text if len(text) <= 60 else f"{text[:57]}...")
