"""Makes `import jax` (and `import flax`) give the modules of Perspicax: the same objects, under a second name."""
from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence
from importlib import import_module
from importlib.machinery import ModuleSpec, PathFinder
from types import ModuleType
from typing import Any

from perspicax.compat.errors import ReferenceImportedError
from perspicax.compat.modules import ROOTS, VERSIONS, is_public
from perspicax.compat.private import PRIVATE, STAND_INS, private_module
from perspicax.diagnose.facade import ModuleNotThereYet

__all__ = ["Finder", "install"]


class Finder:
    """A finder of the import system for the packages in `roots`; it stands first, so that nothing else is found."""

    def __init__(self) -> None:
        self.roots: dict[str, str] = {}

    def find_spec(self, fullname: str, path: Sequence[str] | None = None,
                  target: ModuleType | None = None) -> ModuleSpec | None:
        """The spec of a module below one of the roots; `None` for all others.

        Raises:
            ModuleNotFoundError: the package has no such module. (Python would go on to look for a file of this name
                in our package's folder, and load it a second time.)
        """
        if fullname in STAND_INS and self.roots and not _has_file(fullname, path):
            return ModuleSpec(fullname, SameModule(STAND_INS[fullname]), is_package=True)  # type: ignore[arg-type]
        root, _, rest = fullname.partition(".")
        ours = self.roots.get(root)
        if ours is None:
            return None
        if rest == "_src" or rest.startswith("_src."):
            return ModuleSpec(fullname, PrivateLoader(), is_package=True)  # type: ignore[arg-type]  # by its methods, it is one
        if not is_public(fullname):
            raise ModuleNotFoundError(f"No module named {fullname!r}", name=fullname)
        return ModuleSpec(fullname, SameModule(f"{ours}.{rest}" if rest else ours), is_package=True)  # type: ignore[arg-type]

    def find_distributions(self, context: Any) -> Iterable[Any]:
        """What `importlib.metadata` shows for the packages in `roots`: libraries ask for the version of JAX."""
        name = (context.name or "").lower()
        if name not in self.roots:
            return ()
        from perspicax.compat.distribution import StandIn  # it loads the whole of `email`

        return (StandIn(name, VERSIONS[name]),)

    def invalidate_caches(self) -> None:
        """Nothing is cached."""


def _has_file(fullname: str, path: Sequence[str] | None) -> bool:
    """Whether Perspicax has a module of this name itself: then nothing stands for it."""
    return fullname.startswith("perspicax.") and PathFinder.find_spec(fullname, path) is not None


class SameModule:
    """A loader that gives a module of ours as it is."""

    def __init__(self, ours: str) -> None:
        self.ours = ours
        self.spec: Any = None

    def create_module(self, spec: ModuleSpec) -> ModuleType:
        """The module of ours, imported if it was not yet."""
        try:
            module = import_module(self.ours)
        except ModuleNotFoundError as error:
            if error.name is None or not (self.ours == error.name or self.ours.startswith(f"{error.name}.")):
                raise
            raise ModuleNotThereYet(missing=spec.name, asked_by=importer()) from None
        self.spec = module.__spec__
        return module

    def exec_module(self, module: ModuleType) -> None:
        """It has been executed; but Python has just written the second name's spec into it."""
        module.__spec__ = self.spec


class PrivateLoader:
    """A loader for the few modules below `jax._src` that libraries on top import, in spite of its name."""

    def create_module(self, spec: ModuleSpec) -> ModuleType:
        if spec.name not in PRIVATE:
            raise ModuleNotThereYet(
                missing=spec.name, asked_by=importer(),
                why="what lies below `jax._src` is private to JAX and changes with each release; Perspicax offers "
                    "JAX's public interface, and of the private modules only those that widely used libraries need")
        return private_module(spec.name)

    def exec_module(self, module: ModuleType) -> None:
        """It is complete already."""


def importer() -> str:
    """The module whose code executes the import that is going on."""
    frame = sys._getframe(1)
    while frame is not None:
        name = frame.f_globals.get("__name__", "")
        if not name.startswith(("importlib", "perspicax.compat", "_frozen")):
            return "" if name == "__main__" else name
        frame = frame.f_back  # type: ignore[assignment]
    return ""


_finder = Finder()


def install(flax: bool = True) -> None:
    """From now on, let `import jax` mean Perspicax in this process; also `import flax`, unless `flax` is false.

    Args:
        flax: whether Flax too is Perspicax's. With `False` the installed Flax is used, on top of our JAX.

    Raises:
        ReferenceImportedError: JAX (or Flax) has been imported already.

    The modules are the same objects under both names: `jax.numpy is perspicax.numpy`. Calling it again does nothing.
    """
    wanted = {name: ours for name, ours in ROOTS.items() if name == "jax" or flax}
    for name, ours in wanted.items():
        before = sys.modules.get(name)
        if before is not None and before.__name__ != ours:
            raise ReferenceImportedError(package=name, file=getattr(before, "__file__", None) or "another finder")
    _finder.roots.update(wanted)
    if _finder not in sys.meta_path:
        sys.meta_path.insert(0, _finder)  # type: ignore[arg-type]
    import perspicax

    perspicax.__version__ = VERSIONS["jax"]
    perspicax.__version_info__ = tuple(int(part) for part in VERSIONS["jax"].split("."))
