"""Where a function of the user's returns, for reports about what it returns."""
from __future__ import annotations

import functools
import inspect
import types
from typing import Any

from perspicax.diagnose.frames import INTERNAL, kind_of
from perspicax.transform.stage import function_name

__all__ = ["return_place", "rule_name"]


def rule_name(rule: Any, role: str) -> str:
    """What a report calls a rule of the user's: its name, or what it is for where it has none."""
    name = function_name(rule)
    return role if name == "<lambda>" else name


def return_place(fun: Any) -> tuple[types.CodeType, int] | None:
    """The place of the only `return` of a function; None where there are several, or none that can be read.

    None too for a function with rules of its own: they may have been run in its place.
    """
    while not getattr(fun, "has_rules", False):
        if isinstance(fun, functools.partial):
            fun = fun.func
        elif hasattr(fun, "__wrapped__"):
            fun = inspect.unwrap(fun)
        else:
            break
    if getattr(fun, "has_rules", False):
        return None
    code = getattr(getattr(fun, "__func__", fun), "__code__", None)
    if not isinstance(code, types.CodeType) or kind_of(code.co_filename) == INTERNAL:
        return None
    if code.co_flags & (inspect.CO_GENERATOR | inspect.CO_COROUTINE):
        return None
    import dis  # only a report needs it

    found = [step.offset for step in dis.get_instructions(code) if step.opname in ("RETURN_VALUE", "RETURN_CONST")]
    return (code, found[0]) if len(found) == 1 else None
