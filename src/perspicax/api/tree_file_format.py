"""What a folder with a tree of arrays says of them, in JAX's format: `pytreedef.json`.

    __jax_pytreedef_repr  the structure, as the base64 of a FlatBuffer: one table for each node, with the fields
                              0 kind: leaf, None, tuple, list, dict, registered class · 1 children · 2 keys of a dict
                              3 the name that the class is registered under · 4 its data beside the children
    __jax_leaf_ids        for each leaf its type, `Array(float32[2, 3])`, or null for `None`; leaf i is the array called i

Nothing in it is code of Python's: reading it runs nothing.
"""
from __future__ import annotations

import base64
import json
import re
import struct
from collections.abc import Sequence
from typing import Any

from perspicax.api.array_file_errors import ArrayFileError
from perspicax.api.export_errors import ExportFormatError
from perspicax.api.export_trees import decode_tree, encode_tree
from perspicax.core import dtypes
from perspicax.transform.ahead import ShapeDtypeStruct

__all__ = ["read_description", "write_description"]

_STRUCTURE, _LEAVES = "__jax_pytreedef_repr", "__jax_leaf_ids"
_LEAF = re.compile(r"Array\(([a-zA-Z0-9_]+)\[([0-9, ]*)\]\)")
_KINDS: dict[str, int] = {"*": 0, "None": 1, "tuple": 2, "list": 3, "dict": 4, "node": 5}
_DEEPEST = 200  # nodes within nodes; a damaged buffer may point back at itself
_FIELDS = 5
_VTABLE = struct.Struct(f"<{2 + _FIELDS}H2x")
_TABLE = struct.Struct("<iIIIIB3x")


def write_description(structure: Any, leaves: Sequence[Any]) -> bytes:
    """The contents of `pytreedef.json`.

    Args:
        structure: of the tree, in which `None` is a leaf.
        leaves: arrays and `None`.

    Raises:
        ExportError: a class of nodes is not registered for serialization, or a dict has keys that are no strings.
    """
    said = [None if x is None else f"Array({dtypes.name_of(x.dtype)}[{', '.join(map(str, x.shape))}])" for x in leaves]
    buffer = _written(encode_tree(structure, ""))
    return json.dumps({_STRUCTURE: base64.b64encode(buffer).decode(), _LEAVES: said}, indent=2).encode()


def read_description(data: bytes, path: str) -> tuple[list[ShapeDtypeStruct | None], Any]:
    """Types of the leaves (`None` for `None`), and the structure of the tree.

    Args:
        data: the contents of `pytreedef.json`.
        path: where it is, for reports.

    Raises:
        ArrayFileError: it cannot be read.
        ExportFormatError: a class of nodes is not registered for serialization here.
    """
    try:
        said = json.loads(data)
        nested = _read(base64.b64decode(said[_STRUCTURE], validate=True))
        leaves = [None if leaf is None else _type_of(leaf) for leaf in said[_LEAVES]]
        structure = decode_tree(nested)
    except ExportFormatError:
        raise
    except Exception as error:  # whatever the user's own classes make of damaged data, too
        raise ArrayFileError(kind="description", path=path, detail=str(error) or type(error).__name__) from error
    if structure.num_leaves != len(leaves):
        raise ArrayFileError(kind="description", path=path,
                             detail=f"it tells of {structure.num_leaves} leaves, and the types of {len(leaves)}")
    return leaves, structure


def _type_of(said: str) -> ShapeDtypeStruct:
    found = _LEAF.fullmatch(said)
    if found is None:
        raise ValueError(f"{said!r} is no type of an array")
    return ShapeDtypeStruct(tuple([int(n) for n in found[2].split(",") if n.strip()]), found[1])


# -- the FlatBuffer

def _written(nested: Any) -> bytes:
    out = bytearray(4)
    _put_offset(out, 0, _put_node(out, nested))
    return bytes(out)


