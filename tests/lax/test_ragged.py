"""Ragged and scaled products, and composites: values by their definition, derivatives and batches, mistakes."""
from __future__ import annotations

from typing import Any

import laws
import numpy as np
import pytest

from perspicax import lax
from perspicax.lax.composites import CompositeClosureError
from perspicax.lax.errors import OperationShapeError
from perspicax.lax.product_errors import DotShapeError
from perspicax.lax.ragged import RaggedDotError
from perspicax.transform.grad import grad
from perspicax.transform.vmap import vmap

RANDOM = np.random.default_rng(0)
ROWS, MATRICES, SIZES = RANDOM.standard_normal((6, 3)), RANDOM.standard_normal((2, 3, 2)), np.array([2, 3], np.int32)
CLOSE = {"rtol": 1e-12, "atol": 1e-12}


def numbers(pairs: Any, ragged: int = 0, groups: tuple[int, ...] = ()) -> lax.RaggedDotDimensionNumbers:
    return lax.RaggedDotDimensionNumbers(pairs, (ragged,), groups)


def test_each_row_is_multiplied_by_the_matrix_of_its_group() -> None:
    with laws.double():
        wanted = np.concatenate([ROWS[:2] @ MATRICES[0], ROWS[2:5] @ MATRICES[1], np.zeros((1, 2))])
        np.testing.assert_allclose(lax.ragged_dot(ROWS, MATRICES, SIZES), wanted, **CLOSE)


def test_a_ragged_sum_gives_a_product_for_each_group() -> None:
    other = RANDOM.standard_normal((6, 2))
    with laws.double():
        found = lax.ragged_dot_general(ROWS, other, SIZES, numbers((((0,), (0,)), ((), ()))))
        np.testing.assert_allclose(found, np.stack([ROWS[:2].T @ other[:2], ROWS[2:5].T @ other[2:5]]), **CLOSE)


@pytest.mark.parametrize("axes", [(None, None, 0), (1, None, None), (None, 2, None), (0, 0, 0)])
def test_batches_of_rows_matrices_and_sizes(axes: tuple) -> None:
    stacks = [np.stack([ROWS, 2 * ROWS]), np.stack([MATRICES, MATRICES + 1]), np.stack([SIZES, SIZES[::-1]])]
    with laws.double():
        batched = [x if a is None else np.moveaxis(s, 0, a) for x, s, a in zip((ROWS, MATRICES, SIZES), stacks, axes)]
        found = vmap(lax.ragged_dot, axes)(*batched)
        for i in range(2):
            one = [x if a is None else s[i] for x, s, a in zip((ROWS, MATRICES, SIZES), stacks, axes)]
            np.testing.assert_allclose(found[i], lax.ragged_dot(*one), **CLOSE)


@pytest.mark.parametrize("call", [
    lambda: lax.ragged_dot(ROWS, MATRICES, np.array([1, 2, 3])), lambda: lax.ragged_dot(ROWS, MATRICES, SIZES * 1.),
    lambda: lax.ragged_dot(ROWS, MATRICES, SIZES, group_offset=np.array([0])),
    lambda: lax.ragged_dot_general(ROWS, MATRICES, SIZES, lax.RaggedDotDimensionNumbers((((1,), (1,)), ((), ())), (0, 1),
        (0,))),
    lambda: lax.ragged_dot_general(ROWS, MATRICES, SIZES, numbers((((1,), (1,)), ((), ())))),
    lambda: lax.ragged_dot_general(ROWS, MATRICES, SIZES, numbers((((0,), (1,)), ((), ())), 0, (0,))),
    lambda: lax.ragged_dot(ROWS, MATRICES, np.ones((4, 2), np.int32)),
])
def test_groups_that_do_not_fit(call: Any) -> None:
    with pytest.raises(RaggedDotError):
        call()


def test_sizes_that_are_summed_over_agree() -> None:
    with pytest.raises(DotShapeError):
        lax.ragged_dot(ROWS[:, :2], MATRICES, SIZES)


# -- scaled products

def test_each_block_has_its_scale() -> None:
    x, y = RANDOM.integers(-4, 4, (2, 4)).astype(np.float32), RANDOM.integers(-4, 4, (4, 3)).astype(np.float32)
    left, right = np.float32([[1, 2], [4, .5]]), np.float32([[2, 1, 4], [1, 1, .5]])
    found = lax.scaled_dot(x, y, lhs_scale=left, rhs_scale=right, preferred_element_type=np.float32)
    np.testing.assert_array_equal(found, (x * left.repeat(2, 1)) @ (y * right.repeat(2, 0)))  # small integers: exact
    assert lax.scaled_dot(x, y).dtype == "bfloat16"
    np.testing.assert_array_equal(vmap(lambda s: lax.scaled_dot(x, y, lhs_scale=s, preferred_element_type=np.float32))(
        np.stack([left, 2 * left]))[1], (x * 2 * left.repeat(2, 1)) @ y)


def test_a_scaled_product_has_the_derivative_of_its_steps() -> None:
    x, y, scale = np.ones((2, 4), np.float32), np.ones((4, 3), np.float32), np.float32([[1, 2], [4, .5]])
    found = grad(lambda v: lax.reduce_sum(lax.scaled_dot(v, y, lhs_scale=scale, preferred_element_type=np.float32), (0, 1)))(x)
    np.testing.assert_array_equal(found, 3 * scale.repeat(2, 1))


@pytest.mark.parametrize("scale", [np.ones(2), np.ones((6, 2)), np.ones((1, 1)), np.ones((6, 3))])
def test_scales_that_do_not_fit(scale: np.ndarray) -> None:
    with pytest.raises(OperationShapeError):
        lax.scaled_dot(ROWS, MATRICES[0], lhs_scale=scale)


# -- composites

def wave(x: Any, *, scale: Any = 1., note: Any = None) -> Any:
    return lax.mul(lax.sin(x), lax.full_like(x, scale))


def test_a_composite_computes_its_decomposition() -> None:
    named = lax.composite(wave, "test.wave", 3)
    x = np.float32([.5, 1.])
    np.testing.assert_allclose(named(x, scale=2., note=None), 2 * np.sin(x), rtol=1e-6)
    text = laws.jit(lambda v: named(v, scale=2., note="a \"b\"")).lower(x).as_text()
    assert all(part in text for part in ('"test.wave"', "version = 3", "0x4000000000000000 : f64", 'note = "a \\22b\\22"'))


def test_a_composite_has_the_derivative_and_the_batches_of_its_decomposition() -> None:
    named = lax.composite(wave, "test.wave")
    assert grad(named)(.5) == pytest.approx(np.cos(.5), rel=1e-6)
    np.testing.assert_allclose(vmap(named)(np.float32([.1, .2])), np.sin(np.float32([.1, .2])), rtol=1e-6)


@pytest.mark.parametrize(("what", "call"), [
    ("constant", lambda y: lax.composite(lambda x: lax.mul(x, y), "a.b")(1.)),
    ("attribute", lambda y: lax.composite(wave, "a.b")(1., scale=y))])
def test_traced_values_that_are_no_operands(what: str, call: Any) -> None:
    with pytest.raises(CompositeClosureError) as raised:
        laws.jit(call)(2.)
    assert (raised.value.composite, raised.value.what) == ("a.b", what)


def test_attributes_that_programs_cannot_hold() -> None:
    with pytest.raises(OperationShapeError):
        lax.composite(wave, "a.b")(1., note=object())
