"""Classes and functions of JAX that libraries name when they are imported, and use in rare cases only.

They can be named, derived from and stored. Using one reports that it is not there yet.
"""
from __future__ import annotations

from typing import Any, NoReturn

from perspicax.diagnose.boundary import public
from perspicax.diagnose.facade import NotThereYet

__all__ = ["unmade_class", "unmade_function"]


def unmade_class(name: str) -> Any:
    """A class that can be derived from, and has no instances.

    Args:
        name: its name in full, `jax.experimental.hijax.HiPrimitive`.
    """
    @public
    def __new__(cls: type, *args: Any, **kwargs: Any) -> NoReturn:
        raise NotThereYet(missing=name)

    module, _, short = name.rpartition(".")
    return type(short, (), {"__new__": __new__, "__module__": module, "__doc__": f"Stands for `{name}`."})


def unmade_function(name: str) -> Any:
    """A function that reports when it is called that it is not there yet.

    Args:
        name: its name in full.
    """
    module, _, short = name.rpartition(".")

    @public
    def unmade(*args: Any, **kwargs: Any) -> NoReturn:
        raise NotThereYet(missing=name)

    unmade.__name__, unmade.__qualname__, unmade.__module__ = short, short, module
    unmade.__doc__ = f"Stands for `{name}`."
    return unmade
