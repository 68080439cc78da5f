"""Making a class a pytree node: by two functions, by its methods, as a dataclass, or as static data."""
from __future__ import annotations

import dataclasses
import operator
from collections.abc import Callable, Hashable, Iterable, Sequence
from typing import Any, TypeVar

from perspicax.binding import pytree
from perspicax.core.tree_errors import TreeFunctionError
from perspicax.core.tree_paths import registered_at
from perspicax.core.tree_register_errors import (
    DataclassArgumentsError,
    DataclassFieldsError,
    DuplicateNodeError,
    NodeMethodError,
    NotAClassError,
)
from perspicax.core.tree_words import similar_names, static_fields
from perspicax.diagnose.boundary import public
from perspicax.diagnose.frames import user_place
from perspicax.diagnose.place import Position

__all__ = [
    "default_registry", "register_dataclass", "register_pytree_node", "register_pytree_node_class",
    "register_pytree_with_keys", "register_pytree_with_keys_class", "register_static", "static",
]

T = TypeVar("T")
Typ = TypeVar("Typ", bound=type[Any])
H = TypeVar("H", bound=Hashable)

default_registry = pytree.registry


@public
def register_pytree_node(
    nodetype: type[T],
    flatten_func: Callable[[T], tuple[Iterable[Any], Any]],
    unflatten_func: Callable[[Any, Any], T],
    flatten_with_keys_func: Callable[[T], tuple[Iterable[tuple[Any, Any]], Any]] | None = None,
) -> None:
    """Make the instances of a class pytree nodes.

    Args:
        nodetype: the class; its subclasses are not registered with it.
        flatten_func: takes an instance and returns (children, metadata); the metadata is static: it has a hash, and
            is compared by `==`.
        unflatten_func: takes the metadata and the children, and builds an instance. The children may be of any type.
        flatten_with_keys_func: as `flatten_func`, with a pair (key, child) in place of each child; without it the
            children's keys are their numbers (`FlattenedIndexKey`).

    Raises:
        DuplicateNodeError: the class is registered already.
        NotAClassError: `nodetype` is no class. Differs: JAX accepts it, without an effect.
        TreeFunctionError: one of the others is no function.

    >>> class Pair:
    ...     def __init__(self, a, b):
    ...         self.a, self.b = a, b
    >>> register_pytree_node(Pair, lambda p: ((p.a, p.b), None), lambda metadata, children: Pair(*children))
    >>> tree_leaves(Pair(1, [2, 3]))
    [1, 2, 3]
    """
    _register("register_pytree_node", nodetype, flatten_func, unflatten_func, flatten_with_keys_func)


def _register(function: str, nodetype: Any, flatten: Any, unflatten: Any, flatten_with_keys: Any) -> None:
    _check_class(function, nodetype)
    given = {"flatten_func": flatten, "unflatten_func": unflatten}
    if flatten_with_keys is not None:
        given["flatten_with_keys_func"] = flatten_with_keys
    for argument, value in given.items():
        if not callable(value):
            raise TreeFunctionError(function=function, argument=argument, actual=type(value).__name__)
    try:
        pytree.register_node(nodetype, flatten, unflatten, flatten_with_keys)
    except ValueError:  # it has no other reason
        raise _duplicate(nodetype) from None
    _remember(nodetype)


def _check_class(function: str, nodetype: Any) -> None:
    if not isinstance(nodetype, type):
        raise NotAClassError(function=function, actual=type(nodetype).__name__)


def _duplicate(nodetype: type) -> DuplicateNodeError:
    return DuplicateNodeError(node=nodetype.__name__, registered=registered_at.get(nodetype))


def _remember(nodetype: type) -> None:
    """Note where the user registers a class, for the report of a second registration or of a faulty function."""
    place = user_place()
    registered_at[nodetype] = None if place is None else Position(*place)


