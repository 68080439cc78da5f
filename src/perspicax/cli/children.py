"""Processes that `multiprocessing` starts anew (`spawn`, `forkserver`) run on Perspicax as their parent does.

Such a process reads from its parent what to prepare before it reads what to do. What is added there is an object whose
reading sets Perspicax up. Processes that are forked have all of it already.
"""
from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any

__all__ = ["follow"]


class _Settings:
    """What a child is told: reading it calls `start` with the settings."""

    def __init__(self, start: Callable[..., Any], settings: tuple) -> None:
        self.start, self.settings = start, settings

    def __reduce__(self) -> tuple:
        return self.start, self.settings


def follow(start: Callable[..., Any], settings: tuple) -> None:
    """Let new processes call `start(*settings)` before anything else.

    Args:
        start: a function of a module, which returns anything.
        settings: its arguments, which can be pickled.
    """
    def add(spawn: Any) -> None:
        original = spawn.get_preparation_data

        def get_preparation_data(name: str) -> dict[str, Any]:
            return {**original(name), "perspicax": _Settings(start, settings)}

        spawn.get_preparation_data = get_preparation_data

    loaded = sys.modules.get("multiprocessing.spawn")
    if loaded is not None:
        add(loaded)
    else:
        sys.meta_path.insert(0, _Finder("multiprocessing.spawn", add))


class _Finder(MetaPathFinder):
    """Finds one module as the others would, and changes it once it is loaded."""

    def __init__(self, name: str, change: Callable[[Any], None]) -> None:
        self.name, self.change = name, change

    def find_spec(self, fullname: str, path: Sequence[str] | None = None,
                  target: ModuleType | None = None) -> ModuleSpec | None:
        if fullname != self.name:
            return None
        for finder in sys.meta_path:
            spec = None if finder is self else finder.find_spec(fullname, path, target)
            if spec is not None and spec.loader is not None:
                spec.loader = _Loader(spec.loader, self.change)
                return spec
        return None


class _Loader(Loader):
    def __init__(self, loader: Any, change: Callable[[Any], None]) -> None:
        self.loader, self.change = loader, change

    def create_module(self, spec: ModuleSpec) -> ModuleType | None:
        return self.loader.create_module(spec)

    def exec_module(self, module: ModuleType) -> None:
        self.loader.exec_module(module)
        self.change(module)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.loader, name)
