"""Turns the sanitizers on and off, as the configuration says; each is loaded when it is first on.

Sanitizers that look at what runs are traces between the evaluator and those who use it: while none is on there is no such
trace. The others are called from the places that they watch, which ask an empty list while they are off.
"""
from __future__ import annotations

import sys
from typing import Any

from perspicax.core.config import debug_key_reuse, local, sanitize
from perspicax.core.context import evaluator
from perspicax.core.trace import Trace
from perspicax.sanitize.names import NAMES, parse

_ledger: list[Any] = []  # the trace of the ledger of keys, once it was on
_eyes: dict[frozenset[str], Any] = {}
_bases: list[Any] = []  # all traces that were made here
_watching: set[str] = set()  # sanitizers without a trace that are on in some thread

LOOKING = frozenset({"bounds", "nans", "precision", "updates"})  # those that look at what runs
WATCHING = frozenset({"broadcast", "constants", "leaks", "precision", "recompiles", "updates"})  # those that are called


def active() -> frozenset[str]:
    """The sanitizers that are on in this thread."""
    return parse(sanitize.value)


def _base(names: frozenset[str], keys: bool) -> Trace:
    """What processes operations below all transformations, with these sanitizers."""
    found: Trace = evaluator()
    looking = names & LOOKING
    if looking:
        if looking not in _eyes:
            from perspicax.sanitize.looks import eye  # for its weight: hardly any program turns it on

            _eyes[looking] = eye(looking)
            _bases.append(_eyes[looking])
        found = _eyes[looking]
    if not keys:
        return found
    for ledger in _ledger:
        if ledger.parent is found:
            return ledger
    from perspicax.sanitize.keys import LedgerTrace  # likewise

    made = LedgerTrace(found, _ledger[0].ledger if _ledger else None)
    _ledger.append(made)
    _bases.append(made)
    return made


def _follow() -> None:
    """Put the traces between the evaluator and those who use it, or take them away.

    A thread that is amidst a transformation keeps what it has: its operations run where the transformation began.
    """
    if not _bases and not _watching and not (debug_key_reuse.touched or sanitize.touched):
        return
    everywhere, here = parse(str(sanitize.get_global())), active()
    base = _base(everywhere, bool(debug_key_reuse.get_global()) or "keys" in everywhere)
    type(local).trace = base  # type: ignore[misc]
    if local.trace is evaluator() or any(local.trace is known for known in _bases):
        local.trace = _base(here, bool(debug_key_reuse.value) or "keys" in here)
    _watch((everywhere | here) & WATCHING)


def _watch(wanted: frozenset[str]) -> None:
    """Let those be called that are on in some thread; each asks for itself whether it is on in the thread that calls.

    One that is on in another thread stays.
    """
    if sanitize._entered == 0:
        _stop(_watching - wanted)
    for name in sorted(wanted - _watching):
        from perspicax.sanitize.watches import start  # for its weight

        start(name)
        _watching.add(name)
    if not sanitize.touched:
        if "perspicax.sanitize.nans" in sys.modules:
            from perspicax.sanitize.nans import finish

            finish()
        from perspicax.sanitize.telling import forget_told

        forget_told()


def _stop(names: set[str]) -> None:
    for name in names:
        from perspicax.sanitize.watches import stop

        stop(name)
    _watching.difference_update(names)


def _check(value: Any) -> None:
    """Refuse unknown names before they are set."""
    parse(str(value))


sanitize.before_change(_check)
for _option in (debug_key_reuse, sanitize):
    _option.watch(_follow)
_follow()

__all__ = ["LOOKING", "NAMES", "WATCHING", "active"]