@public
def register_pytree_node_class(cls: Typ) -> Typ:
    """Make a class a pytree node by its methods `tree_flatten` and `tree_unflatten`; a class decorator.

    Args:
        cls: defines `tree_flatten(self)`, which returns (children, metadata), and the class method
            `tree_unflatten(cls, metadata, children)`.

    Returns:
        The class itself.

    Raises:
        NodeMethodError: there is no `tree_unflatten`.
        DuplicateNodeError: the class is registered already.
        NotAClassError: `cls` is no class.

    >>> @register_pytree_node_class
    ... class Box:
    ...     def __init__(self, value):
    ...         self.value = value
    ...     def tree_flatten(self):
    ...         return (self.value,), None
    ...     @classmethod
    ...     def tree_unflatten(cls, metadata, children):
    ...         return cls(*children)
    >>> tree_map(lambda x: x + 1, Box(1)).value
    2
    """
    unflatten = _unflatten_method("register_pytree_node_class", cls)
    _register("register_pytree_node_class", cls, operator.methodcaller("tree_flatten"), unflatten, None)
    return cls


def _unflatten_method(function: str, cls: Any) -> Any:
    _check_class(function, cls)
    if not hasattr(cls, "tree_unflatten"):
        raise NodeMethodError(node=cls.__name__, method="tree_unflatten")
    return cls.tree_unflatten


@public
def register_pytree_with_keys(
    nodetype: type[T],
    flatten_with_keys: Callable[[T], tuple[Iterable[tuple[Any, Any]], Any]],
    unflatten_func: Callable[[Any, Any], T],
    flatten_func: Callable[[T], tuple[Iterable[Any], Any]] | None = None,
) -> None:
    """Make the instances of a class pytree nodes whose children have keys.

    Args:
        nodetype: the class.
        flatten_with_keys: takes an instance and returns (pairs (key, child), metadata).
        unflatten_func: takes the metadata and the children, and builds an instance.
        flatten_func: returns (children, metadata) with the same children in the same order; spares making keys that
            nobody asks for.

    Raises:
        DuplicateNodeError: the class is registered already.
        NotAClassError: `nodetype` is no class.
        TreeFunctionError: one of the others is no function.

    >>> class Named:
    ...     def __init__(self, value):
    ...         self.value = value
    >>> register_pytree_with_keys(Named, lambda n: ([(GetAttrKey("value"), n.value)], None), lambda _, c: Named(*c))
    >>> keystr(tree_leaves_with_path(Named(3))[0][0])
    '.value'
    """
    plain = _without_keys(flatten_with_keys) if flatten_func is None else flatten_func
    _register("register_pytree_with_keys", nodetype, plain, unflatten_func, flatten_with_keys)


def _without_keys(flatten_with_keys: Callable[[Any], Any]) -> Callable[[Any], tuple[list[Any], Any]]:
    def flatten(node: Any) -> tuple[list[Any], Any]:
        pairs, metadata = flatten_with_keys(node)
        return [child for _, child in pairs], metadata

    return flatten


@public
def register_pytree_with_keys_class(cls: Typ) -> Typ:
    """Make a class a pytree node whose children have keys, by its methods; a class decorator.

    Args:
        cls: defines `tree_flatten_with_keys(self)`, which returns (pairs (key, child), metadata), and the class method
            `tree_unflatten(cls, metadata, children)`; a method `tree_flatten` is used where no keys are needed.

    Returns:
        The class itself.

    Raises:
        NodeMethodError: there is no `tree_unflatten`.
        DuplicateNodeError: the class is registered already.
        NotAClassError: `cls` is no class.
    """
    unflatten = _unflatten_method("register_pytree_with_keys_class", cls)
    with_keys = operator.methodcaller("tree_flatten_with_keys")
    plain = operator.methodcaller("tree_flatten") if hasattr(cls, "tree_flatten") else _without_keys(with_keys)
    _register("register_pytree_with_keys_class", cls, plain, unflatten, with_keys)
    return cls


