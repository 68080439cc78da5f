"""Whether processes agree on the values that all of them put onto the devices of all."""
from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Sequence
from typing import Any

import numpy as np

from perspicax.api.process_errors import ProcessesDifferError
from perspicax.core.tracer import Tracer, get_aval
from perspicax.random.keys import key_data
from perspicax.xla.array import ArrayImpl
from perspicax.xla.processes import membership

__all__ = ["LONGEST", "LONGEST_NOTE", "check_agreement"]

LONGEST_NOTE = 10**5  # characters
LONGEST = 10.0**8  # seconds; a barrier without a limit of its own ends when a process is lost
FEW = 4  # values that are shown


def check_agreement(flat: Sequence[Any], places: Sequence[Any], paths: Any) -> None:
    """Raise unless all processes put the same values where devices of several hold them.

    Args:
        flat: the values.
        places: for each where it is put.
        paths: a function of an index that tells the path of a value.

    Raises:
        ProcessesDifferError: they do not: without a word, what is called one array would be several.
        BarrierNamesError: another process waits for something else.
        ProcessLostError: one is gone.
    """
    us = membership.current()
    if us is None:
        return
    common: dict[tuple[int, ...], list[int]] = {}
    for i, (x, place) in enumerate(zip(flat, places)):
        if place is not None and not isinstance(x, Tracer) and not place.is_fully_addressable and (
                type(x) is not ArrayImpl or x.is_fully_addressable):
            common.setdefault(tuple(sorted({d.process_index for d in place.devices})), []).append(i)
    for processes, found in common.items():
        if us.process in processes and len(processes) > 1:
            _compare(us, processes, [(paths(i), *_described(flat[i])) for i in found])


def _described(x: Any) -> tuple[str, str]:
    """How a value shows, and a digest of its bytes."""
    aval: Any = get_aval(x)
    value = np.asarray(key_data(x)) if aval.extended else np.asarray(x).astype(aval.dtype, copy=False)  # as it is put
    few = f"{value.tolist()}" if value.size <= FEW else f"[{', '.join(map(str, value.reshape(-1)[:FEW]))}, ...]"
    return f"{aval.str_short()} {few}", hashlib.blake2b(np.ascontiguousarray(value).tobytes(), digest_size=8).hexdigest()


def _compare(us: Any, processes: tuple[int, ...], rows: list[tuple[str, str, str]]) -> None:
    mine = json.dumps(rows)
    if len(mine) > LONGEST_NOTE:  # of very many only whether they differ
        mine = json.dumps([("", f"a tree of {len(rows)} arrays", hashlib.blake2b(mine.encode(), digest_size=8).hexdigest())])
    alone = threading.current_thread() is threading.main_thread()  # else others of this process may go on
    notes = us.link.barrier(f"device_put onto the devices of processes {', '.join(map(str, processes))}", LONGEST, here=alone,
                            note=mine, processes=processes)
    other = next((p for p, note in sorted(notes.items()) if note != mine), None)
    if other is None:
        return
    here, there = [{path: (shown, digest) for path, shown, digest in json.loads(note)} for note in (mine, notes[other])]
    different = tuple([(path, *_apart(here.get(path), there.get(path))) for path in {**here, **there}
                       if here.get(path) != there.get(path)])
    raise ProcessesDifferError(paths=different, me=us.process, other=other, placed=True,
                               message="`device_put` was told to make arrays over several processes of values that differ")


def _apart(mine: tuple[str, str] | None, theirs: tuple[str, str] | None) -> tuple[str, str]:
    """How two values show; with their digests where they show the same."""
    if mine is None or theirs is None or mine[0] != theirs[0]:
        return "missing" if mine is None else mine[0], "missing" if theirs is None else theirs[0]
    return f"{mine[0]} (digest {mine[1]})", f"{theirs[0]} (digest {theirs[1]})"
