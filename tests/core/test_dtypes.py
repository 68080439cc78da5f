"""Dtypes: what names them, their names, the dtype of a value, their hierarchy, scalar types."""
from __future__ import annotations

import copy
import enum
import pickle
import warnings
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import ml_dtypes
import numpy as np
import pytest

from perspicax.core import dtypes
from perspicax.core.config import enable_x64, explicit_x64_dtypes
from perspicax.core.dtype_errors import (
    Explicit64BitDTypeError,
    ExtendedDTypeError,
    IntegerRangeError,
    NonNumericDTypeError,
    NotTypedError,
    UnknownDTypeError,
)
from perspicax.diagnose.errors import InternalError

NAMES = list(dtypes.ALL)


class KeyType(dtypes.ExtendedDType):
    """An extended dtype as the random room defines them."""

    __slots__ = ("name",)
    name: str  # type: ignore[misc]
    type = dtypes.prng_key
    physical_dtype = dtypes.uint32
    physical_shape = (2,)

    def __init__(self, name: str) -> None:
        self.name = name


KEY = KeyType("key<fry>")


@pytest.fixture
def scalars_make_pairs() -> Iterator[None]:
    """Let scalar types make `(x, dtype)`, and put back what made their values before."""
    before = dtypes._construct
    dtypes.set_scalar_constructor(lambda x, dtype: (x, dtype))
    yield
    dtypes._construct = before


# --- making dtypes


@pytest.mark.parametrize("name", NAMES)
def test_every_way_to_name_a_dtype_gives_the_one_object(name: str) -> None:
    dtype = dtypes.ALL[name]
    ways = [name, dtype, dtype.type, dtypes.scalar_types[name], np.dtype(name), pickle.loads(pickle.dumps(dtype))]
    assert all(dtypes.to_dtype(way) is dtype for way in ways)


def test_python_types_and_other_spellings_name_dtypes() -> None:
    assert dtypes.to_dtype(float) is dtypes.float64
    assert dtypes.to_dtype(int) is dtypes.int64
    assert dtypes.to_dtype("f4") is dtypes.float32
    assert dtypes.to_dtype(np.dtype("q")) is dtypes.int64
    assert dtypes.to_dtype(np.dtype("float32", metadata={"a": 1})) is dtypes.float32  # type: ignore[call-overload]
    assert dtypes.to_dtype(KEY) is KEY


def test_what_names_no_dtype_is_a_type_error_with_near_names() -> None:
    with pytest.raises(TypeError) as caught:
        dtypes.to_dtype("flaot32")
    assert isinstance(caught.value, UnknownDTypeError)
    assert "float32" in caught.value.near
    for x in (1, 3.5, [1, 2], object()):
        with pytest.raises(UnknownDTypeError):
            dtypes.to_dtype(x)


@pytest.mark.parametrize("x", [np.zeros(3), np.float32(1)])
def test_an_array_is_no_dtype(x: Any) -> None:
    with pytest.raises(UnknownDTypeError, match=r"x\.dtype") as caught:
        dtypes.to_dtype(x)
    assert caught.value.is_array


def test_64_bits_become_32_while_64_bit_types_are_off() -> None:
    wide = [dtypes.int64, dtypes.uint64, dtypes.float64, dtypes.complex128]
    narrow = [dtypes.int32, dtypes.uint32, dtypes.float32, dtypes.complex64]
    with enable_x64(False):
        assert [dtypes.canonicalize_dtype(dtype) for dtype in wide] == narrow
        assert [dtypes.canonicalize_dtype(dtype) for dtype in (int, "uint64", np.float64, complex)] == narrow
        assert dtypes.canonicalize_dtype(None) is dtypes.float32
        assert dtypes.canonicalize_dtype(dtypes.scalar_types["float64"]) is dtypes.float32
    with enable_x64(True):
        assert [dtypes.canonicalize_dtype(dtype) for dtype in wide] == wide
        assert [dtypes.canonicalize_dtype(dtype) for dtype in (int, "uint64", np.float64, complex)] == wide


