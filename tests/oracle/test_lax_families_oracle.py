"""Transforms, ragged and scaled products, patches, stacking, filling, random bits and composites of lax against JAX."""
from __future__ import annotations

from collections.abc import Callable
from typing import Any

import agreement as same
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax as theirs

import perspicax
from perspicax import lax as ours

pytestmark = pytest.mark.oracle
RANDOM = np.random.default_rng(0)
X = RANDOM.standard_normal((2, 3)).astype(np.float32)
C = (RANDOM.standard_normal((2, 3)) + 1j * RANDOM.standard_normal((2, 3))).astype(np.complex64)
IMAGE = RANDOM.standard_normal((2, 2, 4, 5)).astype(np.float32)
ROWS, MATRICES = RANDOM.standard_normal((6, 3)).astype(np.float32), RANDOM.standard_normal((2, 3, 2)).astype(np.float32)
SIZES = np.array([2, 3], np.int32)

Call = Callable[[Any], Callable[..., Any]]


def pair(call: Call) -> tuple[Callable[..., Any], Callable[..., Any]]:
    """A function on ours, and on JAX's lax."""
    return call(ours), call(theirs)


# -- Fourier transforms

TRANSFORMS = [("fft", (3,), C), ("ifft", (2, 3), C), ("rfft", (3,), X), ("rfft", (2, 3), X), ("irfft", (4,), C),
              ("irfft", (5,), C), ("irfft", (2, 4), C)]


@pytest.mark.parametrize(("kind", "lengths", "x"), TRANSFORMS, ids=[f"{k}{n}" for k, n, _ in TRANSFORMS])
def test_transforms(kind: str, lengths: tuple, x: np.ndarray) -> None:
    f, g = pair(lambda lax: lambda v: lax.fft(v, kind, lengths))
    same.check_values(f, g, x)
    same.check_derivatives(f, g, x)
    same.check_vmap(f, g, x, axes=[(2,)])


@pytest.mark.parametrize("dtype", [np.int32, np.bool_, np.float16])
def test_what_transforms_make_of_other_dtypes(dtype: Any) -> None:
    same.check_values(*pair(lambda lax: lambda v: lax.fft(v, "FFT", (3,))), X.astype(dtype))
    if dtype is not np.float16:
        same.check_values(*pair(lambda lax: lambda v: lax.fft(v, lax.FftType.RFFT, (3,))), X.astype(dtype))


@pytest.mark.parametrize("call", [
    lambda lax: lambda: lax.fft(C, "fft", (4,)), lambda lax: lambda: lax.fft(C, "rfft", (3,)),
    lambda lax: lambda: lax.fft(C[0], "fft", (2, 3)), lambda lax: lambda: lax.fft(C, "dft", (3,)),
    lambda lax: lambda: lax.fft(C, 0, (3,)), lambda lax: lambda: lax.fft(C, "fft", 3),
    lambda lax: lambda: lax.fft(X.astype(np.float16), "rfft", (3,)),
    lambda lax: lambda: lax.stack([X, C]), lambda lax: lambda: lax.stack([X, X[0]]), lambda lax: lambda: lax.stack([X], 4),
    lambda lax: lambda: lax.unstack(X, 2), lambda lax: lambda: lax.tile(X, (2,)),
    lambda lax: lambda: lax.broadcast_like(X[0], X.T), lambda lax: lambda: lax.broadcast_like(X, X[0]),
    lambda lax: lambda: lax.collapse(X, 1, 0), lambda lax: lambda: lax.full((2,), X), lambda lax: lambda: lax.full_like(X, X),
    lambda lax: lambda: lax.full((-1,), 0.), lambda lax: lambda: lax.approx_max_k(X, 0),
    lambda lax: lambda: lax.approx_max_k(X, 4), lambda lax: lambda: lax.approx_max_k(X.astype(int), 1),
    lambda lax: lambda: lax.rng_bit_generator(np.zeros(4, np.uint32), 2, np.int32),
    lambda lax: lambda: lax.rng_uniform(0, 1., 2), lambda lax: lambda: lax.rng_uniform(0., X, 2),
    lambda lax: lambda: lax.ragged_dot(ROWS, MATRICES[0], SIZES), lambda lax: lambda: lax.ragged_dot(ROWS, MATRICES,
        SIZES * 1.),
    lambda lax: lambda: lax.ragged_dot(ROWS, MATRICES, np.array([1, 2, 3])),
    lambda lax: lambda: lax.ragged_dot(ROWS[:, :2], MATRICES, SIZES), lambda lax: lambda: lax.scaled_dot(X, X),
    lambda lax: lambda: lax.scaled_dot(X, X.T, lhs_scale=X), lambda lax: lambda: lax.scaled_dot(X[0], X[0]),
    lambda lax: lambda: lax.scaled_dot(X, X.T, lhs_scale=X[:, :2]), lambda lax: lambda: lax.dtype([1]),
    lambda lax: lambda: lax.conv_general_dilated_patches(IMAGE, (2,), (1, 1), "VALID"),
])
def test_mistakes_are_caught_as_before(call: Call) -> None:
    same.check_error(*pair(call))


