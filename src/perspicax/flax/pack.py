"""Writes trees as MessagePack, in the dialect of `flax.serialization`.

Arrays are not copied: a tree becomes a list of pieces, of which the large ones are the arrays' own memory. Joining them,
or writing them to a file one by one, is the only time that data moves.

Sources: the MessagePack specification; the three extension types of Flax (1 an array, 2 a complex number, 3 a NumPy scalar),
each holding MessagePack itself: an array is `[shape, dtype name, bytes in row-major order]`.
"""
from __future__ import annotations

import re
import struct
from typing import Any, NoReturn

import ml_dtypes
import numpy as np

from perspicax import Array, ShapeDtypeStruct, dtypes, random
from perspicax.flax.error_base import article, shape_of
from perspicax.flax.serialization_errors import NotSerializableError

__all__ = ["ARRAY", "CHUNKED", "COMPLEX", "DEEPEST", "KEY", "SCALAR", "Piece", "dtype_named", "pack"]

ARRAY, COMPLEX, SCALAR = 1, 2, 3
CHUNKED = "__msgpack_chunked_array__"
KEY = "__prng_key__"
"""A typed key is a dict `{KEY: name of the generator, "data": its words}`. Flax cannot write one; it reads this as a dict."""
DEEPEST = 400
"""How many dicts and lists may lie in one another: what both sides can walk without the interpreter's stack ending."""

Piece = bytes | memoryview

_PLAIN = frozenset({"bool", "complex64", "complex128", "float16", "float32", "float64", *(
    f"{sign}int{bits}" for sign in ("", "u") for bits in (8, 16, 32, 64))})
_NARROW = {str(np.dtype(kind)): np.dtype(kind) for kind in vars(ml_dtypes).values()
           if isinstance(kind, type) and issubclass(kind, np.generic)}
_TIME = re.compile(r"(datetime|timedelta)64(\[[A-Za-zμ0-9]{1,8}\])?")


def dtype_named(name: str) -> np.dtype | None:
    """The dtype that an array in a file says it has; `None` if no array that is written here has such a one."""
    if name in _PLAIN:
        return np.dtype(name)
    if name in _NARROW:
        return _NARROW[name]
    if _TIME.fullmatch(name):
        try:
            return np.dtype(name)
        except TypeError:
            return None
    return None


def pack(tree: Any, chunk: int, in_order: bool = False, snapshot: bool = False) -> list[Piece]:
    """The bytes of a tree, as pieces to be joined.

    Args:
        tree: dicts, lists, arrays, NumPy scalars, keys of `jax.random`, and Python's numbers, text, bytes and `None`.
        chunk: an array of more bytes than this is written in parts of that size.
        in_order: whether the keys of dicts are sorted, as JAX sorts them.
        snapshot: whether the pieces shall keep their values whatever is written into NumPy's arrays and Python's buffers
            later, which are copied for it. Arrays of ours never change, and XLA does not reuse the memory of one that is
            donated while a piece refers to it.

    Raises:
        NotSerializableError: the tree has something else.

    """
    writer = _Writer(chunk, in_order, snapshot)
    try:
        writer.value(tree, chunked=True)
    except RecursionError:
        writer.refuse("A tree", f"dicts and lists lie more than {DEEPEST} deep in one another, or a list contains itself")
    writer.flush()
    return writer.pieces


