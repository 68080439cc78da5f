"""`perspicax.sanitize(...)`: sanitizers for a block of code, or a function."""
from __future__ import annotations

import sys
from types import ModuleType

from perspicax.core.config import sanitize
from perspicax.core.option import Override
from perspicax.diagnose.boundary import public
from perspicax.sanitize.names import parse


@public
def sanitizing(names: str = "all") -> Override:
    """A context manager, or decorator, in which sanitizers are on.

    Args:
        names: which, with commas between: `keys`, `leaks`, `bounds`, `updates`, `nans`, `recompiles`, `precision`, `constants`,
            `broadcast`; `all`, `none`, and `default` (those that `perspicax run` turns on by itself); with `error` among them
            findings are raised, else they are warnings.

    Raises:
        SanitizerNameError: there is no sanitizer of that name.

    >>> with sanitizing("bounds"):
    ...     pass
    """
    parse(names)
    return sanitize(names)


class _CallableModule(ModuleType):
    """The room, which users call: `perspicax.sanitize("keys")`."""

    def __call__(self, names: str = "all") -> Override:
        return sanitizing(names)


sys.modules["perspicax.sanitize"].__class__ = _CallableModule

__all__ = ["sanitizing"]
