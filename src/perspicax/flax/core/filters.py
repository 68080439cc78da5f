"""Filters: which collections, or streams of random keys, something concerns."""
from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from perspicax import tree_util
from perspicax.flax.scope_errors import InvalidFilterError

__all__ = [
    "CollectionFilter", "DenyList", "Filter", "PRNGSequenceFilter", "filter_to_set", "group_collections", "in_filter",
    "intersect_filters", "is_filter_empty", "subtract_filters", "union_filters",
]


@dataclass(frozen=True, eq=True)
class DenyList:
    """A filter of all names that another filter does not accept.

    Attributes:
        deny: the other filter.
    """

    deny: Any  # a Filter


Filter = bool | str | Collection[str] | DenyList
CollectionFilter = Filter
PRNGSequenceFilter = Filter


def in_filter(filter_like: Filter, col: str) -> bool:
    """Whether a filter accepts a name.

    Raises:
        InvalidFilterError: it is no filter.
    """
    if isinstance(filter_like, bool):
        return filter_like
    if isinstance(filter_like, str):
        return col == filter_like
    if isinstance(filter_like, Collection):
        return col in filter_like
    if isinstance(filter_like, DenyList):
        return not in_filter(filter_like.deny, col)
    raise InvalidFilterError(filter_like)


def filter_to_set(x: Filter) -> set[str]:
    """The names that a filter accepts.

    Raises:
        InvalidFilterError: it accepts unboundedly many, or is no filter.
    """
    if x is False:
        return set()
    if isinstance(x, str):
        return {x}
    if isinstance(x, Collection):
        return set(x)
    raise InvalidFilterError(x)


def _normal(x: Filter) -> tuple[bool, set[str]]:
    """A filter as (whether it accepts all but the names, the names)."""
    if isinstance(x, DenyList):
        inverted, names = _normal(x.deny)
        return not inverted, names
    if x is True:
        return True, set()
    return False, filter_to_set(x)


def _filter(inverted: bool, names: set[str]) -> Filter:
    if not inverted:
        return names
    return DenyList(names) if names else True


def union_filters(a: Filter, b: Filter) -> Filter:
    """The filter of what at least one of two accepts."""
    (not_a, x), (not_b, y) = _normal(a), _normal(b)
    if not_a and not_b:
        return _filter(True, x & y)
    if not_a or not_b:
        return _filter(True, x - y if not_a else y - x)
    return _filter(False, x | y)


def intersect_filters(a: Filter, b: Filter) -> Filter:
    """The filter of what both of two accept."""
    (not_a, x), (not_b, y) = _normal(a), _normal(b)
    if not_a and not_b:
        return _filter(True, x | y)
    if not_a or not_b:
        return _filter(False, y - x if not_a else x - y)
    return _filter(False, x & y)


def subtract_filters(a: Filter, b: Filter) -> Filter:
    """The filter of what `a` accepts and `b` does not."""
    not_b, names = _normal(b)
    return intersect_filters(a, _filter(not not_b, names))


def is_filter_empty(filter_like: Filter) -> bool:
    """Whether a filter accepts nothing.

    Raises:
        InvalidFilterError: it is no filter.
    """
    inverted, names = _normal(filter_like)
    return not inverted and not names


def group_collections(xs: Mapping[str, Mapping[str, Any]], col_filters: Sequence[Filter]) -> Sequence[dict[str, Any]]:
    """Sort collections by filters.

    Args:
        xs: collections by name.
        col_filters: the filters; each collection goes to the first that accepts it.

    Returns:
        For each filter a dict of its collections; the dicts in them are copies.
    """
    groups: list[dict[str, Any]] = [{} for _ in col_filters]
    for name, collection in xs.items():
        for group, accepted in zip(groups, col_filters, strict=True):
            if in_filter(accepted, name):
                group[name] = tree_util.tree_map(lambda x: x, collection)
                break
    return tuple(groups)
