"""Rules that say which axes of operands and results belong together, in the manner of einsum: `"a b, b c -> a c"`.

A letter is a *factor*; axes with the same factor are split alike. Parentheses make one axis of several factors, an ellipsis
stands for any leading axes. Shardy's partitioner follows such rules for operations that it does not know.
"""
from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from typing import Any

from perspicax.api.partitioning_errors import ShardingRuleError

__all__ = ["BATCHING", "ArrayMapping", "CompoundFactor", "SdyShardingRule", "parse_rule", "rule_text"]

BATCHING = "…"
"""What stands for any leading axes."""

_TOKEN = re.compile(r"\s*(?:(\.\.\.)|(\w+)|([(),])|(\S))")


def _check_name(name: Any) -> None:
    if not isinstance(name, str) or not re.fullmatch(r"[^\W\d_]\w*", name):
        raise ShardingRuleError(says=f"{name!r} is no name of a factor.",
                                why="a name begins with a letter; letters, digits and underscores follow")


class CompoundFactor(tuple):
    """Several factors that make one axis, the first of them the slowest.

    Args:
        *factors: their names, two at least.

    Raises:
        ShardingRuleError: there are fewer, or one is no name.
    """

    __slots__ = ()

    def __new__(cls, *factors: str) -> CompoundFactor:
        if len(factors) < 2:
            raise ShardingRuleError(says=f"A compound factor was made of {factors!r}.",
                                    why="it joins two factors at least; a single one stands without parentheses")
        for name in factors:
            _check_name(name)
        return tuple.__new__(cls, factors)


class ArrayMapping(tuple):
    """The factors of an array's axes.

    Args:
        *axes: for each axis the name of its factor, or a `CompoundFactor`; the first may be `BATCHING`, which stands for
            any number of leading axes.

    Raises:
        ShardingRuleError: an entry is none of these.
    """

    __slots__ = ()

    def __new__(cls, *axes: str | CompoundFactor) -> ArrayMapping:
        axes = tuple([CompoundFactor(*a) if type(a) is tuple else a for a in axes])
        for i, axis in enumerate(axes):
            if axis == BATCHING:
                if i:
                    raise ShardingRuleError(says="An ellipsis stands behind another axis.",
                                            why="it stands for leading axes, so it comes first in its array")
            elif not isinstance(axis, CompoundFactor):
                _check_name(axis)
        return tuple.__new__(cls, axes)


_KINDS = ("reduction_factors", "need_replication_factors", "permutation_factors")


