"""Errors of the bytes of `flax.serialization`."""
from __future__ import annotations

from perspicax.diagnose.errors import PerspicaxError
from perspicax.diagnose.report import Fix, Report
from perspicax.flax.error_base import short

__all__ = ["DamagedBytesError", "NotSerializableError", "place_in_tree"]


def place_in_tree(path: tuple[str | int, ...]) -> str:
    """Where a value is in a tree, in words: `['params']['kernel']`, or "the top"."""
    shown = [f"[{short(part)}]" for part in path]
    return "".join(shown if len(shown) <= 12 else [*shown[:6], "[...]", *shown[-4:]]) or "the top"


class NotSerializableError(PerspicaxError, TypeError, ValueError, OverflowError):
    """A tree was to be written as bytes that has something which the format cannot hold.

    Attributes:
        path: where it is, as keys from the top.
        found: what it is, as it stands in a sentence.
        because: the rule of the format.
        remedy: what to do about it; may be empty.
    """

    path: tuple[str | int, ...]
    found: str
    because: str
    remedy: str = ""

    @property
    def report(self) -> Report:
        return Report(says=f"{self.found} at {place_in_tree(self.path)} cannot be written as bytes.", why=self.because,
                      fixes=(Fix(self.remedy),) if self.remedy else ())


class DamagedBytesError(PerspicaxError, ValueError):
    """Bytes were to be read as a tree that are no whole and sound tree.

    Attributes:
        path: where in the tree the reader was, as keys from the top.
        offset: the byte at which it found the fault.
        size: how many bytes there are.
        fault: what is wrong there, as a sentence without a full stop.
        source: the file that they came from; may be empty.
    """

    path: tuple[str | int, ...]
    offset: int
    size: int
    fault: str
    source: str = ""

    @property
    def report(self) -> Report:
        whose = f"The file {self.source!r}" if self.source else "The bytes"
        return Report(
            says=f"{whose} cannot be read: at {place_in_tree(self.path)}"
                 + (f", byte {self.offset:,} of {self.size:,}" if self.size else "") + f", {self.fault}.",
            why="what was written by `to_bytes` or `save_checkpoint` reads back whole; these bytes were cut off, changed, "
                "or written by something else",
            fixes=(Fix("restore an earlier checkpoint", code="restore_checkpoint(folder, target, step=...)"),)
            if self.source else ())
