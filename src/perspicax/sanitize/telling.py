"""Tells of a finding: a warning, once for each, or an error."""
from __future__ import annotations

import threading
import warnings

from perspicax.core.config import sanitize
from perspicax.diagnose.place import resolve
from perspicax.sanitize.findings import Finding
from perspicax.sanitize.names import ERROR, parse

_MOST = 4096
_told: set[object] = set()
_lock = threading.Lock()


def found(finding: Finding) -> None:
    """Warn of a finding, once for each place, or raise it where the sanitizers are to raise.

    Raises:
        Finding: `error` is among the sanitizers, or a filter of `warnings` makes errors of these.
    """
    if ERROR in parse(sanitize.value):
        raise finding
    if first_time((type(finding), finding.key)):
        warn(finding)


def warn(finding: Finding) -> None:
    """Warn of a finding, at the place that its report points at."""
    span = resolve(finding.full_report.primary)
    warnings.warn_explicit(finding, type(finding), span.filename if span is not None else "<unknown>",
                           span.line if span is not None else 0)


def first_time(key: object) -> bool:
    """Whether this was not told before, since the sanitizers were turned on."""
    with _lock:
        if key in _told:
            return False
        if len(_told) >= _MOST:
            _told.clear()
        _told.add(key)
        return True


def forget_told() -> None:
    """Tell everything anew."""
    with _lock:
        _told.clear()


__all__ = ["first_time", "forget_told", "found", "warn"]
