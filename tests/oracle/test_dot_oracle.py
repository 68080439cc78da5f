"""Matrix products against JAX."""
from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

import agreement as same
import jax
import ml_dtypes
import numpy as np
import pytest
from jax import lax

from perspicax.core.avals import ShapedArray
from perspicax.core.config import default_matmul_precision
from perspicax.core.trace import stage_flat
from perspicax.lax import precision as ours_precision
from perspicax.lax.contraction import batch_matmul, dot, dot_general
from perspicax.transform.grad import vjp
from perspicax.transform.jit import JitFunction
from perspicax.transform.jit_options import JitOptions
from perspicax.transform.vmap import vmap

pytestmark = pytest.mark.oracle
RANDOM = np.random.default_rng(0)
MATMUL = (((1,), (0,)), ((), ()))


def array(*sizes: int, dtype: Any = np.float32) -> np.ndarray:
    return RANDOM.standard_normal(sizes).astype(dtype)


CASES: list[tuple[str, Any, tuple, tuple]] = [
    ("matmul", MATMUL, (2, 3), (3, 4)),
    ("batch", (((2,), (1,)), ((0,), (0,))), (2, 3, 4), (2, 4, 5)),
    ("crossed", (((1, 3), (3, 0)), ((2,), (1,))), (2, 3, 4, 5), (5, 4, 2, 3)),
]


@pytest.mark.parametrize(("name", "numbers", "left", "right"), CASES, ids=[c[0] for c in CASES])
def test_agreement(name: str, numbers: Any, left: tuple, right: tuple) -> None:
    x, y = array(*left), array(*right)
    ours = lambda x, y: dot_general(x, y, numbers)
    theirs = lambda x, y: lax.dot_general(x, y, numbers)
    same.check_values(ours, theirs, x, y, rtol=0)
    same.check_equations(ours, theirs, x, y)
    same.check_operations(ours, theirs, x, y)
    same.check_derivatives(ours, theirs, x, y)
    same.check_vmap(ours, theirs, x, y, axes=[(0, None), (None, 1), (0, 2), (x.ndim, 0)])


@pytest.mark.parametrize(("a", "b"), [((0, None), (1, 0)), ((None, 0), (2, None)), ((1, 2), (None, 2))])
def test_equations_of_derivatives_and_batches(a: tuple, b: tuple) -> None:
    numbers = (((2,), (1,)), ((0,), (0,)))
    x, y = array(2, 3, 4), array(2, 4, 5)
    ct = array(2, 3, 5)
    same.check_equations(lambda x, y: list(vjp(lambda x, y: dot_general(x, y, numbers), x, y)[1](ct)),
                         lambda x, y: list(jax.vjp(lambda x, y: lax.dot_general(x, y, numbers), x, y)[1](ct)), x, y)
    for axes in (a, b):
        batched = [v if i is None else np.stack([v, v], i) for v, i in zip((x, y), axes)]
        same.check_equations(vmap(lambda x, y: dot_general(x, y, numbers), axes, out_axes=0),
                             jax.vmap(lambda x, y: lax.dot_general(x, y, numbers), axes), *batched)


DTYPES = ["float32", "float16", "bfloat16", "int8", "uint8", "bool", "complex64", "float8_e4m3fn", "float8_e5m2",
          "float8_e8m0fnu", "float4_e2m1fn", "int4", "uint4", "int32"]


def dtype_of(name: str) -> np.dtype:
    return np.dtype(getattr(ml_dtypes, name, name))


@pytest.mark.parametrize("preferred", [None, "float32", "bfloat16", "int8", "int32", "bool", "complex64"])
def test_dtypes_of_results(preferred: str | None) -> None:
    pairs = itertools.product(DTYPES, repeat=2) if preferred is None else [(d, d) for d in DTYPES]
    for a, b in pairs:
        kinds = [dtype_of(d) for d in (a, b)]
        try:
            wanted = jax.eval_shape(lambda x, y: lax.dot(x, y, preferred_element_type=preferred),
                                    *[jax.ShapeDtypeStruct((2,), k) for k in kinds]).dtype
        except TypeError:
            wanted = None
        try:
            found = stage_flat(lambda x, y: [dot(x, y, preferred_element_type=preferred)],
                               [ShapedArray((2,), k) for k in kinds]).out_avals[0].dtype
        except TypeError:
            found = None
        assert found == wanted, f"{a} {b} {preferred}: {found}, JAX {wanted}"


