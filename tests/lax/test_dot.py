"""Matrix products: values against NumPy, the laws of every rule, precisions, dtypes, mistakes."""
from __future__ import annotations

import pickle
from collections.abc import Callable
from typing import Any

import laws
import numpy as np
import pytest

from perspicax.core import dtypes
from perspicax.core.config import default_matmul_precision
from perspicax.core.trace import stage_flat
from perspicax.core.tracer import get_aval
from perspicax.lax.contraction import DotAlgorithm, DotAlgorithmPreset, Precision, batch_matmul, dot, dot_general, dot_general_p
from perspicax.lax.product_errors import (
    BatchMatmulError,
    DotDimensionError,
    DotShapeError,
    PrecisionError,
    PreferredTypeError,
    ProductTypeError,
    operand_labels,
)
from perspicax.transform.grad import vjp
from perspicax.xla.dispatch import as_array

RANDOM = np.random.default_rng(0)
MATMUL = (((1,), (0,)), ((), ()))


def array(*sizes: int, dtype: Any = np.float64) -> np.ndarray:
    return RANDOM.standard_normal(sizes).astype(dtype)


# dimension numbers, shapes, the same as einsum
CASES = [
    ("matrices", MATMUL, (2, 3), (3, 4), "ab,bc->ac"),
    ("outer", (((), ()), ((), ())), (2,), (3,), "a,b->ab"),
    ("inner", (((0,), (0,)), ((), ())), (3,), (3,), "a,a->"),
    ("batch", (((2,), (1,)), ((0,), (0,))), (2, 3, 4), (2, 4, 2), "abc,acd->abd"),
    ("batch in the middle", (((0,), (2,)), ((1,), (1,))), (3, 2, 2), (4, 2, 3), "abc,dba->bcd"),
    ("two contracted, crossed", (((0, 2), (1, 0)), ((), ())), (2, 3, 4), (4, 2), "abc,ca->b"),
    ("two batch axes", (((), ()), ((0, 1), (1, 0))), (2, 3), (3, 2), "ab,ba->ab"),
]
IDS = [c[0] for c in CASES]


@pytest.mark.parametrize(("name", "numbers", "left", "right", "formula"), CASES, ids=IDS)
def test_values(name: str, numbers: Any, left: tuple, right: tuple, formula: str) -> None:
    x, y = array(*left, dtype=np.float32), array(*right, dtype=np.float32)
    found = dot_general(x, y, numbers)
    np.testing.assert_allclose(np.asarray(found), np.einsum(formula, x, y), rtol=1e-5, atol=1e-6)
    assert found.dtype == np.float32


@pytest.mark.parametrize(("name", "numbers", "left", "right", "formula"), CASES, ids=IDS)
def test_laws(name: str, numbers: Any, left: tuple, right: tuple, formula: str) -> None:
    laws.check_all(lambda x, y: dot_general(x, y, numbers), array(*left), array(*right))


def test_laws_of_complex_products() -> None:
    x, y = array(2, 3) + 1j * array(2, 3), array(3, 2) + 1j * array(3, 2)
    laws.check_all(lambda x, y: dot(x, y), x, y)


def test_integers() -> None:
    x, y = RANDOM.integers(-9, 9, (2, 3)).astype(np.int32), RANDOM.integers(-9, 9, (3, 4)).astype(np.int32)
    np.testing.assert_array_equal(np.asarray(dot(x, y)), x @ y)
    laws.check_types(lambda x, y: dot(x, y), as_array(x), as_array(y))


