"""What `importlib.metadata` tells about a package that Perspicax stands for."""
from __future__ import annotations

from importlib.metadata import Distribution
from os import PathLike
from pathlib import Path

__all__ = ["StandIn"]


class StandIn(Distribution):
    """A distribution that has a name and a version, and no files."""

    def __init__(self, name: str, version: str) -> None:
        self._metadata = f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\nSummary: Perspicax, as {name}\n"

    def read_text(self, filename: str) -> str | None:
        """The text of a metadata file; there is only `METADATA`."""
        return self._metadata if filename == "METADATA" else None

    def locate_file(self, path: str | PathLike[str]) -> Path:
        """Where a file of the package would be: beside this one."""
        return Path(__file__).parents[1] / path
