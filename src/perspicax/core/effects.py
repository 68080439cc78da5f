"""Effects: what an equation does besides computing its results.

An ordered effect of one kind happens in program order, within a compiled program and from one to the next. An
unordered one only keeps the equation from being dropped.
"""
from __future__ import annotations


class Effect:
    """A kind of side effect. Subclass it, and make one instance that equations carry.

    Attributes:
        ordered: whether effects of this kind keep program order.
        in_loops: whether the bodies of loops and branches may have it.
        in_custom_rules: whether functions with custom derivatives and `remat` may have it.
        in_batched_branches: whether it may happen for entries of a batch that did not choose it (`cond` and `while_loop`
            under vmap, where the condition differs between the entries).
    """

    ordered = False
    in_loops = True
    in_custom_rules = False
    in_batched_branches = False

    def __repr__(self) -> str:
        return type(self).__name__


class RefEffect(Effect):
    """A reference is made, read or written; only what is staged to be looked at has it (`core/refs.py`)."""


Effects = frozenset[Effect]
NO_EFFECTS: Effects = frozenset()


def ordered(effects: Effects) -> list[Effect]:
    """The ordered ones, in a fixed order (by name), so that signatures of compiled functions agree."""
    return sorted((e for e in effects if e.ordered), key=repr) if effects else []
