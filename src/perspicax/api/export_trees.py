"""The structures of arguments and results in a serialized exported function, of a tree of arrays on disk, and their classes.

Tuples, lists, dicts, `OrderedDict` and `None` are known. A class of the user's is known by the name that he registers for it,
here and where the bytes are read: a class itself is never serialized, since reading it would run code.
"""
from __future__ import annotations

import base64
import json
from collections import OrderedDict
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, TypeVar

from perspicax.api.export_errors import ExportError, ExportFormatError
from perspicax.api.wrapping import public
from perspicax.binding.pytree import PyTreeDef, registry
from perspicax.diagnose.report import Fix
from perspicax.transform import trees as tree

__all__ = ["decode_tree", "encode_tree", "register_namedtuple_serialization", "register_pytree_node_serialization"]

T = TypeVar("T", bound=type)


class _Node(NamedTuple):
    nodetype: type
    name: str
    serialize: Callable[[Any], bytes | bytearray]
    deserialize: Callable[[bytes], Any]
    from_children: Callable[[Any, Sequence[Any]], Any] | None


_by_type: dict[type, _Node] = {}
_by_name: dict[str, _Node] = {}


@public
def register_pytree_node_serialization(nodetype: T, *, serialized_name: str,
                                       serialize_auxdata: Callable[[Any], bytes | bytearray],
                                       deserialize_auxdata: Callable[[bytes], Any],
                                       from_children: Callable[[Any, Sequence[Any]], Any] | None = None) -> T:
    """Let a class of pytree nodes occur in the arguments and results of serialized functions.

    Args:
        nodetype: the class, registered as a pytree node before.
        serialized_name: stands for it in the bytes; the program that reads them registers a class under the same name.
        serialize_auxdata: bytes from the data that flattening an instance gives beside the children.
        deserialize_auxdata: that data from these bytes.
        from_children: an instance from data and children, in place of the registered unflattening. The instance only serves
            to find the structure.

    Returns:
        The class, so that this decorates it.

    Raises:
        ExportError: the class, or the name, is registered already.
    """
    for found, what in ((_by_type.get(nodetype), f"The class `{nodetype.__name__}`"),
                        (_by_name.get(serialized_name), f"The name {serialized_name!r}")):
        if found is not None:
            raise ExportError(says=f"{what} is registered for serialization already.",
                              why=f"`{found.nodetype.__name__}` is serialized under the name {found.name!r}, and each class "
                                  "and each name stands for one")
    made = _Node(nodetype, serialized_name, serialize_auxdata, deserialize_auxdata, from_children)
    _by_type[nodetype] = _by_name[serialized_name] = made
    return nodetype


@public
def register_namedtuple_serialization(nodetype: T, *, serialized_name: str) -> T:
    """Let a class of named tuples occur in the arguments and results of serialized functions.

    Args:
        nodetype: the class. Where the bytes are read, the class registered under the name has the same fields.
        serialized_name: stands for it in the bytes.

    Returns:
        The class.

    Raises:
        ExportError: it is no named tuple, or the class or the name is registered already.
    """
    fields = getattr(nodetype, "_fields", None)
    if not issubclass(nodetype, tuple) or fields is None:
        raise ExportError(says=f"`{nodetype.__name__}` is no class of named tuples.",
                          why="other classes of nodes say themselves how their data is serialized",
                          fixes=(Fix(code=f"jax.export.register_pytree_node_serialization({nodetype.__name__}, ...)"),))

    def check(data: bytes) -> Any:
        written = json.loads(data) if data.startswith(b"[") else data.decode().splitlines()  # lines: of earlier versions
        if written != list(fields):
            raise ExportFormatError(
                says=f"The named tuple `{nodetype.__name__}` has the fields {', '.join(fields)}, but what was serialized "
                     f"was made with {', '.join(map(str, written))}.",
                why=f"the class registered as {serialized_name!r} has the same fields where bytes are written and read")
        return nodetype

    return register_pytree_node_serialization(
        nodetype, serialized_name=serialized_name, serialize_auxdata=lambda _: json.dumps(fields).encode(),
        deserialize_auxdata=check, from_children=lambda _, children: nodetype(*children))


