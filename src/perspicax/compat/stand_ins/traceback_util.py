"""Stands for `jax._src.traceback_util`: libraries mark their own files by it, so that tracebacks leave them out."""
from __future__ import annotations

from collections.abc import Callable
from types import FrameType
from typing import Any

from perspicax.diagnose import mark_internal
from perspicax.diagnose.boundary import public
from perspicax.diagnose.frames import INTERNAL, kind_of

__all__ = ["api_boundary", "include_frame", "register_exclusion"]

_exclude_paths: list[str] = []
"""The files that were marked. Flax takes some out again and puts them back, which changes nothing here."""


def register_exclusion(path: str) -> None:
    """Leave the frames of a file out of tracebacks."""
    _exclude_paths.append(path)
    mark_internal(path)


def include_frame(frame: FrameType) -> bool:
    """Whether tracebacks show a frame."""
    return kind_of(frame.f_code.co_filename) != INTERNAL


def api_boundary(fun: Callable[..., Any], **_: Any) -> Callable[..., Any]:
    """Let errors leave a function with the user's frames only."""
    return public(fun)
