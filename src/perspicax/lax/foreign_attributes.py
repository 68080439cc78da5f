"""The attributes of a foreign function's call: what Python values become in the program's text."""
from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from perspicax.core.array import Array
from perspicax.core.avals import ShapedArray
from perspicax.lax.composites import attribute_text
from perspicax.lax.foreign_errors import ForeignCallError
from perspicax.xla.emit import constant_text


class ArrayAttribute:
    """A NumPy array as a parameter of an equation, compared by value."""

    __slots__ = ("array", "key")

    def __init__(self, array: np.ndarray) -> None:
        self.array = np.array(array)
        self.array.setflags(write=False)
        self.key = (array.shape, str(array.dtype), self.array.tobytes())

    def __eq__(self, other: object) -> bool:
        return isinstance(other, ArrayAttribute) and self.key == other.key

    def __hash__(self) -> int:
        return hash(self.key)

    def __repr__(self) -> str:
        return repr(self.array)


class Attributes(tuple[tuple[str, Any], ...]):
    """Named attributes: `(name, value)` pairs."""

    __slots__ = ()


def as_attribute(value: Any, path: str, target: str) -> Any:
    """A value as a parameter of an equation: hashable, and of a kind that there is an attribute for.

    Raises:
        ForeignCallError: there is none.
    """
    if isinstance(value, Array):
        raise _unfit(path, target, "an array of the device", f"{path}=np.asarray(...)")
    if isinstance(value, Mapping):
        return Attributes((str(k), as_attribute(v, f"{path}[{k!r}]", target)) for k, v in value.items())
    if isinstance(value, (tuple, list)):
        return tuple([as_attribute(v, f"{path}[{i}]", target) for i, v in enumerate(value)])
    if isinstance(value, np.ndarray) or (isinstance(value, np.generic) and not isinstance(value, (str, bytes))):
        if value.dtype.kind not in "biufcV" or value.dtype.names:
            raise _unfit(path, target, f"of dtype {value.dtype}")
        if isinstance(value, np.ndarray):
            return ArrayAttribute(value)
        if value.dtype.kind == "c":
            raise _unfit(path, target, "a complex number", f"{path}=np.array([{value}])")
        return value
    if isinstance(value, int) and not -2**63 <= value < 2**63:
        raise _unfit(path, target, "an integer beyond 64 bits", f"{path}=np.uint64(...)")
    if isinstance(value, (bool, int, float, str, bytes, np.dtype)):
        return value
    raise _unfit(path, target, f"of class {type(value).__name__}")


def _unfit(path: str, target: str, what: str, instead: str = "") -> ForeignCallError:
    from perspicax.diagnose.report import Fix  # only an error needs it

    return ForeignCallError(
        says=f"The attribute `{path}` of the foreign function `{target}` is {what}.",
        why="attributes are known when the program is compiled: numbers, truth values, text, NumPy arrays, dtypes, and tuples "
            "and dicts of these", fixes=(Fix("pass it as one of these", code=instead),) if instead else ())


def attributes_text(attributes: Attributes) -> str:
    """Named attributes as they stand in a dictionary of MLIR, without its braces."""
    named = [(name if name.isidentifier() else attribute_text(name), value) for name, value in attributes]
    return ", ".join([f"{name} = {_text(value)}" for name, value in named])


def _text(value: Any) -> str:
    match value:
        case Attributes():
            return f"{{{attributes_text(value)}}}"
        case ArrayAttribute(array=array):
            aval = ShapedArray(array.shape, array.dtype)
            return f"dense<{constant_text(array, aval)}> : {aval.mlir}"
        case tuple():
            return f"[{', '.join([_text(v) for v in value])}]"
        case bytes():
            return '"' + "".join([chr(c) if 32 <= c < 127 and c not in (34, 92) else f"\\{c:02X}" for c in value]) + '"'
    return attribute_text(value)


__all__ = ["ArrayAttribute", "Attributes", "as_attribute", "attributes_text"]