def _put_node(out: bytearray, nested: Any) -> int:
    """Append a node and all below it; where its table begins."""
    kind, children, keys, name, data = _parts(nested)
    given = (True, bool(children), bool(keys), name is not None, data is not None)
    places = (20, 4, 8, 12, 16)  # of the fields within the table
    vtable = len(out)
    out += _VTABLE.pack(4 + 2 * _FIELDS, _TABLE.size, *[place if there else 0 for place, there in zip(places, given)])
    table = len(out)
    out += _TABLE.pack(table - vtable, 0, 0, 0, 0, kind)
    if children:
        slots = _put_vector(out, table + 4, len(children))
        for slot, child in zip(slots, children):
            _put_offset(out, slot, _put_node(out, child))
    if keys:
        slots = _put_vector(out, table + 8, len(keys))
        for slot, key in zip(slots, keys):
            _put_bytes(out, slot, key.encode())
    if name is not None:
        _put_bytes(out, table + 12, name.encode())
    if data is not None:
        _put_bytes(out, table + 16, data)
    return table


def _parts(nested: Any) -> tuple[int, list[Any], list[str], str | None, bytes | None]:
    match nested:
        case str():
            return _KINDS[nested], [], [], None, None
        case ["dict", children, keys]:
            return _KINDS["dict"], children, keys, None, None
        case ["node", children, name, data]:
            return _KINDS["node"], children, [], name, base64.b64decode(data)
    return _KINDS[nested[0]], nested[1], [], None, None


def _put_offset(out: bytearray, slot: int, target: int) -> None:
    struct.pack_into("<I", out, slot, target - slot)


def _put_vector(out: bytearray, slot: int, count: int) -> list[int]:
    """A vector of `count` offsets, which are to be filled in."""
    begin = len(out)
    _put_offset(out, slot, begin)
    out += struct.pack("<I", count) + bytes(4 * count)
    return [begin + 4 + 4 * i for i in range(count)]


def _put_bytes(out: bytearray, slot: int, data: bytes) -> None:
    _put_offset(out, slot, len(out))
    out += struct.pack("<I", len(data)) + data + b"\0"  # strings end with a zero
    out += bytes(-len(out) % 4)


def _read(buffer: bytes) -> Any:
    """The nested lists of `encode_tree`."""
    return _node(buffer, _follow(buffer, 0), 0)


def _follow(buffer: bytes, at: int) -> int:
    return at + struct.unpack_from("<I", buffer, at)[0]


def _node(buffer: bytes, table: int, depth: int) -> Any:
    if depth > _DEEPEST:
        raise ValueError(f"its nodes are nested more than {_DEEPEST} deep")
    vtable = table - struct.unpack_from("<i", buffer, table)[0]
    if vtable < 0:
        raise ValueError("a table is damaged")
    count = (struct.unpack_from("<H", buffer, vtable)[0] - 4) // 2
    fields = [*struct.unpack_from(f"<{max(0, min(count, _FIELDS))}H", buffer, vtable + 4), *[0] * _FIELDS][:_FIELDS]
    kind = buffer[table + fields[0]] if fields[0] else 0
    children = [_node(buffer, _follow(buffer, slot), depth + 1) for slot in _slots(buffer, table, fields[1])]
    match kind:
        case 0 | 1:
            return "*" if kind == 0 else "None"
        case 2 | 3:
            return ["tuple" if kind == 2 else "list", children]
        case 4:
            return ["dict", children, [_bytes(buffer, slot).decode() for slot in _slots(buffer, table, fields[2])]]
        case 5:
            data = _bytes(buffer, table + fields[4]) if fields[4] else b""
            return ["node", children, _bytes(buffer, table + fields[3]).decode(), base64.b64encode(data).decode()]
    raise ValueError(f"a node is of the unknown kind {kind}")


def _slots(buffer: bytes, table: int, field: int) -> list[int]:
    if not field:
        return []
    begin = _follow(buffer, table + field)
    count = struct.unpack_from("<I", buffer, begin)[0]
    if 4 * count > len(buffer):
        raise ValueError("a vector is longer than the buffer")
    return [begin + 4 + 4 * i for i in range(count)]


def _bytes(buffer: bytes, slot: int) -> bytes:
    begin = _follow(buffer, slot)
    size = struct.unpack_from("<I", buffer, begin)[0]
    if begin + 4 + size > len(buffer):
        raise ValueError("a text is longer than the buffer")
    return buffer[begin + 4:begin + 4 + size]
