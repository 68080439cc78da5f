"""The names below `jax._src` that widely used libraries import, served from our public ones."""
from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from types import ModuleType
from typing import Any

from perspicax.diagnose.facade import NotThereYet

__all__ = ["PRIVATE", "private_module"]

# For each private module the public modules of ours that have names of the same meaning, in the order to ask them.
PRIVATE: dict[str, tuple[str, ...]] = {
    "jax._src": (),
    "jax._src.api": ("perspicax",),
    "jax._src.config": ("perspicax.core.config",),
    "jax._src.core": ("perspicax.core", "perspicax.extend.core"),
    "jax._src.dtypes": ("perspicax.dtypes",),
    "jax._src.prng": ("perspicax.extend.random",),
    "jax._src.random": ("perspicax.random",),
    "jax._src.tree_util": ("perspicax.tree_util",),
    "jax._src.typing": ("perspicax.typing",),
}


def private_module(name: str) -> ModuleType:
    """A module object that stands for `name` and answers with names of our public modules."""
    module = ModuleType(name, f"Stands for `{name}`, as far as libraries need it.")
    module.__path__ = []  # its submodules are found by the finder
    module.__getattr__ = _answer(name, PRIVATE[name])  # type: ignore[method-assign]
    return module


def _answer(name: str, sources: tuple[str, ...]) -> Callable[[str], Any]:
    def __getattr__(wanted: str) -> Any:
        if wanted.startswith("__"):
            raise AttributeError(f"module {name!r} has no attribute {wanted!r}")
        if f"{name}.{wanted}" in PRIVATE:
            return import_module(f"{name}.{wanted}")
        for source in sources:
            found = getattr(import_module(source), wanted, _NOTHING)
            if found is not _NOTHING:
                return found
        raise NotThereYet(missing=f"{name}.{wanted}")

    return __getattr__


_NOTHING = object()
