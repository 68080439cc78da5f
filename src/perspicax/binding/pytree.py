"""jaxlib's C++ pytrees: a registry of our own, its methods by name, the types of treedefs and keys.

The registry is not jaxlib's default one, so classes that a program registers here do not clash with those it registers
with the jax package in the same process.
"""
from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from jaxlib import _jax

__all__ = [
    "DictKey", "FlattenedIndexKey", "GetAttrKey", "PyTreeDef", "PyTreeRegistry", "SequenceKey", "all_leaves", "flatten",
    "flatten_one_level", "flatten_one_level_with_keys", "flatten_with_path", "is_node", "ran_out_of_leaves",
    "register_dataclass_node", "register_node", "registry", "treedef_tuple",
]

_pytree = _jax.pytree

PyTreeDef = _pytree.PyTreeDef
PyTreeRegistry = _pytree.PyTreeRegistry

DictKey = _pytree.DictKey
FlattenedIndexKey = _pytree.FlattenedIndexKey
GetAttrKey = _pytree.GetAttrKey
SequenceKey = _pytree.SequenceKey

registry: Any = PyTreeRegistry(
    enable_none=True, enable_tuple=True, enable_namedtuple=True, enable_list=True, enable_dict=True
)
# A treedef pickles with a reference to its registry, which is found again by these two names.
registry.__module__ = __name__
registry.__name__ = "registry"

flatten = registry.flatten
flatten_with_path = registry.flatten_with_path
flatten_one_level = registry.flatten_one_level
flatten_one_level_with_keys = registry.flatten_one_level_with_keys
is_node = registry.is_node
register_node = registry.register_node
register_dataclass_node = registry.register_dataclass_node


def treedef_tuple(treedefs: Iterable[Any]) -> Any:
    """The treedef of a tuple whose entries have the structures `treedefs`."""
    return _pytree.treedef_tuple(registry, list(treedefs))


def all_leaves(values: Iterable[Any]) -> bool:
    """Whether no element of `values` is a pytree node."""
    return _pytree.all_leaves(registry, values)


def ran_out_of_leaves(error: ValueError) -> bool:
    """Whether `PyTreeDef.unflatten` raised `error` because its iterator ended early; only the text tells."""
    return str(error).startswith("Too few leaves")