class SdyShardingRule:
    """Which axes of the operands and results of an operation belong together.

    Args:
        operand_mappings: for each operand the factors of its axes: an `ArrayMapping`, or a tuple of what one is made of.
        result_mappings: the same for each result.
        reduction_factors: factors that the operation sums (or otherwise reduces) over: splitting them is followed by a
            reduction over the devices.
        need_replication_factors: factors that cannot be split.
        permutation_factors: factors along which devices must tell each other parts, when they are split.
        **factor_sizes: the sizes of factors that stand in compound factors alone.

    Raises:
        ShardingRuleError: a factor is named that no array has, a size is missing or not needed.
    """

    def __init__(self, operand_mappings: Sequence[Any], result_mappings: Sequence[Any], *,
                 reduction_factors: tuple[str, ...] = (), need_replication_factors: tuple[str, ...] = (),
                 permutation_factors: tuple[str, ...] = (), **factor_sizes: int) -> None:
        self.operand_mappings = tuple([m if isinstance(m, ArrayMapping) else ArrayMapping(*m) for m in operand_mappings])
        self.result_mappings = tuple([m if isinstance(m, ArrayMapping) else ArrayMapping(*m) for m in result_mappings])
        self.kinds: dict[str, tuple[str, ...]] = dict(zip(_KINDS, (reduction_factors, need_replication_factors,
                                                                   permutation_factors)))
        self.factor_sizes = factor_sizes
        self._check()

    def _check(self) -> None:
        axes = [axis for mapping in (*self.operand_mappings, *self.result_mappings) for axis in mapping]
        whole = {axis for axis in axes if isinstance(axis, str)}
        inner = {name for axis in axes if isinstance(axis, CompoundFactor) for name in axis}
        for kind, names in self.kinds.items():
            if not isinstance(names, tuple):
                raise ShardingRuleError(says=f"`{kind}` is {names!r}.", why="it is a tuple of names of factors",
                                        fix=f"({names!r},)" if isinstance(names, str) else "")
            unknown = next((n for n in names if n not in whole | inner), None)
            if unknown is not None:
                raise ShardingRuleError(says=f"`{kind}` names the factor {unknown!r}, which no array has.",
                                        why=f"the factors of the rule are {', '.join(sorted(whole | inner))}")
        for name in self.factor_sizes:
            if name not in inner or name in whole:
                raise ShardingRuleError(
                    says=f"The rule was given a size for {name!r}.",
                    why="it is a whole axis, so that the array tells its size" if name in whole else "no array has this factor")
        lacking = sorted(inner - whole - set(self.factor_sizes))
        if lacking:
            raise ShardingRuleError(says=f"The size of the factor {lacking[0]!r} is not known.",
                                    why="it stands in compound factors alone, so that no array tells its size",
                                    fix=f"{lacking[0]}=…")

    def __repr__(self) -> str:
        given = "".join([f" {kind}={names}" for kind, names in self.kinds.items() if names])
        return f"SdyShardingRule({_plain(self.operand_mappings)}, {_plain(self.result_mappings)}, {self.factor_sizes}{given})"


def _plain(mappings: Sequence[Sequence[Any]]) -> tuple:
    return tuple([tuple([tuple(a) if isinstance(a, tuple) else a for a in m]) for m in mappings])


# -- from text

def parse_rule(text: Any, kinds: Mapping[str, tuple[str, ...]], sizes: Mapping[str, int]) -> SdyShardingRule:
    """The rule that a text like `"... a (b c) -> ... b"` says.

    Args:
        text: operands, an arrow, results; arrays are separated by commas, factors by spaces.
        kinds: `reduction_factors` and the like.
        sizes: of factors that stand in parentheses alone.

    Raises:
        ShardingRuleError: the text cannot be read.
    """
    if not isinstance(text, str):
        raise ShardingRuleError(says=f"A sharding rule was given as an object of class `{type(text).__name__}`.",
                                why="it is a text, an `SdyShardingRule`, or a function that returns one")
    sides = text.split("->")
    if len(sides) != 2:
        raise ShardingRuleError(says=f"The sharding rule {text!r} has {len(sides) - 1} arrows.",
                                why="operands stand before `->`, and results behind it", fix="a b -> a b")
    before, behind = (_arrays(side, text) for side in sides)
    return SdyShardingRule(before, behind, **kinds, **sizes)  # type: ignore[arg-type]


def _arrays(side: str, text: str) -> list[ArrayMapping]:
    arrays: list[list[Any]] = [[]]
    group: list[str] | None = None
    for dots, name, mark, other in _TOKEN.findall(side):
        if other:
            raise ShardingRuleError(says=f"The sharding rule {text!r} has {other!r} in it.",
                                    why="it is made of names, spaces, commas, parentheses, `...` and one arrow")
        if mark == "(" and group is None:
            group = []
        elif mark == ")" and group is not None:
            arrays[-1].append(CompoundFactor(*group))
            group = None
        elif mark == "," and group is None:
            arrays.append([])
        elif mark or (dots and group is not None):
            raise ShardingRuleError(says=f"The sharding rule {text!r} has a {mark or '...'!r} where none can be.",
                                    why="parentheses come in pairs, not within each other, and hold names alone")
        elif group is not None:
            group.append(name)
        else:
            arrays[-1].append(BATCHING if dots else name)
    if group is not None:
        raise ShardingRuleError(says=f"The sharding rule {text!r} opens a parenthesis and does not close it.",
                                why="parentheses come in pairs")
    return [ArrayMapping(*axes) for axes in arrays]


