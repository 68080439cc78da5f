"""Where the sanitizers are called from that do not look at what runs: at the end of a trace, before a function is traced, …"""
from __future__ import annotations

from collections.abc import Callable
from typing import Any

from perspicax.core.report_hooks import ends_watched
from perspicax.diagnose.watched import (
    broadcasts_watched,
    casts_watched,
    promotions_watched,
    requests_watched,
    results_watched,
    states_watched,
)
from perspicax.transform.jit import traces_watched
from perspicax.transform.stage import calls_watched

_started: dict[str, list[tuple[list, Callable[..., Any]]]] = {}


def start(name: str) -> None:
    """Let a sanitizer be called."""
    _started[name] = _hooks(name)
    for place, hook in _started[name]:
        place.append(hook)


def stop(name: str) -> None:
    """Call it no longer."""
    for place, hook in _started.pop(name, ()):
        place.remove(hook)


def _hooks(name: str) -> list[tuple[list, Callable[..., Any]]]:
    match name:
        case "leaks":
            from perspicax.sanitize import leaks  # each is loaded when it is first wanted

            return [(ends_watched, leaks.watch_end)]
        case "recompiles":
            from perspicax.sanitize import recompiles

            recompiles.forget()
            return [(traces_watched, recompiles.watch_trace)]
        case "updates":
            from perspicax.sanitize import states, updates

            return [(calls_watched, updates.watch_call), (results_watched, updates.watch_result),
                    (states_watched, states.watch_applied)]
        case "constants":
            from perspicax.sanitize import constants, stale

            return [(calls_watched, constants.watch_call), (traces_watched, constants.watch_trace),
                    (traces_watched, stale.watch_trace)]
        case "broadcast":
            from perspicax.sanitize import broadcast

            return [(broadcasts_watched, broadcast.watch)]
        case "precision":
            from perspicax.sanitize import precision, promotion

            return [(casts_watched, precision.watch_value), (requests_watched, precision.watch_request),
                    (promotions_watched, promotion.watch)]
    return []


__all__ = ["start", "stop"]
