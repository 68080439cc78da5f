"""Dataclasses that are pytrees: `flax.struct`."""
from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any, TypeVar, dataclass_transform, overload

from perspicax import tree_util
from perspicax.diagnose import public
from perspicax.diagnose.watched import results_watched
from perspicax.flax.state_dicts import fields_from_state, fields_to_state, register_serialization_state
from perspicax.flax.tree_errors import StructError

__all__ = ["PyTreeNode", "TNode", "dataclass", "dataclass_transform", "field"]

T = TypeVar("T")
TNode = TypeVar("TNode", bound="PyTreeNode")


def field(pytree_node: bool = True, *, metadata: dict[Any, Any] | None = None, **kwargs: Any) -> Any:
    """A field of a dataclass.

    Args:
        pytree_node: whether its value is a child of the pytree; otherwise it is static, has a hash, and a changed value
            means to compile again.
        metadata: what else `dataclasses.Field.metadata` shall have.
        **kwargs: as for `dataclasses.field` (`default`, `default_factory`, `kw_only`, ...).
    """
    return dataclasses.field(metadata={**(metadata or {}), "pytree_node": pytree_node}, **kwargs)


@overload
def dataclass(clz: type[T], **kwargs: Any) -> type[T]: ...
@overload
def dataclass(clz: None = None, **kwargs: Any) -> Callable[[type[T]], type[T]]: ...
@dataclass_transform(field_specifiers=(field,))
@public
def dataclass(clz: type[T] | None = None, **kwargs: Any) -> Any:
    """Make a class a frozen dataclass that is a pytree.

    Args:
        clz: the class; without it, a decorator is returned.
        **kwargs: as for `dataclasses.dataclass`; `frozen` is true unless it is given.

    Returns:
        The class, with a method `replace(**updates)` that makes a changed copy. Fields are children of the pytree, but
        for those declared by `field(pytree_node=False)`.

    Raises:
        StructError: a field is not initialised from an argument (`init=False`), so no copy could be built.

    >>> @dataclass
    ... class Point:
    ...     x: float
    ...     unit: str = field(pytree_node=False, default="m")
    >>> Point(1.0).replace(x=2.0)
    Point(x=2.0, unit='m')
    """
    if clz is None:
        return lambda cls: dataclass(cls, **kwargs)
    if "_flax_dataclass" in vars(clz):
        return clz
    made: Any = dataclasses.dataclass(**{"frozen": True, **kwargs})(clz)
    children: list[str] = []
    static: list[str] = []
    for each in dataclasses.fields(made):
        if not each.init:
            raise StructError(says=f"`{made.__name__}.{each.name}` is a field with `init=False`.",
                              why="a pytree is taken apart and built again by the class's own constructor, which takes no "
                                  "value for such a field",
                              notes=("a value computed from others can be a property, or `functools.cached_property`.",))
        (children if each.metadata.get("pytree_node", True) else static).append(each.name)
    if "replace" not in vars(made):
        made.replace = _replace
    tree_util.register_dataclass(made, children, static)
    register_serialization_state(made, fields_to_state(children), fields_from_state(children))
    made._flax_dataclass = True
    return made


def _replace(self: Any, **updates: Any) -> Any:
    """A copy with other values for some fields."""
    made = dataclasses.replace(self, **updates)
    if results_watched:
        results_watched[0](made, "replace")
    return made


@dataclass_transform(field_specifiers=(field,))
class PyTreeNode:
    """A base whose subclasses become dataclasses that are pytrees, as by `dataclass`.

    >>> class Point(PyTreeNode):
    ...     x: float
    >>> Point(1.0).replace(x=2.0)
    Point(x=2.0)
    """

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__()
        dataclass(cls, **kwargs)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        raise NotImplementedError("PyTreeNode has no fields: derive a class from it")  # each subclass gets its own

    def replace(self: TNode, **overrides: Any) -> TNode:
        """A copy with other values for some fields."""
        return dataclasses.replace(self, **overrides)  # type: ignore[type-var]