# -- to Shardy's text

def rule_text(rule: SdyShardingRule, operands: Sequence[tuple[int, ...]], results: Sequence[tuple[int, ...]]) -> str:
    """The attribute `#sdy.op_sharding_rule` for arrays of these shapes.

    Raises:
        ShardingRuleError: the rule is for other shapes.
    """
    leading: dict[str, int] = {}
    sizes: dict[str, int] = {}
    arrays = []
    for what, mappings, shapes in (("operand", rule.operand_mappings, operands), ("result", rule.result_mappings, results)):
        if len(mappings) != len(shapes):
            raise ShardingRuleError(says=f"The rule {rule} speaks of {len(mappings)} {what}s, and there are {len(shapes)}.",
                                    why=f"there is one mapping for each array among the {what}s")
        arrays.append([_expanded(m, s, what, i, leading) for i, (m, s) in enumerate(zip(mappings, shapes))])
    for mapping, shape in zip([*arrays[0], *arrays[1]], [*operands, *results]):
        for axis, size in zip(mapping, shape):
            if isinstance(axis, str):
                sizes[axis] = min(size, sizes.get(axis, size))
    sizes.update(rule.factor_sizes)
    for mapping, shape in zip([*arrays[0], *arrays[1]], [*operands, *results]):
        for axis, size in zip(mapping, shape):
            if isinstance(axis, tuple) and math.prod([sizes[n] for n in axis]) != size:
                raise ShardingRuleError(
                    says=f"The factors {' '.join(axis)} make an axis of {math.prod([sizes[n] for n in axis])}; it has {size}.",
                    why=f"the sizes are {', '.join([f'{n}={sizes[n]}' for n in axis])}")
    order: dict[str, int] = {}
    for axis in [axis for mapping in (*arrays[0], *arrays[1]) for axis in mapping]:
        for name in (axis,) if isinstance(axis, str) else axis:
            order.setdefault(name, len(order))
    sides = [", ".join([f"[{', '.join([''.join([_letter(order[n]) for n in ((a,) if isinstance(a, str) else a)]) for a in m])}]"
                        for m in side]) for side in arrays]
    told = ", ".join([f"{_letter(at)}={sizes[name]}" for name, at in order.items()])
    kinds = [f" {word}={{{', '.join([_letter(at) for at in sorted([order[n] for n in rule.kinds[kind]])])}}}"
             for word, kind in zip(("reduction", "need_replication", "permutation"), _KINDS) if rule.kinds[kind]]
    return f"#sdy.op_sharding_rule<({sides[0]})->({sides[1]}){f' {{{told}}}' if told else ''}{''.join(kinds)}, custom>"


def _expanded(mapping: ArrayMapping, shape: tuple[int, ...], what: str, index: int, leading: dict[str, int]) -> list[Any]:
    """One entry for each axis: an ellipsis becomes the factors of the axes that it stands for."""
    axes = list(mapping)
    if axes and axes[0] == BATCHING:
        count = len(shape) - len(axes) + 1
        if leading.setdefault(BATCHING, max(count, 0)) != count:
            raise ShardingRuleError(
                says=f"An ellipsis stands for {count} axes in {what} {index}, and for {leading[BATCHING]} elsewhere.",
                why="it stands for the same leading axes in all arrays")
        axes[:1] = [f"{BATCHING}{i}" for i in range(count)]
    if len(axes) != len(shape):
        raise ShardingRuleError(says=f"The rule speaks of {len(axes)} axes of {what} {index}, which has {len(shape)}.",
                                why=f"the shape is {shape}")
    return axes


def _letter(at: int) -> str:
    """The factor of this number, as Shardy calls it: i to z, then z_1, z_2, …"""
    return chr(ord("i") + at) if at < 18 else f"z_{at - 17}"
