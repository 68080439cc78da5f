"""How exactly matrix products and convolutions are computed, and the dtype of what they return.

A precision is a `Precision` for each operand, or a `DotAlgorithmPreset`, which fixes the whole algorithm; either may be
named by a string. Nothing given means the option `jax_default_matmul_precision`.
"""
from __future__ import annotations

import enum
from typing import Any, NamedTuple

import numpy as np

from perspicax.core import dtypes
from perspicax.core.config import default_matmul_precision
from perspicax.lax.families import kind
from perspicax.lax.product_errors import PrecisionError, PreferredTypeError, ProductTypeError


class Precision(enum.Enum):
    """How much of its operands' precision a product uses, on hardware where less is faster.

    `Precision("float32")` and the other older names work too: bfloat16 and fastest are DEFAULT, bfloat16_3x and
    tensorfloat32 are HIGH, float32 is HIGHEST.
    """

    DEFAULT = 0
    HIGH = 1
    HIGHEST = 2

    @classmethod
    def _missing_(cls, value: object) -> Precision | None:
        return _ALIASES.get(value) if value is None or isinstance(value, str) else None

    def __repr__(self) -> str:
        return f"Precision.{self.name}"

    def __str__(self) -> str:
        return self.name


_ALIASES: dict[Any, Precision] = {
    None: Precision.DEFAULT, "default": Precision.DEFAULT, "fastest": Precision.DEFAULT, "bfloat16": Precision.DEFAULT,
    "high": Precision.HIGH, "bfloat16_3x": Precision.HIGH, "tensorfloat32": Precision.HIGH,
    "highest": Precision.HIGHEST, "float32": Precision.HIGHEST,
}


class DotAlgorithm(NamedTuple):
    """An algorithm for products, in the fields of StableHLO's `dot_algorithm`.

    Attributes:
        lhs_precision_type: dtype to which entries of the left operand are rounded.
        rhs_precision_type: likewise of the right one.
        accumulation_type: dtype in which sums are kept.
        lhs_component_count: into how many numbers each entry of the left operand is split.
        rhs_component_count: likewise of the right one.
        num_primitive_operations: how many products of such parts are summed.
        allow_imprecise_accumulation: whether sums may be kept in less for some steps.
    """

    lhs_precision_type: Any
    rhs_precision_type: Any
    accumulation_type: Any
    lhs_component_count: int = 1
    rhs_component_count: int = 1
    num_primitive_operations: int = 1
    allow_imprecise_accumulation: bool = False


class DotAlgorithmPreset(enum.Enum):
    """Algorithms that some hardware has, named by the dtypes of operands and sum, and the number of products."""

    DEFAULT = enum.auto()
    ANY_F8_ANY_F8_F32 = enum.auto()
    ANY_F8_ANY_F8_F32_FAST_ACCUM = enum.auto()
    ANY_F8_ANY_F8_ANY = enum.auto()
    ANY_F8_ANY_F8_ANY_FAST_ACCUM = enum.auto()
    F16_F16_F16 = enum.auto()
    F16_F16_F32 = enum.auto()
    BF16_BF16_BF16 = enum.auto()
    BF16_BF16_F32 = enum.auto()
    BF16_BF16_F32_X3 = enum.auto()
    BF16_BF16_F32_X6 = enum.auto()
    BF16_BF16_F32_X9 = enum.auto()
    TF32_TF32_F32 = enum.auto()
    TF32_TF32_F32_X3 = enum.auto()
    F32_F32_F32 = enum.auto()
    F64_F64_F64 = enum.auto()

    def __repr__(self) -> str:
        return f"DotAlgorithmPreset.{self.name}"

    def __str__(self) -> str:
        return self.name

    @property
    def accumulation_type(self) -> Any:
        """Dtype in which sums are kept; `None` where the preset leaves it open."""
        return _accumulation_type(self.name)


def _accumulation_type(name: str) -> Any:
    words = [w for w in name.split("_") if w in _ACCUMULATORS]
    return _ACCUMULATORS[words[-1]] if words and not name.startswith("ANY_F8_ANY_F8_ANY") else None


_ACCUMULATORS = {"F16": np.float16, "BF16": dtypes.bfloat16.type, "F32": np.float32, "F64": np.float64}


class _Plan(NamedTuple):
    """What a preset asks of the operation: operand dtypes that it takes as they are, the last one for all others; the
    dtypes it can return for each; and its text."""

    operands: tuple[Any, ...]
    results: tuple[Any, ...]
    text: str


def _algorithm_text(element: str, accumulator: str, products: int = 1) -> str:
    return (f"#stablehlo.dot_algorithm<lhs_precision_type = {element}, rhs_precision_type = {element}, "
            f"accumulation_type = {accumulator}, lhs_component_count = 1, rhs_component_count = 1, "
            f"num_primitive_operations = {products}, allow_imprecise_accumulation = false>")


