"""Type promotion: which dtype the result has when operands of several dtypes meet.

The rule is JAX's (its page "Type promotion semantics"): dtypes and three weak kinds (`int*`, `float*`, `complex*`, as
Python scalars have) form a lattice, and the result is the least type above all operands. Answers for pairs are kept
in one dictionary for each setting of the two options on which they depend.
"""
from __future__ import annotations

import functools
from collections.abc import Iterable, Sequence
from typing import Any, Literal, overload

import numpy as np

from perspicax.core.config import enable_x64, numpy_dtype_promotion
from perspicax.core.dtype_errors import NoOperandsError, NotPromotableError, TypePromotionError
from perspicax.core.dtypes import (
    ALL,
    FLOAT0_NAME,
    ML_INTS,
    NUMERIC,
    SMALL_FLOATS,
    DType,
    ExtendedDType,
    default_dtype,
    dtype_of,
    is_weakly_typed,
    kind_of,
    name_of,
    python_scalar_dtypes,
    requested_dtype,
    to_dtype,
)

__all__ = ["TypePromotionError", "lattice_pair", "lattice_result", "promote_types", "result_type"]

Node = str  # the name of a dtype, or "int*", "float*", "complex*"

_WEAK = {"int": "int*", "uint": "int*", "float": "float*", "complex": "complex*"}
_WIDEST = {"int*": ALL["int64"], "float*": ALL["float64"], "complex*": ALL["complex128"]}


def _standard(x64: bool) -> dict[Node, tuple[Node, ...]]:
    """Each node with those directly above it."""
    return {
        "bool": ("int*",),
        "int*": ("int8", "uint8", *ML_INTS),
        **dict.fromkeys(ML_INTS, ()),  # they combine with `bool` and Python integers, and with nothing else
        "int8": ("int16",), "int16": ("int32",), "int32": ("int64",), "int64": ("float*",),
        "uint8": ("int16", "uint16"), "uint16": ("int32", "uint32"),
        # without 64 bits there is no signed type above uint32: int32, though narrower, takes that place
        "uint32": ("int64" if x64 else "int32", "uint64"), "uint64": ("float*",),
        "float*": ("bfloat16", "float16", "complex*", *SMALL_FLOATS),
        **dict.fromkeys(SMALL_FLOATS, ()),
        "bfloat16": ("float32",), "float16": ("float32",), "float32": ("float64", "complex64"),
        "float64": ("complex128",), "complex*": ("complex64",), "complex64": ("complex128",), "complex128": (),
    }


def _strict() -> dict[Node, tuple[Node, ...]]:
    """In strict mode only weak types give way: to dtypes of their kind, and to weak and other dtypes of later kinds."""
    kinds: dict[str, list[Node]] = {"bool": [], "int": [], "uint": [], "float": [], "complex": []}
    for name, dtype in ALL.items():
        kinds[kind_of(dtype)].append(name)
    above: dict[Node, tuple[Node, ...]] = dict.fromkeys(ALL, ())
    above["int*"] = ("float*", *kinds["int"], *kinds["uint"])
    above["float*"] = ("complex*", *kinds["float"])
    above["complex*"] = tuple(kinds["complex"])
    return above


@functools.cache
def _upper_sets(mode: str, x64: bool) -> dict[Node, frozenset[Node]]:
    """Each node with all nodes that lie at or above it."""
    direct = _strict() if mode == "strict" else _standard(x64)

    @functools.cache
    def at_or_above(node: Node) -> frozenset[Node]:
        return frozenset((node,)).union(*map(at_or_above, direct[node]))

    return {node: at_or_above(node) for node in direct}


def _least_upper_bound(nodes: Iterable[Node], mode: str, x64: bool) -> Node | None:
    """The least node that lies at or above all of them; `None` if there is none."""
    upper = _upper_sets(mode, x64)
    common = frozenset.intersection(*(upper[node] for node in nodes))
    return next((node for node in common if common <= upper[node]), None)


def _node(dtype: DType, weak: bool) -> Node:
    if isinstance(dtype, ExtendedDType) or dtype not in NUMERIC:
        raise NotPromotableError(dtype=name_of(dtype))
    return _WEAK.get(kind_of(dtype), dtype.name) if weak else dtype.name


def _bound(nodes: Sequence[Node]) -> Node:
    """The least upper bound under the options of this thread.

    Raises:
        TypePromotionError: there is none.
    """
    mode = numpy_dtype_promotion.value
    found = _least_upper_bound(nodes, mode, enable_x64.value)
    if found is None:
        shown = tuple(dict.fromkeys(node.removesuffix("*") for node in nodes))
        raise TypePromotionError(dtypes=shown, mode=mode, common=_common(nodes))
    return found