# -- shapes

@pytest.mark.parametrize("call", [
    lambda lax: lambda x: lax.stack([x, 2 * x], 1), lambda lax: lambda x: list(lax.unstack(x, -1)),
    lambda lax: lambda x: lax.tile(x, (2, 3)),
], ids=["stack", "unstack", "tile"])
def test_stacking(call: Call) -> None:
    f, g = pair(call)
    same.check_values(f, g, X, rtol=0)
    same.check_derivatives(f, g, X)
    same.check_vmap(f, g, X, axes=[(1,)])


def test_the_equations_of_stacking() -> None:
    same.check_equations(*pair(lambda lax: lambda x, y: lax.stack([x, y], 1)), X, X)
    same.check_equations(*pair(lambda lax: lambda x: list(lax.unstack(x, 1))), X)
    same.check_equations(*pair(lambda lax: lambda x: lax.tile(x, (1, 2))), X)


@pytest.mark.parametrize("call", [
    lambda lax: lambda: lax.stack([1, 2]), lambda lax: lambda: lax.tile(2, ()), lambda lax: lambda: lax.unstack(np.ones((0,
        2))),
    lambda lax: lambda: lax.broadcast_like(X[:, :1], X), lambda lax: lambda: lax.broadcast_like(2, X),
    lambda lax: lambda: [lax.collapse(IMAGE, *a) for a in ((0,), (1, 3), (-2,), (1, 1), (5,), (0, -1), (0, 9))],
    lambda lax: lambda: [lax.full(3, 1.), lax.full((), 1), lax.full((2,), 1, np.float32), lax.full([2, 1], True)],
    lambda lax: lambda: [lax.full_like(2, 1), lax.full_like(2, 1, float), lax.full_like(X, 1), lax.full_like(X, 1, shape=[3])],
    lambda lax: lambda: lax.shape_as_value((2, 3)), lambda lax: lambda: lax.empty((2,), np.int32) * 0,
    lambda lax: lambda: lax.index_take(IMAGE[0, 0], (np.array([0, -1, 5]), np.array([1, 2, 9])), (0, 1)),
])
def test_filling_and_shapes(call: Call) -> None:
    same.check_values(*pair(call), rtol=0)


@pytest.mark.parametrize("value", [1, 1., True, 1j, np.float64(1), X, float, int, np.float64, "float32", "int4"], ids=repr)
@pytest.mark.filterwarnings("ignore:Explicitly requested")
def test_dtype_of_anything(value: Any) -> None:
    assert ours.dtype(value) == theirs.dtype(value)


def test_keys_are_stacked_tiled_and_filled() -> None:
    def words(px: Any, lax: Any) -> Any:
        a, b = px.random.key(0), px.random.key(1)
        made = px.jit(lambda a, b: [lax.tile(lax.stack([a, b]), (2,)), lax.unstack(lax.stack([a, b]))[1], lax.full((2,), b)])
        return [np.asarray(px.random.key_data(k)) for k in (*made(a, b), lax.full_like(a, 3))]

    same.assert_same(words(perspicax, ours), words(jax, theirs), 0, "keys")


# -- products

@pytest.mark.parametrize("params", [
    {"padding": "VALID"}, {"padding": "SAME", "rhs_dilation": (2, 1)}, {"padding": ((1, 0), (0, 2)), "lhs_dilation": (2, 1)},
    {"padding": "SAME", "dimension_numbers": ("NCHW", "WHIO", "CNWH")}], ids=["valid", "rhs", "lhs", "axes"])
def test_patches(params: dict) -> None:
    same.check_values(*pair(lambda lax: lambda x: lax.conv_general_dilated_patches(x, (2, 3), (1, 2), **params)), IMAGE)


def test_a_kernel_for_each_place() -> None:
    kernels = RANDOM.standard_normal((3, 2, 12, 2)).astype(np.float32)
    f, g = pair(lambda lax: lambda x, k: lax.conv_general_dilated_local(
        x, k, (1, 2), "VALID", (2, 3), dimension_numbers=("NCHW", "HWIO", "NHWC")))
    same.check_values(f, g, IMAGE, kernels)
    same.check_derivatives(f, g, IMAGE, kernels)


@pytest.mark.parametrize("call", [
    lambda lax: lax.conv_shape_tuple((4, 2, 4, 4), (3, 2, 2, 2), (1, 1), ((0, 1), (0, 0)), 2),
    lambda lax: lax.conv_general_shape_tuple((1, 4, 4, 2), (2, 2, 2, 3), (2, 1), "SAME", ("NHWC", "HWIO", "NHWC")),
    lambda lax: lax.conv_transpose_shape_tuple((1, 4, 4, 2), (3, 3, 2, 3), (2, 1), "VALID", ("NHWC", "HWIO", "NHWC")),
    lambda lax: lax.reduce_window_shape_tuple((4, 4), (2, 2), (1, 1), ((0, 0), (0, 0)), (2, 1), (1, 2))])