_F16, _BF16, _F32, _F64 = dtypes.float16, dtypes.bfloat16, dtypes.float32, dtypes.float64
_ON_CPU: dict[DotAlgorithmPreset, _Plan] = {
    DotAlgorithmPreset.F16_F16_F16: _Plan((_F16,), (_F16,), _algorithm_text("f16", "f16")),
    DotAlgorithmPreset.BF16_BF16_F32: _Plan((_F32, _BF16), (_F32, _BF16), _algorithm_text("bf16", "f32")),
    DotAlgorithmPreset.BF16_BF16_F32_X3: _Plan((_F32,), (_F32,), _algorithm_text("bf16", "f32", 3)),
    DotAlgorithmPreset.BF16_BF16_F32_X6: _Plan((_F32,), (_F32,), _algorithm_text("bf16", "f32", 6)),
    DotAlgorithmPreset.F32_F32_F32: _Plan((_F32,), (_F32,), _algorithm_text("f32", "f32")),
    DotAlgorithmPreset.F64_F64_F64: _Plan((_F64,), (_F64,), _algorithm_text("f64", "f64")),
}


def algorithm_plan(precision: Any, operand_dtype: Any, out_dtype: Any) -> tuple[Any, Any, str] | None:
    """How a product with an algorithm is emitted: dtype of the operands, dtype of the result, attribute text.

    `None` when `precision` names no algorithm.

    Raises:
        PrecisionError: the CPU does not have the algorithm.
    """
    if (isinstance(precision, tuple) and not isinstance(precision, DotAlgorithm)) or precision is None:
        return None
    if precision is DotAlgorithmPreset.DEFAULT:
        return None
    plan = _ON_CPU.get(precision) if isinstance(precision, DotAlgorithmPreset) else None
    if plan is None:
        raise PrecisionError(given=str(precision), kind="platform", names=tuple(p.name for p in _ON_CPU))
    operands = operand_dtype if operand_dtype in plan.operands else plan.operands[-1]
    # Only operands of 16 bits give a result of 16 bits; from wider ones it is rounded afterwards.
    narrow = out_dtype in plan.results and out_dtype in (operands, plan.results[0])
    return operands, out_dtype if narrow else plan.results[0], plan.text


def precision_config(precision: Any) -> str:
    """The attribute `precision_config` of products and convolutions."""
    pair = precision if type(precision) is tuple else (Precision.DEFAULT, Precision.DEFAULT)
    return f"precision_config = [{', '.join([f'#stablehlo<precision {p.name}>' for p in pair])}]"


def canonical_precision(precision: Any) -> Any:
    """`None`, a pair of `Precision`, a `DotAlgorithm` or a `DotAlgorithmPreset`, from all that may be given.

    Raises:
        PrecisionError: it is none of these, and no string that names one.
    """
    if precision is None:
        precision = default_matmul_precision.value
        if precision is None:
            return None
    if isinstance(precision, (DotAlgorithm, DotAlgorithmPreset)):
        return precision
    if isinstance(precision, str) and precision in DotAlgorithmPreset.__members__ and precision != "DEFAULT":
        return DotAlgorithmPreset[precision]
    pair = tuple(precision) if isinstance(precision, (tuple, list)) else (precision, precision)
    if len(pair) == 2 and all(p is None or isinstance(p, (str, Precision)) for p in pair):
        if all(isinstance(p, Precision) or p in _ALIASES for p in pair):
            return tuple([Precision(p) for p in pair])
    raise PrecisionError(given=repr(precision), kind="name",
                         names=(*[n for n in _ALIASES if n is not None], *list(DotAlgorithmPreset.__members__)[1:]))


# -- the dtype of the result

_BREADTH = {"b": 0, "s": 1, "u": 1, "f": 2, "c": 3}


def _measure(dtype: Any) -> tuple:
    """Products have the dtype that is first in this order: the broadest kind, in it the widest range."""
    k = kind(dtype)
    if k == "f":
        return _BREADTH[k], float(dtypes.finfo(dtype).max), 0
    return _BREADTH[k], dtypes.itemsize_bits(dtype), k == "s"


def product_dtype(operation: str, lhs: Any, rhs: Any, preferred: Any) -> Any:
    """The dtype of a product of two operands.

    Args:
        operation: name of the primitive, for reports.
        lhs: type of the left operand.
        rhs: type of the right operand.
        preferred: the dtype that the user asked for, or `None`.

    Raises:
        ProductTypeError: the dtypes have no common one, or are no numbers.
        PreferredTypeError: `preferred` cannot hold the result.
    """
    if kind(lhs.dtype) == "x" or kind(rhs.dtype) == "x":
        raise ProductTypeError(operation=operation, avals=(lhs, rhs))
    found = lhs.dtype
    if lhs.dtype != rhs.dtype:
        a, b = _measure(lhs.dtype), _measure(rhs.dtype)
        if a == b:
            raise ProductTypeError(operation=operation, avals=(lhs, rhs))
        found = lhs.dtype if a > b else rhs.dtype
    if preferred is None:
        return found
    if kind(found) != "f" and _bits(preferred) < _bits(found):
        raise PreferredTypeError(operation=operation, preferred=dtypes.name_of(preferred), dtype=dtypes.name_of(found))
    return preferred


def _bits(dtype: Any) -> int:
    """Bits of a number; of one part for complex dtypes, one for booleans."""
    k = kind(dtype)
    return 1 if k == "b" else dtypes.itemsize_bits(dtype) // (2 if k == "c" else 1)


def canonical_preferred(dtype: Any) -> Any:
    """`preferred_element_type` as a dtype that exists under the current options, or `None`."""
    return None if dtype is None else dtypes.requested_dtype(dtype, "dot")
