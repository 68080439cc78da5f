"""Reads what `pack` (and Flax) wrote, and takes nothing in the bytes on trust.

Every length is compared with the bytes that are left before anything is made of it, so that a few bytes cannot ask for
gigabytes; an array must have exactly the bytes that its shape and dtype need. Each fault tells where it is in the tree.
"""
from __future__ import annotations

import struct
from collections.abc import Callable
from math import prod
from typing import Any, NoReturn

import numpy as np

from perspicax import random
from perspicax.flax.error_base import short
from perspicax.flax.pack import ARRAY, CHUNKED, COMPLEX, DEEPEST, KEY, SCALAR, dtype_named
from perspicax.flax.serialization_errors import DamagedBytesError

__all__ = ["unpack"]


def unpack(data: Any, source: str = "") -> Any:
    """The tree that bytes stand for; its arrays are NumPy's, have memory of their own, and keys of `jax.random` are keys.

    Args:
        data: bytes, or anything with a buffer.
        source: the file that they are from, for errors.

    Raises:
        DamagedBytesError: they are no whole and sound tree.
        TypeError: `data` is no buffer.
    """
    reader = _Reader(memoryview(data).cast("B"), source)
    try:
        tree = reader.value()
    except RecursionError:
        reader.refuse("dicts and lists lie too deep in one another")
    if reader.at != reader.size:
        reader.refuse(f"the tree ends, and {reader.size - reader.at} more bytes follow")
    return tree


