"""The names below `jax._src` that widely used libraries import, served from our public ones."""
from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from types import ModuleType
from typing import Any

from perspicax.diagnose.facade import NotThereYet

__all__ = ["PRIVATE", "STAND_INS", "private_module"]

# For each private module the public modules of ours that have names of the same meaning, in the order to ask them.
PRIVATE: dict[str, tuple[str, ...]] = {
    "jax._src": (),
    "jax._src.api": ("perspicax",),
    "jax._src.config": ("perspicax.core.config",),
    "jax._src.checkify": ("perspicax.experimental.checkify", "perspicax.compat.stand_ins.names"),
    "jax._src.core": ("perspicax.core", "perspicax.extend.core", "perspicax.compat.stand_ins.names"),
    "jax._src.ad_util": ("perspicax.lax", "perspicax.interpreters.ad"),
    "jax._src.dispatch": (),
    "jax._src.dtypes": ("perspicax.compat.stand_ins.extended_dtypes", "perspicax.dtypes", "perspicax.core.dtypes"),
    "jax._src.flatten_util": ("perspicax.flatten_util",),
    "jax._src.interpreters": (),
    "jax._src.prng": ("perspicax.extend.random",),
    "jax._src.public_test_util": ("perspicax.test_util",),
    "jax._src.random": ("perspicax.random",),
    "jax._src.state": (),
    "jax._src.state.types": ("perspicax.api.refs",),
    "jax._src.tree_util": ("perspicax.tree_util", "perspicax.core.tree_prefix", "perspicax.compat.stand_ins.tree_registry"),
    "jax._src.typing": ("perspicax.typing",),
}

_OWN = "perspicax.compat.stand_ins"
# Modules that are there for libraries alone: private ones of JAX, and public ones until Perspicax has its own.
STAND_INS: dict[str, str] = {
    "jax._src.compiler": f"{_OWN}.compiler",
    "jax._src.earray": f"{_OWN}.earray",
    "jax._src.interpreters.pxla": f"{_OWN}.pxla",
    "jax._src.traceback_util": f"{_OWN}.traceback_util",
    "jax._src.xla_bridge": f"{_OWN}.xla_bridge",
    "perspicax.extend.source_info_util": f"{_OWN}.source_info_util",
    "perspicax.experimental.hijax": f"{_OWN}.hijax",
    "perspicax.experimental.sparse": f"{_OWN}.sparse",
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
        if f"{name}.{wanted}" in PRIVATE or f"{name}.{wanted}" in STAND_INS:
            return import_module(f"{name}.{wanted}")
        for source in sources:
            found = getattr(import_module(source), wanted, _NOTHING)
            if found is not _NOTHING:
                return found
            if wanted.startswith("_"):
                found = getattr(import_module(source), wanted.lstrip("_"), _NOTHING)  # a private name of a public thing
                if found is not _NOTHING:
                    return found
        raise NotThereYet(missing=f"{name}.{wanted}")

    return __getattr__


_NOTHING = object()