@pytest.mark.parametrize("dtype", ["U3", object, dtypes.float0, np.dtype(">f4"), "datetime64[s]"])
def test_other_dtypes_pass_canonicalisation(dtype: Any) -> None:
    assert dtypes.canonicalize_dtype(dtype) == np.dtype(dtype)


def test_extended_dtypes_pass_canonicalisation_only_where_allowed() -> None:
    assert dtypes.canonicalize_dtype(KEY, allow_extended_dtype=True) is KEY
    assert dtypes.jax_dtype(KEY) is KEY
    with pytest.raises(ExtendedDTypeError) as caught:
        dtypes.canonicalize_dtype(KEY)
    assert isinstance(caught.value, ValueError)
    assert caught.value.dtype == "key<fry>"


def test_numpy_holds_an_extended_dtype_as_its_numbers() -> None:
    assert dtypes.to_numpy_dtype(KEY) is dtypes.uint32
    assert dtypes.to_numpy_dtype(dtypes.bfloat16) is dtypes.bfloat16
    assert KEY.itemsize == 8


def test_an_explicit_64_bit_dtype_warns_is_refused_or_is_allowed() -> None:
    with enable_x64(False):
        with pytest.warns(UserWarning, match=r"`zeros` was asked for float64.*float32") as record:
            assert dtypes.requested_dtype("float64", "zeros") is dtypes.float32
        assert record[0].filename == __file__
        with explicit_x64_dtypes("error"), pytest.raises(Explicit64BitDTypeError) as caught:
            dtypes.requested_dtype(np.int64, "zeros")
        assert (caught.value.dtype, caught.value.where) == ("int64", "zeros")
        with explicit_x64_dtypes("allow"):
            assert dtypes.requested_dtype(dtypes.scalar_types["int64"], "zeros") is dtypes.int64
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            assert dtypes.requested_dtype(float, "zeros") is dtypes.float32
            assert dtypes.requested_dtype("float32", "zeros") is dtypes.float32
            assert dtypes.requested_dtype(KEY, "zeros") is KEY
    with enable_x64(True), warnings.catch_warnings():
        warnings.simplefilter("error")
        assert dtypes.requested_dtype("float64", "zeros") is dtypes.float64


@pytest.mark.parametrize("dtype", [*dtypes.ALL.values(), dtypes.float0, KEY], ids=str)
def test_arrays_may_have_every_dtype_of_numbers(dtype: Any) -> None:
    assert dtypes.check_numeric(dtype) is dtype


@pytest.mark.parametrize("dtype", ["U3", "O", "datetime64[s]", "S", [("a", "f4")]])
def test_arrays_cannot_hold_anything_else(dtype: Any) -> None:
    with pytest.raises(NonNumericDTypeError) as caught:
        dtypes.check_numeric(np.dtype(dtype))
    assert caught.value.native == ""
    assert isinstance(caught.value, TypeError)


def test_a_foreign_byte_order_is_refused_with_the_conversion() -> None:
    with pytest.raises(NonNumericDTypeError, match=r"x\.astype\('float32'\)"):
        dtypes.check_numeric(np.dtype("f4").newbyteorder("S"))


# --- names


@pytest.mark.parametrize(("name", "short", "mlir", "bits", "kind"), [
    ("bool", "bool", "i1", 8, "bool"),
    ("int4", "i4", "i4", 4, "int"),
    ("uint2", "u2", "ui2", 2, "uint"),
    ("int64", "i64", "i64", 64, "int"),
    ("uint8", "u8", "ui8", 8, "uint"),
    ("bfloat16", "bf16", "bf16", 16, "float"),
    ("float32", "f32", "f32", 32, "float"),
    ("float8_e4m3fn", "f8_e4m3fn", "f8E4M3FN", 8, "float"),
    ("float8_e4m3b11fnuz", "f8_e4m3b11fnuz", "f8E4M3B11FNUZ", 8, "float"),
    ("float8_e8m0fnu", "f8_e8m0fnu", "f8E8M0FNU", 8, "float"),
    ("float4_e2m1fn", "f4_e2m1fn", "f4E2M1FN", 4, "float"),
    ("float6_e3m2fn", "f6_e3m2fn", "f6E3M2FN", 6, "float"),
    ("complex64", "c64", "complex<f32>", 64, "complex"),
    ("complex128", "c128", "complex<f64>", 128, "complex"),
])
def test_names(name: str, short: str, mlir: str, bits: int, kind: str) -> None:
    dtype = dtypes.ALL[name]
    assert dtypes.name_of(dtype) == name
    assert dtypes.short_name(dtype) == short
    assert dtypes.mlir_element_type(dtype) == mlir
    assert dtypes.itemsize_bits(name) == bits
    assert dtypes.kind_of(dtype) == kind