def _common(nodes: Sequence[Node]) -> str:
    """A dtype to which operands of these types can be converted: the one they would have in standard mode, or the
    ordinary one of the last of their kinds."""
    found = _least_upper_bound(nodes, "standard", enable_x64.value)
    if found is not None and found in ALL:
        return found
    kinds = {node.removesuffix("*") if node.endswith("*") else kind_of(ALL[node]) for node in nodes}
    return next(default_dtype(kind).name for kind in ("complex", "float", "int", "uint", "bool") if kind in kinds)


_pairs: dict[tuple[str, bool], dict[tuple[DType, bool, DType, bool], tuple[DType, bool]]] = {
    (mode, x64): {} for mode in ("standard", "strict") for x64 in (False, True)}


def lattice_pair(a: DType, a_weak: bool, b: DType, b_weak: bool) -> tuple[DType, bool]:
    """The dtype of the result, and whether it is weak, when two operands meet. See `lattice_result`."""
    answers = _pairs[numpy_dtype_promotion.value, enable_x64.value]
    key = (a, a_weak, b, b_weak)
    found = answers.get(key)
    if found is None:
        found = answers[key] = _lattice_result((a, b), (a_weak, b_weak))
    return found


def lattice_result(dtypes: Sequence[DType], weak_flags: Sequence[bool]) -> tuple[DType, bool]:
    """The dtype of the result, and whether it is weak, when these operands meet.

    Args:
        dtypes: the operands' dtypes, as arrays have them.
        weak_flags: for each operand whether its dtype is weak.

    Raises:
        NotPromotableError: a dtype has no place in the lattice.
        TypePromotionError: the dtypes have no common type.
    """
    if len(dtypes) == 1:
        return dtypes[0], weak_flags[0]
    if len(dtypes) == 2:
        return lattice_pair(dtypes[0], weak_flags[0], dtypes[1], weak_flags[1])
    return _lattice_result(dtypes, weak_flags)


def _lattice_result(dtypes: Sequence[DType], weak_flags: Sequence[bool]) -> tuple[DType, bool]:
    weak = all(weak_flags)
    if not weak and all(dtype == dtypes[0] for dtype in dtypes):
        return dtypes[0], False
    # among weak operands alone the wider dtype counts; strict mode knows only their kinds
    by_dtype = weak and numpy_dtype_promotion.value == "standard"
    found = _bound([_node(dtype, flag and not by_dtype) for dtype, flag in zip(dtypes, weak_flags)])
    if found.endswith("*"):
        return default_dtype(found.removesuffix("*")), True
    return ALL[found], weak and found != "bool"


def promote_types(a: Any, b: Any) -> DType:
    """The dtype in which two dtypes meet; 64-bit dtypes stay, whatever `jax_enable_x64` says.

    Args:
        a: anything that names a dtype; `int`, `float` and `complex` count as weak.
        b: likewise.

    Raises:
        NotPromotableError: one of them has no place in the lattice.
        TypePromotionError: they have no common type.
        UnknownDTypeError: one of them names no dtype.

    >>> promote_types("int32", "float16")
    dtype('float16')
    """
    dtypes = to_dtype(a), to_dtype(b)
    if isinstance(dtypes[0], ExtendedDType) and dtypes[0] == dtypes[1]:
        return dtypes[0]
    found = _bound([_node(dtype, is_weakly_typed(x)) for dtype, x in zip(dtypes, (a, b))])
    return _WIDEST[found] if found.endswith("*") else ALL[found]


@overload
def result_type(*args: Any, return_weak_type_flag: Literal[False] = False) -> DType: ...
@overload
def result_type(*args: Any, return_weak_type_flag: Literal[True]) -> tuple[DType, bool]: ...
def result_type(*args: Any, return_weak_type_flag: bool = False) -> Any:
    """The dtype of the result when these operands meet.

    Args:
        args: arrays, scalars, dtypes and names of dtypes, in any number above 0.
        return_weak_type_flag: whether to say also if the result is weakly typed.

    Returns:
        The dtype, or the pair `(dtype, weak)`. A weak result has the default dtype of its kind.

    Raises:
        NoOperandsError: there are no operands.
        NotTypedError: one of them has no dtype.
        TypePromotionError: their dtypes have no common type.

    >>> result_type("int8", 1.5)
    dtype('float32')
    """
    if not args:
        raise NoOperandsError()
    dtype, weak = lattice_result([_operand_dtype(x) for x in args], [is_weakly_typed(x) for x in args])
    kind = kind_of(dtype)
    if weak and kind not in ("bool", "extended", FLOAT0_NAME):
        dtype = default_dtype(kind)
    elif kind == "bool":
        weak = False
    return (dtype, weak) if return_weak_type_flag else dtype


def _operand_dtype(x: Any) -> DType:
    if x is None:
        return default_dtype("float")
    if isinstance(x, (str, type, np.dtype)) and x not in python_scalar_dtypes:
        dtype_of(x)  # for its reports
        return requested_dtype(x, "result_type")
    return dtype_of(x)
