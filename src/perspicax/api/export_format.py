"""The bytes of a serialized exported function.

    magic     8 bytes, "PXEXPORT"
    version   2 bytes, little-endian: of this format
    length    8 bytes: of the body
    checksum  32 bytes: SHA-256 of version, length and body
    body      the function, then its gradient, and so on: each as
                  4 bytes length, JSON of its fields; 8 bytes length, the program (a portable artifact of StableHLO)

Nothing in it is code of Python's: reading it runs nothing. It is a format of our own, not JAX's.
"""
from __future__ import annotations

import hashlib
import json
import struct
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from perspicax.api.export_errors import ExportError, ExportFormatError
from perspicax.api.export_shardings import read_shardings, said_shardings
from perspicax.api.export_trees import decode_tree, encode_tree
from perspicax.core import dtypes
from perspicax.core.avals import MemorySpace, ShapedArray
from perspicax.core.symbolic import is_symbolic_dim
from perspicax.core.symbolic_errors import SymbolicShapeError
from perspicax.core.symbolic_parse import parse_expression
from perspicax.core.symbolic_scope import SymbolicScope
from perspicax.core.symbolic_solve import scope_of
from perspicax.diagnose.report import Fix
from perspicax.lax.random_bits import generators, key_dtype_of
from perspicax.xla.explicit import part_of_type

if TYPE_CHECKING:
    from perspicax.api.exported import Exported

__all__ = ["FORMAT_VERSION", "MAGIC", "read", "write"]

MAGIC = b"PXEXPORT"
FORMAT_VERSION = 4
"""The newest version that is read. A function is written in the oldest that tells all of it: version 1 tells no shardings,
version 2 no memories, and version 3 of explicit axes neither the kind of the devices nor sums that have not been made yet.

Types tell no shardings in any of them: over explicit axes, a value is split as its sharding says.
"""
_HEAD = struct.Struct("<8sHQ32s")


# -- writing

def write(exported: Exported, vjp_order: int) -> bytes:
    """The bytes of an exported function with `vjp_order` gradients.

    Raises:
        ExportError: a class of nodes is not registered, or there are not as many gradients.
    """
    if type(vjp_order) is not int or vjp_order < 0:
        raise ExportError(says=f"`serialize` was given vjp_order={vjp_order!r}.", why="it is an integer from 0 up")
    parts, version = [], 1
    current: Exported = exported
    for order in range(vjp_order + 1):
        if order:
            gradient = current.vjp()
            if gradient is None:
                raise ExportError(
                    says=f"`{exported.fun_name}` has gradients up to order {order - 1}, and {vjp_order} orders were asked for.",
                    why="it was itself read from bytes that hold no more")
            current = gradient
        version = max(version, _version_of(current))
        said = json.dumps(_fields(current), separators=(",", ":")).encode()
        program = current.mlir_module_serialized
        parts += [struct.pack("<I", len(said)), said, struct.pack("<Q", len(program)), program]
    body = b"".join(parts)
    return _HEAD.pack(MAGIC, version, len(body), _checksum(version, body)) + body


def _version_of(e: Exported) -> int:
    """The oldest version that tells all of this function."""
    if _tells_shardings(e) and any(s is not None and s.splits_types for s in (*e._in_named_shardings, *e._out_named_shardings)):
        return 4
    if any(a.memory is not None for a in (*e.in_avals, *e.out_avals)):
        return 3
    return 2 if _tells_shardings(e) else 1


def _tells_shardings(e: Exported) -> bool:
    return e.nr_devices > 1 or any(a.explicit is not None for a in (*e.in_avals, *e.out_avals))


def _checksum(version: int, body: bytes | memoryview) -> bytes:
    return hashlib.sha256(struct.pack("<HQ", version, len(body)) + bytes(body)).digest()


def _fields(e: Exported) -> dict[str, Any]:
    scope = scope_of([a.shape for a in e.in_avals])
    return {
        "name": e.fun_name,
        "in_tree": encode_tree(e.in_tree, e.fun_name), "out_tree": encode_tree(e.out_tree, e.fun_name),
        "in_avals": [_aval_said(a) for a in e.in_avals], "out_avals": [_aval_said(a) for a in e.out_avals],
        "constraints": [] if scope is None else list(scope.explicit),
        "nr_devices": e.nr_devices, "platforms": list(e.platforms),
        "disabled": [str(c) for c in e.disabled_safety_checks],
        "convention": e.calling_convention_version, "kept": list(e.module_kept_var_idx), "open": e.uses_global_constants,
        **({"in_shardings": said_shardings(e._in_named_shardings), "out_shardings": said_shardings(e._out_named_shardings)}
           if _tells_shardings(e) else {}),
    }


def _aval_said(aval: Any) -> list[Any]:
    return [[str(n) if is_symbolic_dim(n) else n for n in aval.shape], dtypes.name_of(aval.dtype), aval.weak_type,
            *([] if aval.memory is None else [aval.memory.name])]


# -- reading