def test_names_of_what_is_not_a_number() -> None:
    assert [dtypes.name_of(d) for d in (dtypes.float0, KEY)] == ["float0", "key<fry>"]
    assert [dtypes.short_name(d) for d in (dtypes.float0, KEY)] == ["float0", "key<fry>"]
    assert [dtypes.kind_of(d) for d in (dtypes.float0, KEY, np.dtype("O"))] == ["float0", "extended", "other"]
    assert dtypes.mlir_element_type(dtypes.float0) == "i1"
    with pytest.raises(ExtendedDTypeError):
        dtypes.mlir_element_type(KEY)  # type: ignore[arg-type]
    with pytest.raises(NonNumericDTypeError):
        dtypes.mlir_element_type(np.dtype("O"))
    for dtype in (KEY, dtypes.float0, None):
        with pytest.raises(ExtendedDTypeError):
            dtypes.itemsize_bits(dtype)


@pytest.mark.parametrize("name", NAMES)
def test_bits_agree_with_numpy_and_ml_dtypes(name: str) -> None:
    dtype, kind = dtypes.ALL[name], dtypes.kind_of(dtypes.ALL[name])
    if kind == "float":
        assert dtypes.itemsize_bits(name) == dtypes.finfo(dtype).bits
    elif kind in ("int", "uint"):
        info = dtypes.iinfo(dtype)
        assert dtypes.itemsize_bits(name) == int(info.max - int(info.min)).bit_length()
    else:
        assert dtypes.itemsize_bits(name) == 8 * dtype.itemsize


def test_float0_is_an_empty_structure() -> None:
    assert dtypes.float0 == np.dtype([("float0", np.void, 0)])
    assert dtypes.float0.itemsize == 0


# --- values


@pytest.mark.parametrize(("x", "narrow", "wide"), [
    (True, "bool", "bool"), (1, "int32", "int64"), (1.0, "float32", "float64"), (1j, "complex64", "complex128"),
    (float, "float32", "float64"), ("int64", "int32", "int64"), (np.float64(1), "float32", "float64"),
    (np.arange(2), "int32", "int64"), (ml_dtypes.bfloat16(1), "bfloat16", "bfloat16"),
    (dtypes.scalar_types["float16"], "float16", "float16"), (np.int8(1), "int8", "int8"),
])
def test_the_dtype_of_an_operand(x: Any, narrow: str, wide: str) -> None:
    with enable_x64(False):
        assert dtypes.dtype_of(x).name == narrow
    with enable_x64(True):
        assert dtypes.dtype_of(x).name == wide


def test_the_dtype_of_an_array_of_ours_is_what_it_is() -> None:
    with enable_x64(False):
        assert dtypes.dtype_of(SimpleNamespace(aval=None, dtype=dtypes.float64)) is dtypes.float64
        assert dtypes.dtype_of(SimpleNamespace(aval=None, dtype=KEY)) is KEY


@pytest.mark.parametrize("x", [None, [1], (), {}, KEY])
def test_what_has_no_dtype(x: Any) -> None:
    with pytest.raises(NotTypedError) as caught:
        dtypes.dtype_of(x)
    assert caught.value.value_type == type(x).__name__


class Colour(enum.IntEnum):
    RED = 1


