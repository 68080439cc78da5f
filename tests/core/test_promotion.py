"""Type promotion: the laws of the lattice, its table's landmarks, and its reports."""
from __future__ import annotations

import itertools
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from perspicax.core import dtypes, promotion
from perspicax.core.config import enable_x64, explicit_x64_dtypes, numpy_dtype_promotion
from perspicax.core.dtype_errors import NoOperandsError, NotPromotableError, NotTypedError, UnknownDTypeError
from perspicax.core.promotion import TypePromotionError, lattice_pair, lattice_result, promote_types, result_type

MODES = [(mode, x64) for mode in ("standard", "strict") for x64 in (False, True)]


def operand(name: str, weak: bool = False) -> Any:
    """An array of ours, as far as promotion looks at it."""
    return SimpleNamespace(aval=None, dtype=dtypes.ALL[name], weak_type=weak)


def answer(*types: tuple[str, bool]) -> tuple[str, bool] | None:
    try:
        dtype, weak = lattice_result([dtypes.ALL[name] for name, _ in types], [weak for _, weak in types])
    except TypePromotionError:
        return None
    return dtype.name, weak


@pytest.mark.parametrize(("mode", "x64"), MODES)
def test_the_order_of_two_operands_does_not_matter(mode: str, x64: bool) -> None:
    types = list(itertools.product(dtypes.ALL, (False, True)))
    with numpy_dtype_promotion(mode), enable_x64(x64):
        wrong = [(a, b) for a, b in itertools.combinations(types, 2) if answer(a, b) != answer(b, a)]
    assert wrong == []


@pytest.mark.parametrize(("mode", "x64"), MODES)
def test_a_dtype_meets_itself_and_its_weak_self_in_itself(mode: str, x64: bool) -> None:
    with numpy_dtype_promotion(mode), enable_x64(x64):
        assert [name for name in dtypes.ALL if answer((name, False), (name, False)) != (name, False)] == []
        assert [name for name in dtypes.ALL if answer((name, False), (name, True)) != (name, False)] == []


NAMES_WITH_PATHS = [name for name in dtypes.ALL if name not in dtypes.SMALL_FLOATS + dtypes.ML_INTS]


@given(st.lists(st.sampled_from(NAMES_WITH_PATHS), min_size=2, max_size=4), st.randoms())
def test_the_order_of_many_operands_does_not_matter(names: list[str], random: Any) -> None:
    shuffled = random.sample(names, len(names))
    with enable_x64(True):
        assert answer(*[(n, False) for n in names]) == answer(*[(n, False) for n in shuffled])


@pytest.mark.parametrize(("a", "b", "narrow", "wide"), [
    (operand("int8"), operand("uint8"), "int16", "int16"),
    (operand("uint32"), operand("int8"), "int32", "int64"),
    (operand("uint64"), operand("int8"), "float32*", "float64*"),
    (operand("bfloat16"), operand("float16"), "float32", "float32"),
    (operand("int32"), operand("float16"), "float16", "float16"),
    (operand("float32"), operand("complex64"), "complex64", "complex64"),
    (operand("bool"), operand("int4"), "int4", "int4"),
    (operand("int32"), operand("float8_e4m3fn"), "float8_e4m3fn", "float8_e4m3fn"),
    (operand("int8"), 1, "int8", "int8"),
    (operand("int8"), 1.5, "float32*", "float64*"),
    (operand("float16"), 1j, "complex64", "complex64"),
    (operand("bool"), 1, "int32*", "int64*"),
    (operand("bool"), True, "bool", "bool"),
    (1, 1.5, "float32*", "float64*"),
    (operand("float8_e5m2"), 2.5, "float8_e5m2", "float8_e5m2"),
    (operand("float32"), np.float64(1), "float32", "float64"),
    (operand("int8"), "float16", "float16", "float16"),
    (operand("int16", True), operand("int8"), "int8", "int8"),
    (operand("float16", True), operand("float16", True), "float32*", "float64*"),
    (None, operand("int8"), "float32", "float64"),
])
def test_landmarks(a: Any, b: Any, narrow: str, wide: str) -> None:
    for x64, expected in ((False, narrow), (True, wide)):
        with enable_x64(x64):
            dtype, weak = result_type(a, b, return_weak_type_flag=True)
            assert dtype.name + "*" * weak == expected
            assert result_type(b, a) == dtype


def test_weak_operands_alone_keep_their_width_in_arithmetic() -> None:
    assert answer(("float16", True), ("float16", True)) == ("float16", True)
    assert answer(("int8", True), ("uint8", True)) == ("int16", True)
    assert answer(("bool", True), ("bool", True)) == ("bool", False)
    with numpy_dtype_promotion("strict"):
        assert answer(("float16", True), ("float16", True)) == ("float32", True)


