"""Errors of standing in for another package."""
from __future__ import annotations

from perspicax.diagnose.errors import PerspicaxError
from perspicax.diagnose.report import Fix, Report

__all__ = ["ReferenceImportedError"]


class ReferenceImportedError(PerspicaxError, ImportError):
    """`install` was called after the package that Perspicax stands for had been imported.

    Attributes:
        package: `jax` or `flax`.
        file: where it was imported from.
    """

    package: str
    file: str

    @property
    def report(self) -> Report:
        return Report(
            says=f"`{self.package}` is imported already, from {self.file}, so it cannot come to mean Perspicax.",
            why="whoever imported it holds its functions and classes, and arrays of two implementations do not mix",
            fixes=(Fix(f"install Perspicax before anything imports {self.package}: at the top of the program",
                       code="import perspicax.compat\n\nperspicax.compat.install()"),
                   Fix("run the program unchanged", code="python -m perspicax.compat program.py")))