register_pytree_node_serialization(OrderedDict, serialized_name="collections.OrderedDict",
                                   serialize_auxdata=lambda keys: json.dumps(list(keys)).encode(),
                                   deserialize_auxdata=lambda data: tuple(json.loads(data)))


# -- to and from what JSON can say

def encode_tree(structure: Any, function: str) -> Any:
    """A tree structure as nested lists.

    Args:
        structure: of arguments or results, or of a tree on disk.
        function: whose arguments or results; empty for a tree on disk.

    Raises:
        ExportError: a class in it is not registered.
    """
    data = structure.node_data()
    if data is None:
        return "None" if structure.num_leaves == 0 else "*"
    kind, aux = data
    children = [encode_tree(child, function) for child in structure.children()]
    if kind is type(None):
        return "None"
    if kind is tuple or kind is list:
        return [kind.__name__, children]
    if kind is dict:
        if any(type(key) is not str for key in aux):
            whose = f"`{function}` has a dict with the keys {list(aux)!r} among its arguments or results." if function else (
                f"The tree has a dict with the keys {list(aux)!r}.")
            raise ExportError(says=whose,
                              why="the keys of a serialized dict are strings")
        return ["dict", children, list(aux)]
    node = _by_type.get(kind)
    if node is None:
        named = hasattr(kind, "_fields") and issubclass(kind, tuple)
        how = f"register_namedtuple_serialization({kind.__name__}, serialized_name=...)" if named else (
            f"register_pytree_node_serialization({kind.__name__}, serialized_name=..., ...)")
        whose = f"`{function}` has a `{kind.__name__}` among its arguments or results" if function else (
            f"The tree has a `{kind.__name__}` in it")
        raise ExportError(says=f"{whose}, which is not known to serialization.",
                          why="a class is serialized by a name that stands for it where the bytes are read",
                          fixes=(Fix("register it, in the program that writes and in the one that reads",
                                     code=f"jax.export.{how}"),))
    return ["node", children, node.name, base64.b64encode(bytes(node.serialize(aux))).decode()]


def decode_tree(said: Any) -> Any:
    """The tree structure that `encode_tree` wrote.

    Raises:
        ExportFormatError: it holds a name that is not registered here, or cannot be read.
    """
    match said:
        case "*":
            return tree.flatten(0)[1]
        case "None":
            return tree.flatten(None)[1]
        case ["tuple" | "list" as kind, list(children)]:
            return _made(tuple if kind == "tuple" else list, None, children)
        case ["dict", list(children), list(keys)] if len(keys) == len(children):
            return _made(dict, keys, children)
        case ["node", list(children), str(name), str(data)]:
            return _of_class(name, base64.b64decode(data), children)
    raise ExportFormatError(says="The structure of what was serialized cannot be read.",
                            why=f"it holds {said!r}")


def _made(kind: type, aux: Any, children: Sequence[Any]) -> Any:
    return PyTreeDef.from_node_data_and_children(registry, (kind, aux), [decode_tree(c) for c in children])


def _of_class(name: str, data: bytes, children: Sequence[Any]) -> Any:
    node = _by_name.get(name)
    if node is None:
        raise ExportFormatError(
            says=f"A class of nodes in what was serialized is called {name!r}.",
            why="no class is registered under this name here",
            fixes=(Fix("register it before reading",
                       code=f"jax.export.register_pytree_node_serialization(..., serialized_name={name!r}, ...)"),))
    aux = node.deserialize(data)
    if node.from_children is None:
        return _made(node.nodetype, aux, children)
    inner = [decode_tree(c) for c in children]
    built = node.from_children(aux, [c.unflatten([0] * c.num_leaves) for c in inner])
    return tree.flatten(built)[1]