def test_one_operand_keeps_its_dtype_and_a_weak_one_gets_the_default() -> None:
    assert result_type(operand("float16")) is dtypes.float16
    assert result_type(operand("int8", True), return_weak_type_flag=True) == (dtypes.int32, True)
    assert result_type(operand("int4", True), return_weak_type_flag=True) == (dtypes.int32, True)
    assert result_type(operand("bool", True), return_weak_type_flag=True) == (dtypes.bool_, False)
    assert lattice_result([dtypes.int8], [True]) == (dtypes.int8, True)


def test_arrays_of_64_bits_stay_so_while_64_bit_types_are_off() -> None:
    with enable_x64(False), explicit_x64_dtypes("allow"):
        assert result_type(operand("float64"), operand("float32")) is dtypes.float64
        assert result_type("int64", "uint32") is dtypes.int64
        assert result_type(np.zeros(2), operand("float32")) is dtypes.float32


def test_promote_types_keeps_64_bits() -> None:
    with enable_x64(False):
        assert promote_types("float64", "float32") is dtypes.float64
        assert promote_types(float, "int8") is dtypes.float64
        assert promote_types(int, "int8") is dtypes.int8
        assert promote_types("int8", "uint64") is dtypes.float64
        assert promote_types(bool, np.int8) is dtypes.int8


def test_small_types_are_not_converted_unasked() -> None:
    with pytest.raises(TypePromotionError) as caught:
        result_type(operand("float8_e4m3fn"), operand("float32"))
    error = caught.value
    assert isinstance(error, ValueError)
    assert (error.dtypes, error.mode, error.common) == (("float8_e4m3fn", "float32"), "standard", "float32")
    assert "x.astype('float32')" in str(error)
    with pytest.raises(TypePromotionError):
        lattice_pair(dtypes.ALL["int4"], False, dtypes.int8, False)


def test_strict_mode_lets_only_python_scalars_give_way() -> None:
    with numpy_dtype_promotion("strict"):
        assert result_type(operand("float32"), 1) is dtypes.float32
        assert result_type(operand("uint8"), 1) is dtypes.uint8
        assert result_type(1, 2.5, return_weak_type_flag=True) == (dtypes.default_dtype("float"), True)
        for a, b in ((operand("int8"), 1.5), (operand("float32"), 1j), (operand("bool"), 1),
                     (operand("float32"), operand("float16"))):
            with pytest.raises(TypePromotionError) as caught:
                result_type(a, b)
            assert caught.value.mode == "strict"
            assert 'numpy_dtype_promotion("standard")' in str(caught.value)


def test_answers_follow_the_options_at_once() -> None:
    pair = (dtypes.uint32, False, dtypes.int8, False)
    with enable_x64(False):
        assert lattice_pair(*pair)[0] is dtypes.int32
        with enable_x64(True):
            assert lattice_pair(*pair)[0] is dtypes.int64
            with numpy_dtype_promotion("strict"), pytest.raises(TypePromotionError):
                lattice_pair(*pair)
        assert lattice_pair(*pair)[0] is dtypes.int32


class KeyType(dtypes.ExtendedDType):
    """An extended dtype as the random room defines them."""

    name = "key<fry>"
    type = dtypes.prng_key
    physical_dtype = dtypes.uint32
    physical_shape = (2,)


KEY = SimpleNamespace(aval=None, dtype=KeyType(), weak_type=False)


def test_keys_and_float0_meet_only_themselves() -> None:
    assert result_type(KEY, KEY) == KEY.dtype
    assert result_type(KEY) == KEY.dtype
    assert promote_types(KEY.dtype, KEY.dtype) == KEY.dtype
    assert result_type(np.zeros(2, dtypes.float0)) == dtypes.float0
    for other in (KEY, np.zeros(2, dtypes.float0)):
        with pytest.raises(NotPromotableError):
            result_type(other, 1)
    with pytest.raises(NotPromotableError):
        promote_types("U3", int)


def test_what_is_no_operand_is_reported() -> None:
    with pytest.raises(NoOperandsError):
        result_type()
    with pytest.raises(NotTypedError):
        result_type([1], 2)
    with pytest.raises(UnknownDTypeError):
        result_type("flaot32", 2)
    with pytest.raises(TypeError, match="<U1"):
        result_type(np.array("a"))


def test_public_names_exist() -> None:
    assert [name for name in promotion.__all__ if not hasattr(promotion, name)] == []