@pytest.mark.parametrize(("a", "b", "preferred"), [
    ("bfloat16", "bfloat16", "float32"), ("bfloat16", "float32", None), ("int8", "uint8", "int32"),
    ("complex64", "float32", None), ("float8_e4m3fn", "float8_e5m2", "float32"), ("bool", "bool", None),
])
def test_operations_of_mixed_dtypes(a: str, b: str, preferred: str | None) -> None:
    x, y = (np.ones((2, 2), dtype_of(d)) for d in (a, b))
    mine = lambda x, y: dot(x, y, preferred_element_type=preferred)
    theirs = lambda x, y: lax.dot(x, y, preferred_element_type=preferred)
    same.check_values(mine, theirs, x, y)
    written = same.operations(JitFunction(mine, JitOptions()).lower(x, y).as_text())
    wanted = same.operations(jax.jit(theirs).lower(x, y).as_text())
    assert written.pop("convert", 0) <= wanted.pop("convert", 0)  # JAX also converts to the dtype that an operand has
    assert written == wanted


@pytest.mark.parametrize("precision", [None, "high", ("default", "highest"), "BF16_BF16_F32", "F32_F32_F32"])
def test_precisions(precision: Any) -> None:
    x, y = array(2, 3), array(3, 4)
    mine, theirs = lambda x, y: dot(x, y, precision=precision), lambda x, y: lax.dot(x, y, precision=precision)
    same.check_equations(mine, theirs, x, y)
    same.check_operations(mine, theirs, x, y)
    same.check_values(mine, theirs, x, y, rtol=0)


@pytest.mark.parametrize("name", ["bfloat16", "tensorfloat32", "float32", "F32_F32_F32", "default", None])
def test_the_option(name: str | None) -> None:
    x, y = array(2, 3), array(3, 4)
    with jax.default_matmul_precision(name), default_matmul_precision(name):
        same.check_equations(dot, lax.dot, x, y)


def test_the_names() -> None:
    mine, theirs = ours_precision.Precision, lax.Precision
    assert [(p.name, p.value, repr(p), str(p)) for p in mine] == [(p.name, p.value, repr(p), str(p)) for p in theirs]
    for name in ("default", "fastest", "bfloat16", "high", "bfloat16_3x", "tensorfloat32", "highest", "float32", None):
        assert mine(name).name == theirs(name).name
    presets = ours_precision.DotAlgorithmPreset
    assert [(p.name, p.value) for p in presets] == [(p.name, p.value) for p in lax.DotAlgorithmPreset]
    assert [p.accumulation_type for p in presets] == [p.accumulation_type for p in lax.DotAlgorithmPreset]
    assert ours_precision.DotAlgorithm._fields == lax.DotAlgorithm._fields
    assert ours_precision.DotAlgorithm._field_defaults == lax.DotAlgorithm._field_defaults


def test_weak_types() -> None:
    scalars = (((), ()), ((), ()))
    for args in ((2.0, 3.0), (2.0, 3), (np.float32(2), 3.0), (np.int8(2), 3)):
        same.check_values(lambda: dot_general(*args, scalars), lambda: lax.dot_general(*args, scalars))


X3 = np.ones((2, 3, 4), np.float32)
ERRORS: list[Callable[..., Any]] = [
    lambda g, d, b: g(X3, X3, (((2, 2), (2, 2)), ((), ()))), lambda g, d, b: g(X3, X3, (((1,), (0,)), ((0,), (0,)))),
    lambda g, d, b: g(X3, X3, (((2,), (7,)), ((), ()))), lambda g, d, b: g(X3, X3, (((-1,), (1,)), ((), ()))),
    lambda g, d, b: g(X3, X3, (((2,), (1,)), ((), ()))), lambda g, d, b: g(X3, X3, (((2,), (2,)), ((0,), (1,)))),
    lambda g, d, b: g(X3, X3, 5), lambda g, d, b: g(X3, X3, MATMUL, precision="fine"),
    lambda g, d, b: g(X3, X3, MATMUL, precision=3), lambda g, d, b: g("s", X3, MATMUL), lambda g, d, b: d(X3, X3),
    lambda g, d, b: d(X3[0], X3[0]), lambda g, d, b: d(X3, 1.0), lambda g, d, b: b(X3, X3[0]),
    lambda g, d, b: b(X3[0, 0], X3[0, 0]), lambda g, d, b: b(X3, X3),
    lambda g, d, b: d(X3[0], X3[0].T, precision="TF32_TF32_F32"),
    lambda g, d, b: d(X3[0, 0].astype(np.int32), X3[0, 0].astype(np.int32), preferred_element_type=np.int8),
]


@pytest.mark.parametrize("f", ERRORS)
def test_errors(f: Callable[..., Any]) -> None:
    same.check_error(lambda: f(dot_general, dot, batch_matmul), lambda: f(lax.dot_general, lax.dot, lax.batch_matmul))
