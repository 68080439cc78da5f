"""Stands for `jax._src.compiler`: chex puts a function of its own in the place of the one that compiles, to forbid backends."""
from __future__ import annotations

import sys
from types import ModuleType
from typing import Any

from perspicax.binding import runtime

__all__: list[str] = []


class _Compiler(ModuleType):
    """A module whose one attribute is the function that compiles programs without host callbacks."""

    @property
    def backend_compile_and_load(self) -> Any:
        """Takes a client and more, returns an executable."""
        return runtime.compile_text

    @backend_compile_and_load.setter
    def backend_compile_and_load(self, function: Any) -> None:
        runtime.compile_text = function


sys.modules[__name__].__class__ = _Compiler
