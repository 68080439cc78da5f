"""Every dtype there is: NumPy's, those of `ml_dtypes`, the base of extended ones; their kinds and their names."""
from __future__ import annotations

import abc
import string
from typing import Any, TypeAlias

import ml_dtypes
import numpy as np

float0 = np.dtype([("float0", np.void, 0)])
FLOAT0_NAME = "float0"


class extended(np.generic):
    """Scalar class of all extended dtypes; for `issubdtype`."""


class prng_key(extended):
    """Scalar class of random keys; for `issubdtype`."""


class ExtendedDType(abc.ABC):
    """A dtype whose elements are opaque: each is an array of numbers that only its own functions look at.

    Two extended dtypes of one class are equal if they have the same name.
    """

    __slots__ = ()

    @property
    @abc.abstractmethod
    def name(self) -> str:
        """How it is written, `key<fry>`."""

    @property
    @abc.abstractmethod
    def type(self) -> type[extended]:
        """Its scalar class."""

    @property
    @abc.abstractmethod
    def physical_dtype(self) -> np.dtype:
        """The dtype of the numbers in an element."""

    @property
    @abc.abstractmethod
    def physical_shape(self) -> tuple[int, ...]:
        """The shape of the numbers in an element: an array of shape `s` is stored as `s + physical_shape`."""

    @property
    def itemsize(self) -> int:
        """Bytes of an element."""
        return int(np.prod(self.physical_shape, dtype=np.int64)) * self.physical_dtype.itemsize

    def __eq__(self, other: object) -> bool:
        return type(other) is type(self) and other.name == self.name  # type: ignore[attr-defined]

    def __hash__(self) -> int:
        return hash((type(self), self.name))

    def __repr__(self) -> str:
        return self.name


class MeetingDType(ExtendedDType):
    """A dtype of single floating numbers whose tangents meet in a function of their own, in place of the sum.

    Arrays convert to `physical_dtype` and from it, and have derivatives as that has.
    """

    __slots__ = ()

    physical_shape: tuple[int, ...] = ()  # type: ignore[assignment]

    @property
    @abc.abstractmethod
    def nothing(self) -> float:
        """The number that changes none which it meets: it stands for a tangent that is zero."""

    @abc.abstractmethod
    def meet(self, x: Any, y: Any) -> Any:
        """What two arrays of tangents, both of this dtype, become where they flow together."""


DType: TypeAlias = np.dtype | ExtendedDType

ML_FLOATS = ("float4_e2m1fn", "float6_e2m3fn", "float6_e3m2fn", "float8_e3m4", "float8_e4m3", "float8_e4m3b11fnuz",
             "float8_e4m3fn", "float8_e4m3fnuz", "float8_e5m2", "float8_e5m2fnuz", "float8_e8m0fnu", "bfloat16")
SMALL_FLOATS = ML_FLOATS[:-1]
ML_INTS = tuple(name for name in ("int1", "int2", "int4", "uint1", "uint2", "uint4")
                if hasattr(ml_dtypes, name))  # those of one bit came later than the oldest `ml_dtypes` we take
_NUMPY = ("bool", "int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64", "float16", "float32",
          "float64", "complex64", "complex128")

ALL: dict[str, np.dtype] = {name: np.dtype(name) for name in _NUMPY}
"""Every dtype of numbers, by name."""
ALL.update((name, np.dtype(getattr(ml_dtypes, name))) for name in ML_INTS + ML_FLOATS)
NUMERIC = frozenset(ALL.values())

bool_ = ALL["bool"]
int8, int16, int32, int64 = ALL["int8"], ALL["int16"], ALL["int32"], ALL["int64"]
uint8, uint16, uint32, uint64 = ALL["uint8"], ALL["uint16"], ALL["uint32"], ALL["uint64"]
bfloat16, float16, float32, float64 = ALL["bfloat16"], ALL["float16"], ALL["float32"], ALL["float64"]
complex64, complex128 = ALL["complex64"], ALL["complex128"]

python_scalar_dtypes: dict[type, np.dtype] = {bool: bool_, int: int64, float: float64, complex: complex128}
"""What a Python scalar is before 64-bit types are taken away."""

NARROW: dict[np.dtype, np.dtype] = {int64: int32, uint64: uint32, float64: float32, complex128: complex64}

# --- kinds and names


def _kind(name: str) -> str:
    if "float" in name:
        return "float"
    return name.rstrip("0123456789")


def _short(name: str) -> str:
    for long, short in (("bfloat", "bf"), ("float", "f"), ("complex", "c"), ("uint", "u"), ("int", "i")):
        if name.startswith(long):
            return short + name.removeprefix(long)
    return name


def _mlir(name: str) -> str:
    fixed = {"bool": "i1", "complex64": "complex<f32>", "complex128": "complex<f64>"}
    if name in fixed:
        return fixed[name]
    if name.startswith("uint"):
        return "ui" + name.removeprefix("uint")
    return _short(name).replace("_", "").upper().replace("F", "f", 1) if name in SMALL_FLOATS else _short(name)


KINDS = {dtype: _kind(name) for name, dtype in ALL.items()} | {float0: FLOAT0_NAME}
SHORT = {dtype: _short(name) for name, dtype in ALL.items()} | {float0: FLOAT0_NAME}
MLIR = {dtype: _mlir(name) for name, dtype in ALL.items()} | {float0: "i1"}
BITS = {dtype: 8 if name == "bool" else int(name.split("_")[0].lstrip(string.ascii_lowercase))
         for name, dtype in ALL.items()}


def kind_of(dtype: DType) -> str:
    """`bool`, `int`, `uint`, `float`, `complex`, `float0`, `extended`; `other` for what arrays cannot have."""
    if isinstance(dtype, ExtendedDType):
        return "extended"
    return KINDS.get(dtype, "other")


def name_of(dtype: DType) -> str:
    """`float32`, `float0`, `key<fry>`."""
    return FLOAT0_NAME if dtype == float0 else dtype.name


def short_name(dtype: DType) -> str:
    """The name in a printed jaxpr: `f32`, `u8`, `bool`, `bf16`, `f8_e4m3fn`, `key<fry>`."""
    found = None if isinstance(dtype, ExtendedDType) else SHORT.get(dtype)
    return dtype.name if found is None else found