class _Memory:
    """Where the arrays of one tree lie: a few large blocks, since new memory in small ones costs more than to fill it.

    Each array begins at a multiple of 64 bytes, where XLA takes it as it is. A block is given back when the last of its
    arrays is gone.
    """

    BLOCK = 1 << 24

    def __init__(self, most: int) -> None:
        self.most = most  # no tree has arrays of more bytes than it was read from
        self.block = np.empty(0, np.uint8)
        self.at = 0

    def take(self, count: int) -> np.ndarray:
        """Memory of so many bytes."""
        if count > self.BLOCK // 4:
            return np.empty(count, np.uint8)
        if self.at + count > self.block.size:
            self.block = np.empty(min(self.BLOCK, max(64 * (self.most // 64), count) + 64), np.uint8)
            self.at = -self.block.__array_interface__["data"][0] % 64
            if self.at + count > self.block.size:
                return np.empty(count, np.uint8)
        found = self.block[self.at:self.at + count]
        self.at += -(-count // 64) * 64
        return found


_NUMBERS = {0xCA: struct.Struct(">f"), 0xCB: struct.Struct(">d"), **{
    0xCC + i: struct.Struct(f">{letter}") for i, letter in enumerate("BHIQbhiq")}}
_LENGTHS = {1: struct.Struct(">B"), 2: struct.Struct(">H"), 4: struct.Struct(">I")}
_CONSTANTS = {0xC0: None, 0xC2: False, 0xC3: True}


class _Reader:
    def __init__(self, data: memoryview, source: str) -> None:
        self.data = data
        self.size = len(data)  # where the value that is being read must end
        self.source = source
        self.at = 0
        self.path: list[Any] = []
        self.memory = _Memory(self.size)

    def refuse(self, fault: str) -> NoReturn:
        raise DamagedBytesError(path=tuple(self.path[:20]), offset=self.at, size=len(self.data), fault=fault,
                                source=self.source)

    def need(self, count: int, what: str) -> None:
        if count > self.size - self.at:
            self.refuse(f"{what} needs {count:,} bytes, and {self.size - self.at:,} are left")

    def number(self, form: struct.Struct) -> Any:
        self.need(form.size, "a number")
        (value,) = form.unpack_from(self.data, self.at)
        self.at += form.size
        return value

    def take(self, count: int, what: str) -> memoryview:
        self.need(count, what)
        start, self.at = self.at, self.at + count
        return self.data[start:self.at]

    def value(self) -> Any:
        self.need(1, "a value")
        tag = self.data[self.at]
        self.at += 1
        if tag < 0x80:
            return tag
        if tag >= 0xE0:
            return tag - 0x100
        if tag < 0x90:
            return self.mapping(tag & 0x0F)
        if tag < 0xA0:
            return self.sequence(tag & 0x0F)
        if tag < 0xC0:
            return self.text(tag & 0x1F)
        if tag in _CONSTANTS:
            return _CONSTANTS[tag]
        if tag in _NUMBERS:
            return self.number(_NUMBERS[tag])
        read = _LONG.get(tag)
        if read is None:
            self.at -= 1
            self.refuse("there is the byte 0xc1, which MessagePack never has")
        method, width = read
        return method(self, width if width < 0 else self.number(_LENGTHS[width]))

    def mapping(self, count: int) -> Any:
        if len(self.path) > DEEPEST:
            self.refuse(f"dicts and lists lie more than {DEEPEST} deep in one another")
        self.need(2 * count, f"a dict of {count:,} entries")
        found: dict[Any, Any] = {}
        path = self.path
        path.append("?")
        for _ in range(count):
            path[-1] = "?"
            key = self.value()
            if type(key) not in _KEYS:
                self.refuse(f"a key of a dict is a {type(key).__name__}")
            if key in found:
                self.refuse(f"the key {short(key)} is there twice")
            path[-1] = key
            found[key] = self.value()
        path.pop()
        if CHUNKED in found:
            return self.joined(found)
        return self.key(found) if KEY in found and len(found) == 2 and "data" in found else found

    def sequence(self, count: int) -> list[Any]:
        if len(self.path) > DEEPEST:
            self.refuse(f"dicts and lists lie more than {DEEPEST} deep in one another")
        self.need(count, f"a list of {count:,} entries")
        found = []
        self.path.append(0)
        for i in range(count):
            self.path[-1] = i
            found.append(self.value())
        self.path.pop()
        return found

    def text(self, count: int) -> str:
        data = self.take(count, "text")
        try:
            return str(data, "utf-8")
        except UnicodeDecodeError:
            self.at -= count
            return self.refuse("there is text that is no UTF-8")

    def binary(self, count: int) -> bytes:
        return bytes(self.take(count, "a string of bytes"))

    def extension(self, count: int) -> Any:
        count = -count if count < 0 else count
        found: Any
        code = self.number(_NUMBERS[0xD0])  # one byte, with a sign
        self.need(count, "an array" if code in (ARRAY, SCALAR) else "a value")
        after, self.size = self.size, self.at + count
        if code == ARRAY:
            found = self.array()
        elif code == SCALAR:
            found = self.array()
            found = found[()] if found.ndim == 0 else self.refuse("a scalar has a shape")
        elif code == COMPLEX:
            parts = self.value()
            if type(parts) is not list or len(parts) != 2 or any(type(part) not in (int, float) for part in parts):
                self.refuse("a complex number is not made of two numbers")
            found = complex(*parts)
        else:
            self.refuse(f"there is an extension of type {code}; Flax writes the types 1, 2 and 3")
        if self.at != self.size:
            self.refuse("the value ends before the bytes that are meant for it")
        self.size = after
        return found

    def array(self) -> np.ndarray:
        """The inside of an extension: `[shape, dtype name, bytes]`."""
        self.expect(0x93, "an array does not begin with its shape, dtype and bytes")
        self.need(1, "a shape")
        if not 0x90 <= self.data[self.at] < 0xA0 and self.data[self.at] != 0xDC:
            self.refuse("the shape of an array is no list")
        shape = self.value()
        if any(type(size) is not int or size < 0 for size in shape):
            self.refuse("the shape of an array has something else than sizes")
        self.need(1, "a dtype")
        if not 0xA0 <= self.data[self.at] < 0xC0:
            self.refuse("the dtype of an array is no name")
        name = self.value()
        dtype = dtype_named(name)
        if dtype is None:
            self.refuse(f"an array has the dtype {name[:32]!r}, which is none that is written")
        self.need(1, "the bytes of an array")
        width = _BINARY.get(self.data[self.at])
        if width is None:
            self.refuse("an array has no bytes")
        self.at += 1
        count = self.number(_LENGTHS[width])
        if count != prod(shape) * dtype.itemsize:
            self.refuse(f"an array {name}{shape} would have {prod(shape) * dtype.itemsize:,} bytes, and has {count:,}")
        data = self.take(count, "an array")
        bits = self.memory.take(count)
        bits[:] = data
        if name == "bool" and count and bits.max() > 1:
            self.refuse("an array of truth values has bytes other than 0 and 1")
        try:
            return bits.view(dtype).reshape(shape)
        except (ValueError, OverflowError):
            return self.refuse(f"NumPy has no array of shape {shape}")

    def expect(self, tag: int, otherwise: str) -> None:
        self.need(1, "a value")
        if self.data[self.at] != tag:
            self.refuse(otherwise)
        self.at += 1

    def joined(self, found: dict[Any, Any]) -> np.ndarray:
        """An array from its chunks: `{CHUNKED: True, "shape": {"0": ...}, "chunks": {"0": ...}}`."""
        shape, chunks = (_in_order(found.get(name)) for name in ("shape", "chunks"))
        if shape is None or any(type(size) is not int or size < 0 for size in shape):
            self.refuse("an array in chunks has no shape")
        if not chunks or any(type(part) is not np.ndarray or part.ndim != 1 or part.dtype != chunks[0].dtype
                             for part in chunks):
            self.refuse("an array in chunks has no chunks, or some that do not go together")
        if sum(part.size for part in chunks) != prod(shape):
            self.refuse(f"the chunks of an array have {sum(part.size for part in chunks):,} entries, and its shape is {shape}")
        try:
            return np.concatenate(chunks).reshape(shape)
        except (ValueError, OverflowError):
            return self.refuse(f"NumPy has no array of shape {shape}")

    def key(self, found: dict[Any, Any]) -> Any:
        """A key of `jax.random` from its generator's name and its words."""
        kind, words = found[KEY], found["data"]
        if type(kind) is not str or type(words) is not np.ndarray or words.dtype != np.uint32:
            self.refuse("a random key has no generator or no words")
        try:
            return random.wrap_key_data(words, impl=kind)
        except (TypeError, ValueError) as error:
            return self.refuse(f"a random key cannot be made: {str(error).splitlines()[0].rstrip('.')}")


_KEYS = (str, int, bytes, float, bool, type(None))
_BINARY = {0xC4: 1, 0xC5: 2, 0xC6: 4}
# What each long form is read by, with the width of its length; a fixed length is negative.
_LONG: dict[int, tuple[Callable[[_Reader, int], Any], int]] = {
    **{tag: (_Reader.binary, width) for tag, width in _BINARY.items()},
    **{0xD9 + i: (_Reader.text, width) for i, width in enumerate((1, 2, 4))},
    **{0xC7 + i: (_Reader.extension, width) for i, width in enumerate((1, 2, 4))},
    **{0xD4 + i: (_Reader.extension, -(1 << i)) for i in range(5)},
    0xDC: (_Reader.sequence, 2), 0xDD: (_Reader.sequence, 4), 0xDE: (_Reader.mapping, 2), 0xDF: (_Reader.mapping, 4),
}


def _in_order(parts: Any) -> list[Any] | None:
    """The entries of `{"0": a, "1": b}` by their numbers; `None` if it is no such dict."""
    names = [str(i) for i in range(len(parts))] if type(parts) is dict else []
    if type(parts) is not dict or any(name not in parts for name in names):
        return None
    return [parts[name] for name in names]  # a writer that sorts keys puts "10" before "2"
