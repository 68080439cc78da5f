"""SciPy's BLAS and LAPACK for jaxlib, without the rest of SciPy's linear algebra."""
from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import util
from importlib.machinery import PathFinder

PACKAGE = "scipy.linalg"
MODULES = ("cython_blas", "cython_lapack")


@contextmanager
def scipy_kernels() -> Iterator[None]:
    """A `with` block in which jaxlib finds `cython_blas` and `cython_lapack` without their package being imported.

    jaxlib takes the addresses of their functions, and nothing else of SciPy. The package, which Python would import before
    either, is 200 modules that take most of the time of a program's first factorisation. The two need none of them.

    Afterwards they are taken out again, so that the package is put together as always where somebody imports it: an
    extension module is made once a process, and given out again.
    """
    made = [] if PACKAGE in sys.modules else _load()
    try:
        yield
    finally:
        for name in made:
            sys.modules.pop(name, None)


def _load() -> list[str]:
    """Load the modules, and give their names; none, where the ordinary import has to do it."""
    package = util.find_spec(PACKAGE)
    folders = package.submodule_search_locations if package is not None else None
    made: list[str] = []
    for name in [f"{PACKAGE}.{module}" for module in MODULES]:
        spec = PathFinder.find_spec(name, folders)
        if spec is None or spec.loader is None:
            return made
        module = util.module_from_spec(spec)
        sys.modules[name] = module
        made.append(name)
        spec.loader.exec_module(module)
    return made


__all__ = ["scipy_kernels"]