def read(blob: Any, convention: tuple[int, int]) -> list[tuple[dict[str, Any], bytes]]:
    """The fields and program of a serialized function, and of its gradients.

    Args:
        convention: the oldest and the newest calling convention that can be called.

    Raises:
        ExportFormatError: it is something else, damaged, incomplete, or of a newer version.
    """
    if not isinstance(blob, bytes | bytearray | memoryview):
        raise ExportFormatError(says=f"`deserialize` was given an object of class `{type(blob).__name__}`.",
                                why="a serialized function is `bytes` or a `bytearray`")
    data = bytes(blob)
    if data[:8] != MAGIC:
        raise ExportFormatError(
            says=f"These {len(data)} bytes are no function that Perspicax serialized.",
            why="they do not begin with its mark; bytes that JAX wrote have another format and cannot be read",
            fixes=(Fix("export and serialize the function again, with Perspicax"),) if data else ())
    if len(data) < _HEAD.size:
        raise _incomplete(len(data), _HEAD.size)
    _, version, length, checksum = _HEAD.unpack_from(data)
    if version > FORMAT_VERSION:
        raise ExportFormatError(
            says=f"This function was serialized in version {version} of the format; up to {FORMAT_VERSION} can be read here.",
            why="a newer Perspicax wrote it", fixes=(Fix("read it with that version, or export it again with this one"),))
    if len(data) != _HEAD.size + length:
        raise _incomplete(len(data), _HEAD.size + length)
    body = data[_HEAD.size:]
    if _checksum(version, body) != checksum:
        raise ExportFormatError(says="A serialized function is damaged.",
                                why="its checksum differs from that of its bytes: they were changed after they were written",
                                fixes=(Fix("serialize the function again, or copy the bytes again (in binary mode)"),))
    return _read_parts(body, convention)


def _incomplete(found: int, wanted: int) -> ExportFormatError:
    what = "incomplete" if found < wanted else "longer than it says"
    return ExportFormatError(says=f"A serialized function is {what}: there are {found} bytes in place of {wanted}.",
                             why="the bytes were cut off or joined with others after they were written")


def _read_parts(body: bytes, convention: tuple[int, int]) -> list[tuple[dict[str, Any], bytes]]:
    found: list[tuple[dict[str, Any], bytes]] = []
    at = 0
    try:
        while at < len(body):
            size, = struct.unpack_from("<I", body, at)
            said = json.loads(body[at + 4:at + 4 + size])
            at += 4 + size
            size, = struct.unpack_from("<Q", body, at)
            program = body[at + 8:at + 8 + size]
            at += 8 + size
            found.append((_read_fields(said, convention), program))
    except (struct.error, ValueError, KeyError, TypeError, IndexError) as error:
        if isinstance(error, ExportFormatError):
            raise
        raise ExportFormatError(says="A serialized function cannot be read.",
                                why=f"its checksum is right, but not what it holds: {error}") from None
    if at != len(body) or not found:
        raise _incomplete(len(body), at)
    return found


def _read_fields(said: Mapping[str, Any], convention: tuple[int, int]) -> dict[str, Any]:
    oldest, newest = convention
    if not oldest <= said["convention"] <= newest:
        raise ExportFormatError(
            says=f"This function has version {said['convention']} of the calling convention; {oldest} to {newest} can be "
                 "called.",
            why="the program takes its arguments in a way that is not known here")
    shapes = [shape for shape, *_ in (*said["in_avals"], *said["out_avals"])]
    symbolic = any(type(n) is str for shape in shapes for n in shape)
    scope = SymbolicScope(said["constraints"]) if symbolic else None
    given = read_shardings(said.get("in_shardings", [None] * len(said["in_avals"])))
    wanted = read_shardings(said.get("out_shardings", [None] * len(said["out_avals"])))
    return {
        "fun_name": str(said["name"]), "in_tree": decode_tree(said["in_tree"]), "out_tree": decode_tree(said["out_tree"]),
        "in_avals": tuple([_aval(a, s, scope) for a, s in zip(said["in_avals"], given)]),
        "out_avals": tuple([_aval(a, s, scope) for a, s in zip(said["out_avals"], wanted)]),
        "nr_devices": int(said["nr_devices"]),
        "platforms": tuple(said["platforms"]), "disabled": tuple(said["disabled"]),
        "calling_convention_version": said["convention"], "module_kept_var_idx": tuple(said["kept"]),
        "uses_global_constants": bool(said["open"]),
        "_in_named_shardings": given, "_out_named_shardings": wanted,
    }


def _aval(said: Any, sharding: Any, scope: SymbolicScope | None) -> ShapedArray:
    shape, dtype, weak, *memory = said
    try:
        sizes = tuple([parse_expression(n, scope) if type(n) is str and scope is not None else n for n in shape])
    except SymbolicShapeError as error:
        raise ExportFormatError(says="A size in a serialized function cannot be read.", why=str(error.why)) from None
    return ShapedArray(sizes, _dtype(dtype), bool(weak), sharding=part_of_type(sharding, len(sizes)),
                       memory_space=MemorySpace[memory[0]] if memory else None)


def _dtype(name: str) -> Any:
    """The dtype of this name; that of keys by the tag of their generator."""
    if not name.startswith("key<"):
        return dtypes.float0 if name == "float0" else dtypes.to_dtype(name)
    generator = next((g for g in generators.values() if f"key<{g.tag}>" == name), None)
    if generator is None:
        raise ExportFormatError(says=f"A serialized function has keys of the dtype {name}.",
                                why="no generator of this name is registered here")
    return key_dtype_of(generator)