def test_dot_of_vectors_and_matrices() -> None:
    m, v, w = array(2, 3, dtype="f"), array(3, dtype="f"), array(2, dtype="f")
    for a, b in ((m, v), (w, m), (v, v), (m, m.T)):
        np.testing.assert_allclose(np.asarray(dot(a, b)), a @ b, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(np.asarray(dot(m, m, dimension_numbers=(((0, 1), (0, 1)), ((), ())))), (m * m).sum(), 1e-5)


def test_batch_matmul() -> None:
    x, y = array(2, 2, 3, dtype="f"), array(2, 3, 4, dtype="f")
    np.testing.assert_allclose(np.asarray(batch_matmul(x, y)), x @ y, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(np.asarray(batch_matmul(x[0], y[0])), x[0] @ y[0], rtol=1e-5, atol=1e-6)


# -- dtypes

@pytest.mark.parametrize(("left", "right", "result"), [
    ("float32", "bfloat16", "float32"), ("bfloat16", "float16", "bfloat16"), ("int8", "float16", "float16"),
    ("uint8", "int8", "int8"), ("uint16", "int8", "uint16"), ("bool", "int8", "int8"), ("float64", "complex64", "complex64"),
    ("float8_e4m3fn", "float8_e5m2", "float8_e5m2"), ("int64", "bfloat16", "bfloat16"), ("bool", "bool", "bool"),
])
def test_the_broader_dtype_wins(left: str, right: str, result: str) -> None:
    with laws.double():
        for a, b in ((left, right), (right, left)):
            avals = [get_aval(np.zeros(2, dtypes.to_dtype(d))) for d in (a, b)]
            out = stage_flat(lambda x, y: [dot(x, y)], avals).out_avals[0]
            assert out.dtype == dtypes.to_dtype(result)


def test_dtypes_of_equal_range_do_not_go_together() -> None:
    avals = [get_aval(np.zeros(2, dtypes.to_dtype(d))) for d in ("float8_e5m2", "float8_e5m2fnuz")]
    with pytest.raises(ProductTypeError, match="neither dtype holds"):
        stage_flat(lambda x, y: [dot(x, y)], avals)


def test_preferred_element_type() -> None:
    x = array(2, 3, dtype=np.float32).astype(dtypes.bfloat16)
    y = array(3, 4, dtype=np.float32).astype(dtypes.bfloat16)
    wide = dot(x, y, preferred_element_type=np.float32)
    assert wide.dtype == np.float32
    np.testing.assert_allclose(np.asarray(wide), x.astype("f") @ y.astype("f"), rtol=1e-5, atol=1e-6)
    _, back = vjp(lambda x, y: dot(x, y, preferred_element_type=np.float32), x, y)
    assert [ct.dtype for ct in back(np.ones((2, 4), np.float32))] == [dtypes.bfloat16] * 2
    mixed = dot(x, y.astype(np.float32))
    np.testing.assert_allclose(np.asarray(mixed), x.astype("f") @ y.astype("f"), rtol=1e-5, atol=1e-6)
    for dtype, preferred in ((np.int32, "int8"), (np.int8, "bool"), (np.complex64, "bfloat16")):
        with pytest.raises(PreferredTypeError):
            dot(np.ones(2, dtype), np.ones(2, dtype), preferred_element_type=preferred)


def test_weak_types() -> None:
    scalars = (((), ()), ((), ()))
    assert dot_general(2.0, 3.0, scalars).weak_type
    assert not dot_general(2.0, np.float32(3), scalars).weak_type


# -- precision

def precision_of(**options: Any) -> Any:
    x = get_aval(np.ones((2, 2), np.float32))
    (eqn,) = stage_flat(lambda x, y: [dot_general(x, y, MATMUL, **options)], [x, x]).eqns
    assert eqn.primitive is dot_general_p
    return eqn.params["precision"]


def test_names_of_precisions() -> None:
    names = {Precision.DEFAULT: ("default", "fastest", "bfloat16"), Precision.HIGHEST: ("highest", "float32"),
             Precision.HIGH: ("high", "bfloat16_3x", "tensorfloat32")}
    for precision, spellings in names.items():
        for name in spellings:
            assert Precision(name) is precision
            assert precision_of(precision=name) == (precision, precision)
    assert Precision(None) is Precision.DEFAULT
    assert [p.value for p in Precision] == [0, 1, 2]
    assert repr(Precision.HIGH) == "Precision.HIGH"
    assert str(Precision.HIGH) == "HIGH"
    assert pickle.loads(pickle.dumps(Precision.HIGH)) is Precision.HIGH
    assert precision_of() is None
    assert precision_of(precision=("high", Precision.HIGHEST)) == (Precision.HIGH, Precision.HIGHEST)
    assert precision_of(precision="F32_F32_F32") is DotAlgorithmPreset.F32_F32_F32
    with pytest.raises(ValueError):
        Precision("fine")


def test_the_option_gives_the_precision() -> None:
    with default_matmul_precision("tensorfloat32"):
        assert precision_of() == (Precision.HIGH, Precision.HIGH)
        assert precision_of(precision="default") == (Precision.DEFAULT, Precision.DEFAULT)
    with default_matmul_precision("F32_F32_F32"):
        assert precision_of() is DotAlgorithmPreset.F32_F32_F32


@pytest.mark.parametrize("preset", ["F16_F16_F16", "BF16_BF16_F32", "BF16_BF16_F32_X3", "BF16_BF16_F32_X6", "F32_F32_F32"])
def test_algorithms_of_the_cpu(preset: str) -> None:
    x, y = array(2, 3, dtype="f"), array(3, 4, dtype="f")
    found = dot(x, y, precision=preset)
    assert found.dtype == np.float32
    np.testing.assert_allclose(np.asarray(found), x @ y, rtol=0.05, atol=0.05)
    assert dot(x.astype(np.float16), y.astype(np.float16), precision=preset).dtype == np.float16


def test_accumulation_types() -> None:
    assert DotAlgorithmPreset.BF16_BF16_F32_X3.accumulation_type is np.float32
    assert DotAlgorithmPreset.BF16_BF16_BF16.accumulation_type is dtypes.bfloat16.type
    assert DotAlgorithmPreset.DEFAULT.accumulation_type is None
    assert DotAlgorithmPreset.ANY_F8_ANY_F8_ANY.accumulation_type is None


@pytest.mark.parametrize("precision", ["fine", 3, ("high",), ("high", "fine"), ("high", "high", "high")])
def test_what_is_no_precision(precision: Any) -> None:
    with pytest.raises(PrecisionError) as found:
        dot(np.ones(2), np.ones(2), precision=precision)
    assert (found.value.kind, found.value.given) == ("name", repr(precision))


def test_algorithms_that_the_cpu_lacks() -> None:
    x = np.ones(2, np.float32)
    for precision in ("TF32_TF32_F32", DotAlgorithm("float32", "float32", "float32")):
        with pytest.raises(PrecisionError) as found:
            dot(x, x, precision=precision)
        assert found.value.kind == "platform"


# -- mistakes

def test_a_report_draws_the_shapes_with_the_summed_axes_in_one_column() -> None:
    hidden, kernel = as_array(np.ones((8, 32), np.float32)), as_array(np.ones((16, 4), np.float32))
    with pytest.raises(DotShapeError) as found:
        dot(hidden, kernel)
    error = found.value
    assert (error.contracting, error.differing) == (((1,), (0,)), ((1, 0),))
    assert "\n".join([
        "    `hidden`  float32[8, 32]",
        "    `kernel`  float32[   16, 4]",
        "                         ^^"]) in str(error)
    assert [label.text for label in error.report.labels] == ["float32[8,32]", "float32[16,4]"]


def test_a_report_draws_shapes_that_do_not_line_up_side_by_side() -> None:
    x, y = as_array(np.ones((3, 2), np.float32)), as_array(np.ones((4, 5), np.float32))
    with pytest.raises(DotShapeError) as found:
        dot_general(x, y, (((0,), (1,)), ((), ())))
    assert "\n".join([
        "    `x`  float32[3, 2]",
        "    `y`  float32[      4, 5]",
        "                 ^        ^"]) in str(found.value)


def test_operands_of_another_call_are_not_named() -> None:
    """Only calls that are known to be products name their first two arguments; a layer's may be anything."""
    def layer(x: Any, y: Any) -> Any:
        return dot(x, y)

    with pytest.raises(DotShapeError) as found:
        layer(np.ones((2, 3), "f"), np.ones((2, 3), "f"))
    error = found.value
    assert operand_labels(error, ("a", "b"))[0] == ("`x`", "`y`")
    caller = error.__traceback__
    assert caller is not None
    moved = DotShapeError(operation="dot", lhs=error.lhs, rhs=error.rhs, contracting=error.contracting,
                          position=(caller.tb_frame.f_code, caller.tb_lasti))
    assert operand_labels(moved, ("a", "b")) == (("the 1st operand", "the 2nd operand"), ())


def x3() -> Any:
    return as_array(np.ones((2, 3, 4), np.float32))


MISTAKES: list[tuple[str, Callable[[], Any], type, dict]] = [
    ("contracted twice", lambda: dot_general(x3(), x3(), (((2, 2), (2, 2)), ((), ()))), DotDimensionError,
     {"kind": "repeated", "which": "lhs"}),
    ("contracted and kept", lambda: dot_general(x3(), x3(), (((1,), (0,)), ((0,), (0,)))), DotDimensionError,
     {"kind": "repeated", "which": "rhs"}),
    ("no such axis", lambda: dot_general(x3(), x3(), (((2,), (7,)), ((), ()))), DotDimensionError,
     {"kind": "range", "which": "rhs"}),
    ("a negative axis", lambda: dot_general(x3(), x3(), (((-1,), (1,)), ((), ()))), DotDimensionError,
     {"kind": "range", "which": "lhs"}),
    ("an axis without partner", lambda: dot_general(x3(), x3(), (((0, 1), (0,)), ((), ()))), DotDimensionError,
     {"kind": "count"}),
    ("no pairs", lambda: dot_general(x3(), x3(), 5), DotDimensionError, {"kind": "form"}),
    ("batch sizes differ", lambda: dot_general(x3(), x3(), (((2,), (2,)), ((0,), (1,)))), DotShapeError,
     {"differing": ((0, 1),)}),
    ("dot of three axes", lambda: dot(x3(), x3()), DotDimensionError, {"kind": "dot"}),
    ("dot of a scalar", lambda: dot(x3(), 2.0), DotDimensionError, {"kind": "dot"}),
    ("batch_matmul of other ranks", lambda: batch_matmul(x3(), np.ones((4, 2), "f")), BatchMatmulError, {}),
    ("batch_matmul of vectors", lambda: batch_matmul(np.ones(2, "f"), np.ones(2, "f")), BatchMatmulError, {}),
]


@pytest.mark.parametrize(("mistake", "f", "error", "facts"), MISTAKES, ids=[m[0] for m in MISTAKES])
def test_mistakes_are_reported(mistake: str, f: Callable[[], Any], error: type, facts: dict) -> None:
    with pytest.raises(error) as found:
        f()
    assert isinstance(found.value, TypeError) and isinstance(found.value, ValueError)
    assert {name: getattr(found.value, name) for name in facts} == facts
    report = found.value.full_report  # type: ignore[attr-defined]
    assert report.says and report.why and "could not be made" not in str(report.notes)
