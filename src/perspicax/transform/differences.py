"""Where two structures differ, in words, for the reports of transformations."""
from __future__ import annotations

from typing import Any

__all__ = ["differences"]


def differences(lead: str, expected: Any, got: Any, expected_name: str, got_name: str, most: int = 6,
                prefix: bool = False) -> str:
    """A sentence, and below it where two structures differ, each place by its path.

    Args:
        lead: the sentence, without its end.
        expected, got: trees, or treedefs.
        expected_name, got_name: what the user calls them.
        most: how many places are listed.
        prefix: whether `got` may be a prefix of `expected`, in which None is a leaf.
    """
    from perspicax.core.tree_mismatch import explain_mismatch  # only a report needs it

    found = explain_mismatch(expected, got, expected_name, got_name, prefix="actual" if prefix else None,
                             is_leaf=(lambda x: x is None) if prefix else None)
    if not found:
        return f"{lead}."
    if len(found) > most:
        found = [*found[:most - 1], f"and {len(found) - most + 1} places more"]
    return "\n".join([f"{lead}:", *[f"    {line}" for line in found]])
