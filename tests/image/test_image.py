"""jax.image: laws of resampling, and reports."""
from __future__ import annotations

import numpy as np
import pytest

import perspicax as jax
import perspicax.numpy as jnp
from perspicax.image import ResizeMethod, resize, scale_and_translate
from perspicax.image.errors import ResizeError

LINE = np.linspace(0, 1, 8, dtype=np.float32)


@pytest.mark.parametrize("method", list(ResizeMethod))
def test_what_is_constant_stays_constant(method: ResizeMethod) -> None:
    np.testing.assert_allclose(resize(jnp.full((4, 3, 2), 7.), (9, 2, 2), method), 7., rtol=1e-5)


@pytest.mark.parametrize("method", [m for m in ResizeMethod if m is not ResizeMethod.NEAREST])
def test_a_shift_by_whole_entries_moves_them(method: ResizeMethod) -> None:
    moved = scale_and_translate(LINE, (8,), (0,), jnp.ones(1), jnp.full(1, 2.), method)
    np.testing.assert_allclose(moved, np.concatenate([[0, 0], LINE[:-2]]), atol=1e-4)


def test_resize_is_linear_and_works_under_vmap() -> None:
    x = np.random.default_rng(0).standard_normal((3, 5)).astype(np.float32)
    whole = resize(x, (3, 8), "cubic")
    np.testing.assert_allclose(jax.vmap(lambda row: resize(row, (8,), "cubic"))(x), whole, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(resize(2 * x, (3, 8), "cubic"), 2 * np.asarray(whole), rtol=1e-5, atol=1e-6)


def test_nearest_repeats_entries_and_keeps_integers() -> None:
    out = resize(jnp.array([[1, 2], [3, 4]]), (4, 2), "nearest")
    assert out.dtype == np.int32 and np.array_equal(out, [[1, 2], [1, 2], [3, 4], [3, 4]])


def test_area_is_the_mean_of_what_is_covered() -> None:
    np.testing.assert_allclose(resize(jnp.arange(6.), (3,), "area"), [0.5, 2.5, 4.5])


@pytest.mark.parametrize("call, words", [
    (lambda: resize(LINE, (2, 2), "linear"), "one size for each axis"),
    (lambda: resize(LINE, (4,), "linar"), "'linear'"),
    (lambda: resize(jnp.ones((0, 2)), (3, 2), "linear"), "without entries"),
    (lambda: scale_and_translate(jnp.ones((2, 3)), (4, 4), (0,), jnp.ones(1), jnp.zeros(1), "linear"), "axis 1"),
    (lambda: scale_and_translate(LINE, (4,), (0,), jnp.ones(2), jnp.zeros(1), "linear"), "one number"),
    (lambda: scale_and_translate(LINE, (4,), (0,), jnp.ones(1), jnp.zeros(1), "nearest"), "resize"),
])
def test_what_does_not_fit_is_told(call: object, words: str) -> None:
    with pytest.raises(ResizeError, match=words):
        call()  # type: ignore[operator]
