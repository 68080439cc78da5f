"""Convolutions against JAX."""
from __future__ import annotations

from collections.abc import Callable
from typing import Any

import agreement as same
import jax
import numpy as np
import pytest
from jax import lax

from perspicax.lax.conv_dimensions import conv_general_permutations
from perspicax.lax.convolution import (
    ConvDimensionNumbers,
    conv,
    conv_dimension_numbers,
    conv_general_dilated,
    conv_transpose,
    conv_with_general_padding,
    padtype_to_pads,
)
from perspicax.transform.grad import vjp

pytestmark = pytest.mark.oracle
RANDOM = np.random.default_rng(0)


def array(*sizes: int) -> np.ndarray:
    return RANDOM.standard_normal(sizes).astype(np.float32)


CASES: list[tuple[str, tuple, tuple, dict]] = [
    ("SAME", (4, 4, 7, 6), (6, 4, 3, 2), {"window_strides": (1, 2), "padding": "SAME"}),
    ("everything", (4, 7, 6, 4), (3, 2, 4, 6),
     {"window_strides": (2, 1), "padding": ((1, 2), (0, 1)), "lhs_dilation": (1, 2), "rhs_dilation": (2, 1),
      "dimension_numbers": ("NHWC", "HWIO", "NHWC"), "precision": "high"}),
    ("feature groups", (4, 4, 7, 6), (6, 2, 3, 2), {"window_strides": (2, 1), "padding": "VALID", "feature_group_count": 2}),
    ("batch groups", (4, 4, 7, 6), (6, 4, 3, 2), {"window_strides": (1, 1), "padding": "SAME_LOWER", "batch_group_count": 2}),
]
IDS = [c[0] for c in CASES]


@pytest.mark.parametrize(("name", "left", "right", "options"), CASES, ids=IDS)
def test_agreement(name: str, left: tuple, right: tuple, options: dict) -> None:
    x, k = array(*left), array(*right)
    ours, theirs = lambda x, k: conv_general_dilated(x, k, **options), lambda x, k: lax.conv_general_dilated(x, k, **options)
    same.check_values(ours, theirs, x, k, rtol=0)
    same.check_equations(ours, theirs, x, k)
    same.check_operations(ours, theirs, x, k)
    same.check_derivatives(ours, theirs, x, k)
    same.check_vmap(ours, theirs, x, k, axes=[(0, None), (None, 1), (0, 0), (4, 2)])


@pytest.mark.parametrize(("name", "left", "right", "options"), CASES, ids=IDS)
def test_convolutions_of_derivatives(name: str, left: tuple, right: tuple, options: dict) -> None:
    """The gradient convolves with the same parameters; how axes are split and moved around it is not compared."""
    x, k = array(*left), array(*right)
    ct = np.ones(lax.conv_general_dilated(x, k, **options).shape, np.float32)
    ours = lambda x, k: vjp(lambda x, k: conv_general_dilated(x, k, **options), x, k)[1](ct)
    theirs = lambda x, k: jax.vjp(lambda x, k: lax.conv_general_dilated(x, k, **options), x, k)[1](ct)
    found, wanted = ([same.plain([v for n, v in sorted(e.params.items()) if "sharding" not in n]) for e in eqns
                      if e.primitive.name == "conv_general_dilated"] for eqns in same.equations(ours, theirs, x, k))
    assert found == wanted
    assert len(found) == 3


def test_complex_convolutions() -> None:
    x, k = (array(1, 2, 5) + 1j * array(1, 2, 5)), (array(3, 2, 3) + 1j * array(3, 2, 3))
    ours, theirs = lambda x, k: conv(x, k, (1,), "SAME"), lambda x, k: lax.conv(x, k, (1,), "SAME")
    x, k = x.astype(np.complex64), k.astype(np.complex64)
    same.check_values(ours, theirs, x, k)
    same.check_operations(ours, theirs, x, k)


@pytest.mark.parametrize(("a", "preferred"), [("int8", None), ("bool", None), ("int8", "int32"), ("float16", "float32")])
def test_dtypes(a: str, preferred: str | None) -> None:
    x, k = np.ones((1, 2, 5), a), np.ones((3, 2, 3), a)
    same.check_values(lambda x, k: conv(x, k, (1,), "SAME", preferred_element_type=preferred),
                      lambda x, k: lax.conv(x, k, (1,), "SAME", preferred_element_type=preferred), x, k)