@pytest.mark.parametrize(("x", "weak"), [
    (1, True), (1.0, True), (1j, True), (True, False), (int, True), (float, True), (bool, False), (Colour.RED, True),
    (np.float64(1), False), (np.int32(1), False), (np.zeros(2), False), ("float32", False), (np.float64, False),
    (SimpleNamespace(weak_type=True), True), (SimpleNamespace(weak_type=False), False),
])
def test_weakly_typed(x: Any, weak: bool) -> None:
    assert dtypes.is_weakly_typed(x) is weak


def test_python_integers_are_checked_for_range() -> None:
    with enable_x64(False):
        assert dtypes.python_scalar_dtype(int, 2**31 - 1) is dtypes.int32
        for value in (2**31, -2**31 - 1):
            with pytest.raises(OverflowError) as caught:
                dtypes.python_scalar_dtype(int, value)
            assert isinstance(caught.value, IntegerRangeError)
            assert caught.value.value == str(value)
        assert dtypes.python_scalar_dtype(float, 1e300) is dtypes.float32
        assert dtypes.python_scalar_dtype(bool, True) is dtypes.bool_
    with enable_x64(True):
        assert dtypes.python_scalar_dtype(int, 2**40) is dtypes.int64
        with pytest.raises(IntegerRangeError, match="16610 bits"):
            dtypes.python_scalar_dtype(int, 10**5000)


@pytest.mark.parametrize(("name", "low", "high"), [
    ("int4", -8, 7), ("uint8", 0, 255), ("int32", -2**31, 2**31 - 1), ("uint64", 0, 2**64 - 1)])
def test_integers_that_fit_a_dtype(name: str, low: int, high: int) -> None:
    dtype = dtypes.ALL[name]
    dtypes.check_int_fits(low, dtype)
    dtypes.check_int_fits(high, dtype)
    for value in (low - 1, high + 1):
        with pytest.raises(IntegerRangeError) as caught:
            dtypes.check_int_fits(value, dtype)
        assert (caught.value.value, caught.value.dtype) == (str(value), name)
    dtypes.check_int_fits(10**400, dtypes.float32)


def test_default_dtypes() -> None:
    with enable_x64(False):
        assert [dtypes.default_dtype(k).name for k in ("bool", "int", "uint", "float", "complex")] == [
            "bool", "int32", "uint32", "float32", "complex64"]
    with enable_x64(True):
        assert [dtypes.default_dtype(k).name for k in ("bool", "int", "uint", "float", "complex")] == [
            "bool", "int64", "uint64", "float64", "complex128"]


@pytest.mark.parametrize(("x", "scalar"), [
    (1, int), (True, bool), (1.0, float), (1j, complex), (np.float32(1), float), (ml_dtypes.int4(1), int),
    (np.uint8, int), (dtypes.scalar_types["bfloat16"], float), ("complex64", complex),
])
def test_scalar_type_of(x: Any, scalar: type) -> None:
    assert dtypes.scalar_type_of(x) is scalar


def test_keys_have_no_python_scalar_type() -> None:
    with pytest.raises(ExtendedDTypeError):
        dtypes.scalar_type_of(SimpleNamespace(aval=None, dtype=KEY))


# --- hierarchy


@pytest.mark.parametrize(("a", "b", "below"), [
    (float, np.floating, True), (ml_dtypes.bfloat16, np.floating, True), ("bfloat16", np.inexact, True),
    ("bfloat16", np.number, True), ("bfloat16", np.void, False), ("bfloat16", "bfloat16", True),
    ("int4", np.signedinteger, True), ("uint4", np.unsignedinteger, True), ("int4", np.unsignedinteger, False),
    ("int4", np.int8, False), (np.bool_, np.integer, False), (np.float32, np.float64, False),
    (np.floating, np.inexact, True), (np.inexact, np.floating, False), (int, np.integer, True),
    (np.float64, float, True), (np.float32, float, False), (None, np.floating, True), (np.float32, None, False),
    (dtypes.float0, np.void, True), (dtypes.float0, np.inexact, False), (dtypes.float0, dtypes.float0, True),
    (np.int32, dtypes.float0, False), (KEY, dtypes.prng_key, True), (KEY, dtypes.extended, True),
    (KEY, np.generic, True), (KEY, np.number, False), (KEY, KEY, True), (KEY, KeyType("key<rbg>"), False),
    (KEY, "float32", False), (np.float32, dtypes.extended, False), (dtypes.prng_key, dtypes.extended, True),
    (np.ones(2, np.float32), np.floating, True), (dtypes.scalar_types["float32"], np.floating, True),
    ("float32", dtypes.scalar_types["float32"], True), (np.str_, np.character, True),
])
def test_issubdtype(a: Any, b: Any, below: bool) -> None:
    assert dtypes.issubdtype(a, b) is below
    assert dtypes.issubdtype(a, b) is below  # the second answer is a remembered one