@public
def register_dataclass(
    nodetype: Typ,
    data_fields: Sequence[str] | None = None,
    meta_fields: Sequence[str] | None = None,
    drop_fields: Sequence[str] = (),
) -> Typ:
    """Make a dataclass a pytree node: its data fields are the children, the others are static.

    Args:
        nodetype: a dataclass, or a class whose state is the attributes named here and whose constructor takes them as
            keywords.
        data_fields: names of the fields that hold children. A dataclass may leave out both lists: then all its fields
            are data but those marked by `tree.static()` or `field(metadata=dict(static=True))`.
        meta_fields: names of the static fields, whose values have a hash and are compared by `==`.
        drop_fields: fields that the node does not keep: they get their default values when it is built again.

    Returns:
        The class itself.

    Raises:
        NotAClassError: `nodetype` is no class.
        DataclassArgumentsError: one list is given without the other, or neither for a class that is no dataclass.
        DataclassFieldsError: a field that the constructor takes is not named, something else is, or one twice.
        DuplicateNodeError: the class is registered already.

    Differs: a field that is named twice in one list is an error here too.

    >>> @register_dataclass
    ... @dataclasses.dataclass
    ... class Point:
    ...     x: float
    ...     unit: str = dataclasses.field(default="m", metadata=dict(static=True))
    >>> tree_structure(Point(1.0))
    PyTreeDef(CustomNode(Point[('m',)], [*]))
    """
    _check_class("register_dataclass", nodetype)
    data, meta = _dataclass_fields(nodetype, data_fields, meta_fields)
    _check_fields(nodetype, data, meta, drop_fields)
    try:
        pytree.register_dataclass_node(nodetype, list(data), list(meta))
    except ValueError:
        raise _duplicate(nodetype) from None
    static_fields[nodetype] = meta
    _remember(nodetype)
    return nodetype


def _dataclass_fields(
    nodetype: type, data_fields: Sequence[str] | None, meta_fields: Sequence[str] | None
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The names of the data fields and of the static fields."""
    if data_fields is not None and meta_fields is not None:
        return tuple(data_fields), tuple(meta_fields)
    if data_fields is not None or meta_fields is not None:
        given = "meta_fields" if data_fields is None else "data_fields"
        raise DataclassArgumentsError(node=nodetype.__name__, given=given)
    if not dataclasses.is_dataclass(nodetype):
        raise DataclassArgumentsError(node=nodetype.__name__)
    data: list[str] = []
    meta: list[str] = []
    for field in dataclasses.fields(nodetype):
        (meta if field.metadata.get("static", False) else data).append(field.name)
    return tuple(data), tuple(meta)


def _check_fields(nodetype: type, data: tuple[str, ...], meta: tuple[str, ...], drop: Sequence[str]) -> None:
    named = data + meta
    missing: tuple[str, ...] = ()
    unexpected: tuple[str, ...] = ()
    if dataclasses.is_dataclass(nodetype):
        taken = [field.name for field in dataclasses.fields(nodetype) if field.init and field.name not in drop]
        missing = tuple(name for name in taken if name not in named)
        unexpected = tuple(name for name in named if name not in taken)
    repeated = tuple(name for name in dict.fromkeys(named) if named.count(name) > 1)
    if missing or unexpected or repeated:
        raise DataclassFieldsError(
            node=nodetype.__name__, missing=missing, unexpected=unexpected, repeated=repeated,
            near=similar_names(unexpected, missing),
        )


@public
def register_static(cls: type[H]) -> type[H]:
    """Make the instances of a class static: pytree nodes without leaves; a class decorator.

    Args:
        cls: a class whose instances have a hash and are compared by `==`: the instance is the node's metadata.

    Returns:
        The class itself.

    Raises:
        DuplicateNodeError: the class is registered already.
        NotAClassError: `cls` is no class. Differs: JAX accepts it, without an effect.

    >>> @register_static
    ... class Mode(str):
    ...     pass
    >>> tree_leaves([Mode("fast"), 1])
    [1]
    """
    flatten: Callable[[Any], tuple[list[Any], Any]] = lambda instance: ([], instance)
    _register("register_static", cls, flatten, lambda instance, _: instance, flatten)
    return cls


def static(**kwargs: Any) -> Any:
    """Declare a static field of a dataclass that `register_dataclass` makes a node.

    Args:
        kwargs: as for `dataclasses.field`.

    Returns:
        What `dataclasses.field` returns, with `static=True` in its metadata.

    >>> @register_dataclass
    ... @dataclasses.dataclass
    ... class Layer:
    ...     weight: float
    ...     name: str = static(default="dense")
    >>> tree_leaves(Layer(2.0))
    [2.0]
    """
    metadata = {"static": True} | dict(kwargs.pop("metadata", None) or {})
    return dataclasses.field(metadata=metadata, **kwargs)
