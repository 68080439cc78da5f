"""The order of names with numbers in them, as people put them."""
from __future__ import annotations

import re
from collections.abc import Iterable

__all__ = ["natural_sort", "number_at_end"]

_NUMBER = r"(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?"
_SIGNED, _UNSIGNED = re.compile(rf"([-+]?{_NUMBER})"), re.compile(rf"[-+]?({_NUMBER})")


def natural_sort(file_list: Iterable[str], signed: bool = True) -> list[str]:
    """Sort names by the numbers in them: `step_2` before `step_10`, `step_-1` before both.

    Args:
        file_list: the names, or paths.
        signed: whether a `-` or `+` before a number belongs to it; otherwise it counts for nothing.

    Returns:
        A new list. Names that differ in letters alone are in the order of their characters.

    >>> natural_sort(["ckpt_10", "ckpt_1e5", "ckpt_0.5", "ckpt_9"])
    ['ckpt_0.5', 'ckpt_9', 'ckpt_10', 'ckpt_1e5']
    """
    pattern = _SIGNED if signed else _UNSIGNED

    def key(name: str) -> list[str | float]:
        # Letters and numbers alternate, beginning with letters, so that like is compared with like.
        return [float(part) if i % 2 else part for i, part in enumerate(pattern.split(name))]

    return sorted(file_list, key=key)


def number_at_end(path: str) -> float | None:
    """The number that a name ends with; `None` if it ends with none."""
    found = re.search(rf"[-+]?{_NUMBER}$", path)
    return float(found[0]) if found else None
