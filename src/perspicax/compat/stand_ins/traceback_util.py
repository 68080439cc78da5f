"""Stands for `jax._src.traceback_util`: Flax marks its own files by it, so that tracebacks leave them out."""
from __future__ import annotations

from collections.abc import Callable
from typing import Any

from perspicax.diagnose import mark_internal
from perspicax.diagnose.boundary import public

__all__ = ["api_boundary", "register_exclusion"]

_exclude_paths: list[str] = []
"""The files that were marked. Flax takes some out again and puts them back, which changes nothing here."""


def register_exclusion(path: str) -> None:
    """Leave the frames of a file out of tracebacks."""
    _exclude_paths.append(path)
    mark_internal(path)


def api_boundary(fun: Callable[..., Any], **_: Any) -> Callable[..., Any]:
    """Let errors leave a function with the user's frames only."""
    return public(fun)