@pytest.mark.parametrize(("a", "b"), [("nothing", np.floating), (1, np.floating), (np.float32, "floating")])
def test_issubdtype_wants_dtypes(a: Any, b: Any) -> None:
    with pytest.raises(UnknownDTypeError):
        dtypes.issubdtype(a, b)


def test_a_number_is_no_dtype_even_after_an_equal_numpy_scalar_was() -> None:
    assert dtypes.issubdtype(np.float32(1), np.floating)
    with pytest.raises(UnknownDTypeError):
        dtypes.issubdtype(1.0, np.floating)


def test_scalar_classes_of_extended_dtypes_have_no_instances() -> None:
    for cls in (dtypes.extended, dtypes.prng_key):
        assert issubclass(cls, np.generic)
        with pytest.raises(TypeError):
            cls()  # type: ignore[abstract]


def test_extended_dtypes_are_equal_by_class_and_name() -> None:
    assert KeyType("key<fry>") == KEY
    assert hash(KeyType("key<fry>")) == hash(KEY)
    assert KeyType("key<rbg>") != KEY
    assert KEY != "key<fry>"
    assert repr(KEY) == "key<fry>"


# --- scalar types


@pytest.mark.parametrize("name", NAMES)
def test_a_scalar_type_stands_for_its_dtype(name: str) -> None:
    scalar, dtype = dtypes.scalar_types[name], dtypes.ALL[name]
    assert scalar.dtype is dtype
    assert np.dtype(scalar) is dtype
    assert np.zeros(2, scalar).dtype is dtype
    assert scalar == dtype.type
    assert dtype.type == scalar
    assert scalar == dtype
    assert hash(scalar) == hash(dtype.type)
    assert {scalar: 1}[dtype.type] == 1
    assert isinstance(dtype.type(1), scalar)
    assert not isinstance(1, scalar)
    assert scalar.__name__ == name
    assert repr(scalar) == f"<class 'perspicax.numpy.{name}'>"
    assert copy.deepcopy(scalar) is scalar


def test_scalar_types_differ_from_each_other_and_from_names() -> None:
    assert len(set(dtypes.scalar_types.values())) == len(NAMES)
    float32, float64 = dtypes.scalar_types["float32"], dtypes.scalar_types["float64"]
    assert float32 != float64
    assert float32 != "float32"
    assert float32 != KEY
    assert float64 not in (float, None)


def test_a_scalar_type_makes_arrays(scalars_make_pairs: None) -> None:
    assert dtypes.scalar_types["float32"](3) == (3, dtypes.float32)
    assert dtypes.scalar_types["int8"](x=4) == (4, dtypes.int8)
    with pytest.raises(TypeError):
        dtypes.scalar_types["float32"]()  # type: ignore[call-arg]


def test_a_scalar_type_that_cannot_make_arrays_yet_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dtypes, "_construct", None)
    with pytest.raises(InternalError, match="float32"):
        dtypes.scalar_types["float32"](3)


def test_finfo_and_iinfo_know_all_dtypes() -> None:
    assert float(dtypes.finfo("bfloat16").max) == 3.3895313892515355e38
    assert float(dtypes.finfo(dtypes.scalar_types["float8_e4m3fn"]).max) == 448
    assert float(dtypes.finfo(dtypes.complex64).eps) == 2.0**-23
    assert (int(dtypes.iinfo("int4").min), int(dtypes.iinfo(np.uint8).max)) == (-8, 255)


def test_public_names_exist() -> None:
    assert [name for name in dtypes.__all__ if not hasattr(dtypes, name)] == []