def test_shapes_of_results(call: Callable[[Any], Any]) -> None:
    assert tuple(map(int, call(ours))) == tuple(map(int, call(theirs)))


def numbers(lax: Any, mode: str) -> Any:
    pairs, ragged, group = {"free": ((((1,), (1,)), ((), ())), 0, (0,)), "contracting": ((((0,), (0,)), ((), ())), 0, ()),
                            "outer": ((((2,), (1,)), ((), ())), 1, (0,)), "batch": ((((2,), (1,)), ((0,), (0,))), 0, ())}[mode]
    return lax.RaggedDotDimensionNumbers(pairs, (ragged,), group)


@pytest.mark.parametrize(("mode", "lhs", "rhs", "sizes"), [
    ("free", (6, 3), (2, 3, 2), SIZES), ("contracting", (6, 3), (6, 2), SIZES),
    ("outer", (2, 4, 3), (2, 3, 2), np.array([[1, 2], [4, 0]], np.int32)), ("batch", (4, 2, 3), (4, 3, 2), SIZES)])
def test_ragged_products(mode: str, lhs: tuple, rhs: tuple, sizes: np.ndarray) -> None:
    x, y = RANDOM.standard_normal(lhs).astype(np.float32), RANDOM.standard_normal(rhs).astype(np.float32)
    f, g = pair(lambda lax: lambda x, y: lax.ragged_dot_general(x, y, sizes, numbers(lax, mode)))
    same.check_values(f, g, x, y)
    if mode == "free":  # JAX has derivatives of this mode alone
        same.check_derivatives(f, g, x, y)


def test_the_dtype_of_ragged_products() -> None:
    narrow = ROWS.astype(jnp.bfloat16), MATRICES.astype(jnp.bfloat16)
    same.check_values(*pair(lambda lax: lambda x, y: lax.ragged_dot(x, y, SIZES, preferred_element_type=np.float32)), *narrow)
    same.check_values(*pair(lambda lax: lambda x, y: lax.ragged_dot(x, y, SIZES)), narrow[0], MATRICES, rtol=1e-2)


@pytest.mark.parametrize("preferred", [None, np.float32])
def test_scaled_products(preferred: Any) -> None:
    x, y = RANDOM.standard_normal((2, 4, 8)).astype(np.float32), RANDOM.standard_normal((2, 8, 3)).astype(np.float32)
    scale = RANDOM.uniform(.5, 2, (2, 4, 2)).astype(np.float32)
    f, g = pair(lambda lax: lambda x, y, s: lax.scaled_dot(x, y, lhs_scale=s, preferred_element_type=preferred))
    same.check_values(f, g, x, y, scale, rtol=1e-2)
    same.check_vmap(f, g, x, y, scale, axes=[(1, None, 0)], rtol=1e-2)


# -- searches, bits, composites

@pytest.mark.parametrize("call", [
    lambda lax: lambda x: lax.approx_max_k(x, 2), lambda lax: lambda x: lax.approx_min_k(x, 1, 0),
    lambda lax: lambda x: lax.approx_max_k(x, 3, aggregate_to_topk=False)])
def test_approximate_searches(call: Call) -> None:
    x = RANDOM.standard_normal((2, 300)).astype(np.float32)
    same.check_values(*pair(call), x, rtol=0)


@pytest.mark.parametrize("algorithm", [0, 1, 2])
@pytest.mark.parametrize("dtype", [np.uint8, np.uint32])
def test_bits_are_those_of_jax(algorithm: int, dtype: Any) -> None:
    key = np.arange(4, dtype=np.uint32)
    same.check_values(*pair(lambda lax: lambda k: lax.rng_bit_generator(k, (3, 2), dtype, lax.RandomAlgorithm(algorithm))), key)


def test_composites() -> None:
    f, g = pair(lambda lax: lambda x: lax.composite(lambda v, *, scale: {"a": lax.sin(v) * scale}, "my.wave", 2)(
        x, scale=np.float32(3))["a"])
    same.check_values(f, g, X)
    attributes = dict(b='say "x"\n', c=np.ones(2), d=[1, 2.5], e=True, f=3, g=np.float32(2), h={"z": 1, "y": (1, 2)}, i=None)
    texts = [px.jit(lambda y, lax=lax: lax.composite(lambda x, **_: x, "a.b")(y, **attributes)).lower(X).as_text()
             for px, lax in ((perspicax, ours), (jax, theirs))]
    for text in texts:
        assert all(part in text for part in ("a.b", '"say \\22x\\22\\0A"', "f = 3 : i64", "e = true"))
