"""Packages that only some features need."""

from __future__ import annotations

import importlib
from types import ModuleType

from perspicax.diagnose.errors import PerspicaxError
from perspicax.diagnose.report import Fix, Report

__all__ = ["MissingPackageError", "optional"]


class MissingPackageError(PerspicaxError, ModuleNotFoundError):
    """A feature was used whose package is not installed.

    Attributes:
        package: the module that was looked for.
        extra: the extra of Perspicax that brings it; empty if none does.
        needed_for: what it is needed for, as it stands in a sentence.
    """

    package: str
    extra: str
    needed_for: str

    @property
    def name(self) -> str:  # type: ignore[override]
        """As `ImportError` has it: the module that was not found."""
        return self.package

    @property
    def report(self) -> Report:
        return Report(
            says=f"The package `{self.package}` is not installed; it is needed for {self.needed_for}.",
            why=f"Perspicax works without it, so that it comes only with the extra `{self.extra}`." if self.extra else
                "Perspicax works without it, and no extra brings it.",
            fixes=(Fix("install it", code=f'pip install "perspicax[{self.extra}]"' if self.extra else
                       f"pip install {self.package.partition('.')[0]}"),),
        )


def optional(name: str, *, extra: str, needed_for: str) -> ModuleType:
    """Import a package that may not be there. Call it where the package is used.

    Args:
        name: the module to import.
        extra: the extra of Perspicax that brings it.
        needed_for: what it is needed for, e.g. "`save_checkpoint` of a sharded array".

    Raises:
        MissingPackageError: it is not installed. An error inside an installed package comes through as it is.
    """
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        # Only if it is this package that is missing; a dependency that it misses itself is its own affair.
        if error.name is None or not (name == error.name or name.startswith(error.name + ".")):
            raise
    raise MissingPackageError(package=name, extra=extra, needed_for=needed_for)
