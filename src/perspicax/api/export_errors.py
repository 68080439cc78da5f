"""Errors of `export`: what cannot be exported, calls that do not fit, and bytes that cannot be read."""
from __future__ import annotations

from perspicax.diagnose.errors import ReportedError

__all__ = ["ExportError", "ExportFormatError", "ExportUnsupportedError", "ExportedCallError"]


class ExportError(ReportedError, ValueError, TypeError):
    """A function cannot be exported in this way, or what is exported cannot be serialized."""


class ExportUnsupportedError(ReportedError, NotImplementedError):
    """A function holds something that does not exist outside of this process, or that cannot be exported yet."""


class ExportedCallError(ReportedError, ValueError):
    """An exported function was called with arguments, or on a platform, that it was not exported for."""


class ExportFormatError(ReportedError, ValueError):
    """Bytes are no exported function, or are damaged, incomplete, or of a newer version."""
