"""The sanitizer `recompiles`: a function of the user's that is compiled again and again, with what changed each time."""
from __future__ import annotations

import re
import threading
from collections.abc import Callable, Iterable
from types import CodeType
from typing import Any

from perspicax.core.config import recompiles, sanitize
from perspicax.core.jaxpr import ClosedJaxpr
from perspicax.diagnose.frames import USER, kind_of, user_position
from perspicax.diagnose.render.text import ordinal
from perspicax.diagnose.report import Fix
from perspicax.diagnose.source import function_span
from perspicax.sanitize.findings import Recompilation
from perspicax.sanitize.names import parse
from perspicax.sanitize.telling import found
from perspicax.transform.cache_misses import Difference, differences
from perspicax.xla.mesh import current_mesh, entered_mesh

MOST_TOLD = 6
_lock = threading.Lock()


class History:
    """What was compiled of one function, told apart by its code: a lambda that is made anew has the code of the last one.

    Attributes:
        keys: what it was compiled for, in order.
        functions: how many function objects had this code.
    """

    __slots__ = ("functions", "keys", "last", "told")

    def __init__(self) -> None:
        self.keys: list[tuple] = []
        self.functions = 0
        self.last: list[Difference] = []
        self.told = 0


_histories: dict[tuple[CodeType, Any, Any], History] = {}
"""By code, and by the meshes that are in force: a program for other devices is another one on purpose."""


def watch_trace(fun: Callable[..., Any], name: str, closed: ClosedJaxpr, kept: Iterable[tuple], key: tuple,
                static_name: Callable[[Any], str]) -> None:
    """Look at a function that was traced, to be compiled."""
    code = getattr(fun, "__code__", None)
    if "recompiles" not in parse(sanitize.value) or not isinstance(code, CodeType) or kind_of(code.co_filename) != USER:
        return
    if closed.jaxpr.invars and any(not hasattr(v.aval, "shape") for v in closed.jaxpr.invars):
        return
    with _lock:
        history = _histories.setdefault((code, current_mesh.value, entered_mesh.value), History())
        new = not list(kept)  # nothing was traced of this object: it is another one than before
        history.functions += new
        if new and history.keys and _same(history.keys, key):
            repeated = True
        elif _same(history.keys, key):
            return  # forgotten since, on purpose (`clear_caches`) or for want of room
        else:
            repeated = False
        changed = [] if repeated or not history.keys else differences(fun, history.keys[-1], key, static_name)
        history.keys.append(key)
        count = len(history.keys)
        if count <= max(recompiles.value, 1) or history.told:
            history.last = changed
            return
        history.told = count
        rows = _rows(fun, history, static_name)
    _tell(fun, name, count, rows, changed, repeated or history.functions == count)


def _same(keys: list[tuple], key: tuple) -> bool:
    return any(key[1:] == other[1:] for other in keys)


def _rows(fun: Any, history: History, static_name: Callable[[Any], str]) -> tuple[str, ...]:
    """What changed from each compilation to the next."""
    rows = []
    for number, (before, now) in enumerate(zip(history.keys, history.keys[1:]), 2):
        changed = [_shown(d) for d in differences(fun, before, now, static_name)] if before[1:] != now[1:] else []
        rows.append(f"{ordinal(number - 1)} time: {'; '.join(changed[:3]) or 'a new function object'}")
    if len(rows) > MOST_TOLD:
        rows = [*rows[:2], "...", *rows[-(MOST_TOLD - 3):]]
    return tuple(rows)


def _shown(difference: Difference) -> str:
    """On one line, and without addresses, which tell the user nothing."""
    return re.sub(r"(?: at|@) ?0x[0-9a-fA-F]+", "", " ".join(str(difference).split()))


def _tell(fun: Any, name: str, count: int, rows: tuple[str, ...], changed: list[Difference], anew: bool) -> None:
    names = tuple(dict.fromkeys(d.path for d in changed if d.path))
    kinds = {d.kind for d in changed}
    position = user_position(2)
    fixes: list[Fix] = []
    argument = names[0] if names else "the argument"
    if anew:
        fixes.append(Fix("define and jit the function once, outside of the loop or function that calls it"))
    if "shape" in kinds:
        fixes.append(Fix(f"keep one shape: pad `{argument}` to a fixed size, with a mask or a count of what is valid (or round "
                         "sizes up to a few buckets)", code=_padded(argument)))
    if "static" in kinds:
        fixes.append(Fix(f"pass `{argument}` as an ordinary argument, not a static one, unless its value decides shapes"))
    for kind, path, _, cls in changed:
        if kind == "identity":
            fixes += [Fix(f"let objects of `{cls}` of the same contents be equal: make it a frozen dataclass",
                          code="@dataclasses.dataclass(frozen=True)"),
                      Fix(f"make `{path}` once, and pass that one object at each call")]
    if "dtype" in kinds:
        fixes.append(Fix(f"convert `{argument}` to one dtype before the call", code=f"{argument} = jnp.asarray({argument}, "
                                                                                "jnp.float32)"))
    if "weak_type" in kinds:
        fixes.append(Fix(f"pass an array for `{argument}` at every call, or a Python number at every call",
                         code=f"jnp.float32({argument})"))
    if "structure" in kinds:
        fixes.append(Fix("call with arguments of one structure: the same keys, lengths and keyword arguments"))
    if "option" in kinds:
        fixes.append(Fix("set the option once, before the first call"))
    found(Recompilation(function=name, count=count, differences=rows, fixes=tuple(fixes), definition=function_span(fun),
                        changing=names, new_function=anew, position=position))


def _padded(argument: str) -> str:
    return f"{argument} = jnp.pad({argument}, (0, size - len({argument})))" if argument.isidentifier() else ""


def forget() -> None:
    """Begin to count anew."""
    with _lock:
        _histories.clear()


__all__ = ["forget", "watch_trace"]
