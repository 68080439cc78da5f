"""Turns the ledger of keys on and off, as the configuration says; the ledger itself is loaded when it is first on."""
from __future__ import annotations

from typing import Any

from perspicax.core.config import debug_key_reuse, local, sanitize
from perspicax.core.context import evaluator

_ledger: list[Any] = []  # the trace of the ledger, once it was on


def wanted() -> bool:
    """Whether keys are followed in this thread."""
    return bool(debug_key_reuse.value) or "keys" in [name.strip() for name in sanitize.value.split(",")]


def _everywhere() -> bool:
    named = [name.strip() for name in str(sanitize.get_global()).split(",")]
    return bool(debug_key_reuse.get_global()) or "keys" in named


def _trace() -> Any:
    if not _ledger:
        from perspicax.sanitize.keys import LedgerTrace  # for its weight: hardly any program turns it on

        _ledger.append(LedgerTrace(evaluator()))
    return _ledger[0]


def _follow() -> None:
    """Put the ledger between the evaluator and those who use it, or take it away.

    A thread that is amidst a transformation keeps what it has: its operations run where the transformation began.
    """
    if not _ledger and not (debug_key_reuse.touched or sanitize.touched):
        return
    base = _trace() if _everywhere() else evaluator()
    type(local).trace = base  # type: ignore[misc]
    here = _trace() if wanted() else evaluator()
    if local.trace is evaluator() or (_ledger and local.trace is _ledger[0]):
        local.trace = here


for _option in (debug_key_reuse, sanitize):
    _option.watch(_follow)
_follow()
