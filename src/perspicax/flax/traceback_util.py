"""Which frames tracebacks show: `flax.traceback_util`."""
from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import ParamSpec, TypeVar

from perspicax.diagnose import mark_internal, trim
from perspicax.flax.configurations import config as config

__all__ = ["api_boundary", "config", "hide_flax_in_tracebacks", "register_exclusion", "show_flax_in_tracebacks"]

P = ParamSpec("P")
R = TypeVar("R")


def register_exclusion(path: str) -> None:
    """Count a file among Flax's own: its frames are left out of tracebacks.

    Args:
        path: the file, as code objects name it (`__file__`).
    """
    mark_internal(path)


def hide_flax_in_tracebacks() -> None:
    """Leave frames of Flax out of tracebacks, which is the default."""
    config.update("flax_filter_frames", True)


def show_flax_in_tracebacks() -> None:
    """Show frames of Flax in tracebacks."""
    config.update("flax_filter_frames", False)


def api_boundary(fun: Callable[P, R]) -> Callable[P, R]:
    """Let errors leave a function with the user's frames only."""
    @wraps(fun)
    def call(*args: P.args, **kwargs: P.kwargs) -> R:
        try:
            return fun(*args, **kwargs)
        except Exception as error:
            trim_frames(error)
            raise

    return call


def trim_frames(error: Exception) -> None:
    """Leave the frames of Flax out of an error's traceback, unless the configuration shows them."""
    if config.flax_filter_frames:
        trim(error)