@pytest.mark.parametrize("options", [
    {"strides": (2, 3), "padding": "SAME"}, {"strides": (2, 3), "padding": "VALID", "rhs_dilation": (2, 1)},
    {"strides": (2, 1), "padding": "SAME", "transpose_kernel": True}, {"strides": (2, 1), "padding": ((1, 2), (0, 1))},
    {"strides": (2, 1), "padding": ((1, 2), (0, 1)), "use_consistent_padding": True}])
def test_transposed_convolutions(options: dict) -> None:
    x, k = array(2, 5, 6, 4), array(3, 2, 4, 4)
    same.check_values(lambda x, k: conv_transpose(x, k, **options), lambda x, k: lax.conv_transpose(x, k, **options), x, k)


def test_paddings_of_transposed_convolutions() -> None:
    for padding in ("SAME", "VALID"):
        for kernel in range(1, 6):
            for stride in range(1, 5):
                x, k = np.ones((1, 5, 1), np.float32), np.ones((kernel, 1, 1), np.float32)
                same.check_equations(lambda x, k: conv_transpose(x, k, (stride,), padding),
                                     lambda x, k: lax.conv_transpose(x, k, (stride,), padding), x, k)


def test_dimension_numbers_and_paddings() -> None:
    assert ConvDimensionNumbers._fields == lax.ConvDimensionNumbers._fields
    shapes = (2, 4, 8, 9), (6, 4, 3, 2)
    for numbers in (None, ("NHWC", "HWIO", "NHWC"), ("CXYN", "XOYI", "NXYC")):
        assert tuple(conv_dimension_numbers(*shapes, numbers)) == tuple(lax.conv_dimension_numbers(*shapes, numbers))
        if numbers:
            assert conv_general_permutations(numbers) == lax.conv_general_permutations(numbers)
    for padding in ("SAME", "SAME_LOWER", "VALID", "same"):
        for sizes, window, strides in (((8, 9, 2), (3, 2, 5), (1, 2, 3)), ((8, 0, 2), (3, 2, 5), (1, 2, 3))):
            assert padtype_to_pads(sizes, window, strides, padding) == [
                tuple(map(int, p)) for p in lax.padtype_to_pads(sizes, window, strides, padding)]


X, K = np.ones((2, 4, 5), np.float32), np.ones((6, 4, 2), np.float32)
ERRORS: list[Callable[[Any], Any]] = [
    lambda c: c(X, K[:, :3], (1,), "SAME"), lambda c: c(X, K, (1, 1), "SAME"), lambda c: c(X, K, (1,), "FULL"),
    lambda c: c(X, K, (1,), ((1, 1), (1, 1))), lambda c: c(X, K[0], (1,), "SAME"), lambda c: c(X, K, (1,), 2),
    lambda c: c(X, K, (1,), "SAME", feature_group_count=3), lambda c: c(X, K, (1,), "SAME", feature_group_count=0),
    lambda c: c(X, K, (1,), "SAME", batch_group_count=4), lambda c: c(X, K, (1,), "SAME", lhs_dilation=(2,)),
    lambda c: c(X, K, (1,), "SAME", batch_group_count=2, feature_group_count=2), lambda c: c(X, K, (1,), ((-9, 0),)),
    lambda c: c(X, K, (1,), "SAME", dimension_numbers=("NCH", "OIH", "NCHH")), lambda c: c(X, K.astype(np.int32), (1,), "SAME"),
    lambda c: c(X, K, (1,), "SAME", dimension_numbers=("NCH", "OIH", "NCX")), lambda c: c(X, K, (1,), "SAME", precision="fine"),
    lambda c: c(X, K, (1,), "SAME", dimension_numbers=("NCH", "OIH")), lambda c: c(X, K, (1,), "SAME", dimension_numbers=5),
    lambda c: c(X, K, (1,), "SAME", dimension_numbers=("NCH", "OOH", "NCH")), lambda c: c(X, K[:5, :2], (1,), "SAME",
                                                                                       feature_group_count=2),
]


@pytest.mark.parametrize("f", ERRORS)
def test_errors(f: Callable[[Any], Any]) -> None:
    same.check_error(lambda: f(conv_general_dilated), lambda: f(lax.conv_general_dilated))


def test_shorter_forms() -> None:
    same.check_equations(lambda x, k: conv(x, k, (2,), "SAME", "high"), lambda x, k: lax.conv(x, k, (2,), "SAME", "high"), X, K)
    same.check_equations(lambda x, k: conv_with_general_padding(x, k, (1,), "SAME", None, (2,)),
                         lambda x, k: lax.conv_with_general_padding(x, k, (1,), "SAME", None, (2,)), X, K)
