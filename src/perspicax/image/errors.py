"""Errors of resampling."""
from __future__ import annotations

from perspicax.diagnose.errors import ReportedError


class ResizeError(ReportedError, ValueError, AssertionError):  # JAX raises one or the other
    """An image cannot be resampled as was asked for."""