class _Writer:
    def __init__(self, chunk: int, in_order: bool, snapshot: bool) -> None:
        self.chunk = chunk
        self.in_order = in_order
        self.snapshot = snapshot
        self.pieces: list[Piece] = []
        self.small = bytearray()
        self.path: list[Any] = []

    def refuse(self, found: str, because: str, remedy: str = "") -> NoReturn:
        raise NotSerializableError(path=tuple(self.path[:20]), found=found, because=because, remedy=remedy)

    def flush(self) -> None:
        if self.small:
            self.pieces.append(bytes(self.small))
            self.small = bytearray()

    def value(self, value: Any, chunked: bool = False) -> None:
        """Write anything. `chunked`: whether Flax divides a large array at this place (it does in dicts alone)."""
        kind = type(value)
        if kind is dict:
            self.mapping(value)
        elif kind is str:
            self.text(value)
        elif isinstance(value, np.ndarray):
            if kind is not np.ndarray and isinstance(value, np.ma.MaskedArray):
                self.refuse("A masked array", "the format has arrays of values, and no mask beside them",
                            "write its parts, `{'data': x.data, 'mask': x.mask}`, or an array without a mask, `x.filled(0)`")
            self.whole_or_chunks(value.copy() if self.snapshot else value, chunked)
        elif isinstance(value, Array):
            if dtypes.issubdtype(value.dtype, dtypes.prng_key):
                self.mapping({KEY: str(random.key_impl(value)), "data": np.asarray(random.key_data(value))}, ours=True)
            else:
                self.whole_or_chunks(np.asarray(value), chunked)
        elif isinstance(value, np.generic):
            self.array(np.asarray(value), SCALAR)
        elif value is None or kind is bool:
            self.small.append({None: 0xC0, False: 0xC2, True: 0xC3}[value])
        elif kind is int:
            self.integer(value)
        elif kind is float:
            self.small += struct.pack(">Bd", 0xCB, value)
        elif kind is list:
            self.sequence(value)
        elif kind is complex:
            self.small += _extension(COMPLEX, 19) + struct.pack(">BBdBd", 0x92, 0xCB, value.real, 0xCB, value.imag)
        elif kind in (bytes, bytearray, memoryview):
            view = memoryview(value)
            self.binary(bytes(view) if self.snapshot or not view.nbytes or not view.c_contiguous else view.cast("B"))
        elif isinstance(value, ShapeDtypeStruct):
            self.refuse(f"A ShapeDtypeStruct {_typed(value)}", "it says what an array is like, and has no values",
                        "write the array itself; a target of `from_bytes` may be a ShapeDtypeStruct")
        else:
            remedy = "make a state dict of the tree first: `to_bytes(tree)`, or `msgpack_serialize(to_state_dict(tree))`"
            name = f"{kind.__name__} {_typed(value)}" if hasattr(value, "shape") and hasattr(value, "dtype") else kind.__name__
            self.refuse(f"{'An' if name[:1].lower() in 'aeiou' else 'A'} {name}",
                        "MessagePack has dicts, lists, text, bytes, numbers and `None`; Flax adds arrays and complex numbers",
                        remedy if isinstance(value, tuple | dict) or hasattr(value, "_fields") else "")

    def enter(self, count: int, short: int, long: int, what: str) -> None:
        if len(self.path) > DEEPEST:
            self.refuse(f"A {what}", f"dicts and lists lie more than {DEEPEST} deep in one another, or a list contains itself")
        if count < 16:
            self.small.append(short | count)
        elif count < 1 << 16:
            self.small += struct.pack(">BH", long, count)
        else:
            self.small += struct.pack(">BI", long + 1, count)

    def mapping(self, value: dict[Any, Any], ours: bool = False) -> None:
        """Write a dict. `ours`: it stands for an array in chunks or a random key, and has the names that say so."""
        if not ours and (CHUNKED in value or (KEY in value and "data" in value and len(value) == 2)):
            name = CHUNKED if CHUNKED in value else KEY
            self.refuse(f"A dict with the key {name!r}",
                        f"this name says that a dict stands for {'an array in chunks' if name == CHUNKED else 'a random key'}, "
                        "so that it would not be read back as it is", "give the entry another name")
        self.enter(len(value), 0x80, 0xDE, "dict")
        path = self.path
        path.append(None)
        for key, each in _sorted(value) if self.in_order else value.items():
            path[-1] = key
            if type(key) is str:
                self.text(key)
            elif key is None or type(key) in (bytes, int, float, bool):
                self.value(key)
            else:
                path.pop()
                self.refuse(f"A dict with {article(key)} as a key", "a key is text, a number or bytes")
            self.value(each, chunked=True)
        path.pop()

    def sequence(self, values: list[Any]) -> None:
        self.enter(len(values), 0x90, 0xDC, "list")
        self.path.append(0)
        for i, each in enumerate(values):
            self.path[-1] = i
            self.value(each)
        self.path.pop()

    def text(self, value: str) -> None:
        try:
            data = value.encode()
        except UnicodeEncodeError:
            self.refuse("Text with a lone surrogate", "text is written as UTF-8, which has no form for it")
        self.small += _text_head(len(data))
        self.small += data

    def binary(self, data: Piece) -> None:
        self.small += _binary_head(len(data))
        self.large(data)

    def large(self, data: Piece) -> None:
        if len(data) < 4096:
            self.small += data
        else:
            self.flush()
            self.pieces.append(data)

    def integer(self, value: int) -> None:
        small = self.small
        if 0 <= value < 128 or -32 <= value < 0:
            small += struct.pack(">b" if value < 0 else ">B", value)
        elif 0 <= value < 1 << 64:
            width = 0 if value < 1 << 8 else 1 if value < 1 << 16 else 2 if value < 1 << 32 else 3
            small += struct.pack(">B" + "BHIQ"[width], 0xCC + width, value)
        elif -(1 << 63) <= value < 0:
            width = 0 if value >= -(1 << 7) else 1 if value >= -(1 << 15) else 2 if value >= -(1 << 31) else 3
            small += struct.pack(">B" + "bhiq"[width], 0xD0 + width, value)
        else:
            self.refuse("An integer of more than 64 bits", "an integer lies between -2**63 and 2**64 - 1")

    def whole_or_chunks(self, array: np.ndarray, chunked: bool) -> None:
        limit = self.chunk if chunked else (1 << 32) - 1024  # beyond this MessagePack has no length for it
        if array.nbytes <= limit or array.size <= 1 or array.dtype.hasobject:
            self.array(array, ARRAY)
            return
        flat, length = array.reshape(-1), max(1, self.chunk // array.dtype.itemsize)
        parts: list[Any] = [flat[start:start + length] for start in range(0, flat.size, length)]
        self.in_order, before = False, self.in_order
        self.mapping({CHUNKED: True, "shape": {str(i): n for i, n in enumerate(array.shape)},
                      "chunks": {str(i): part for i, part in enumerate(parts)}}, ours=True)
        self.in_order = before

    def array(self, array: np.ndarray, code: int) -> None:
        name = array.dtype.name
        if dtype_named(name) is None:
            self.refuse(f"An array of dtype {name}", "arrays of numbers, truth values and times can be written and read back",
                        "split a structured array by its fields; write text as a list")
        if not array.dtype.isnative:
            array = array.astype(array.dtype.newbyteorder("="))
        data = np.ascontiguousarray(array).reshape(-1).view(np.uint8).data if array.size else b""
        inner = bytearray()
        rank = array.ndim
        inner += bytes((0x93, 0x90 | rank)) if rank < 16 else struct.pack(">BBH", 0x93, 0xDC, rank)
        numbers = _Writer(0, False, False)
        numbers.small = inner
        for size in array.shape:
            numbers.integer(size)
        inner += _text_head(len(name)) + name.encode() + _binary_head(len(data))
        self.small += _extension(code, len(inner) + len(data))
        self.small += inner
        self.large(data)


def _sorted(values: dict[Any, Any]) -> list[tuple[Any, Any]]:
    try:
        return sorted(values.items(), key=lambda entry: entry[0])
    except TypeError:  # text and numbers beside one another have no order: they stay as they are
        return list(values.items())


def _typed(value: Any) -> str:
    return f"{value.dtype}{shape_of(value.shape)}"


def _text_head(size: int) -> bytes:
    if size < 32:
        return bytes((0xA0 | size,))
    if size < 1 << 8:
        return bytes((0xD9, size))
    return struct.pack(">BH", 0xDA, size) if size < 1 << 16 else struct.pack(">BI", 0xDB, size)


def _binary_head(size: int) -> bytes:
    if size < 1 << 8:
        return bytes((0xC4, size))
    return struct.pack(">BH", 0xC5, size) if size < 1 << 16 else struct.pack(">BI", 0xC6, size)


_FIXED = {1: 0xD4, 2: 0xD5, 4: 0xD6, 8: 0xD7, 16: 0xD8}


def _extension(code: int, size: int) -> bytes:
    """The head of an extension, down to its type."""
    if size in _FIXED:
        return bytes((_FIXED[size], code))
    if size < 1 << 8:
        return bytes((0xC7, size, code))
    return struct.pack(">BHB", 0xC8, size, code) if size < 1 << 16 else struct.pack(">BIB", 0xC9, size, code)
