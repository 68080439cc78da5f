"""`vmap`: one law, and reports by name."""
from __future__ import annotations

import itertools

import numpy as np
import pytest

import perspicax as px
import perspicax.numpy as jnp
from perspicax import lax
from perspicax.core.printer import check_jaxpr
from perspicax.lax.errors import ElementwiseShapeError
from perspicax.transform.errors import ArgumentTypeError, BatchAxisError, BatchSizeError

XS = np.array([0.3, 0.7, -1.1], np.float32)
GRID = np.arange(6, dtype=np.float32).reshape(2, 3)


def mixed(x, y):
    """Elementwise, reduction, product, comparison, indexing, a nested jit and a loop."""
    z = jnp.where(x > y, x * y, jnp.sin(x)) + px.jit(jnp.cumsum)(y)
    return z, jnp.dot(x, y), lax.scan(lambda c, v: (c + v, c * v), x[0], y)[1][::-1]


@pytest.mark.parametrize("axes", [a for a in itertools.product((0, 1, -1, None), repeat=2) if a != (None, None)])
@pytest.mark.parametrize("wrap", [lambda f: f, px.jit], ids=["eager", "jit"])
def test_slices_of_the_result_are_results_of_the_slices(axes, wrap):
    stack = np.random.default_rng(0).standard_normal((3, 3)).astype(np.float32)
    args = (stack, stack * 2 - 1)
    args = tuple([x if a is not None else x[0] for x, a in zip(args, axes)])
    together = wrap(px.vmap(mixed, in_axes=axes))(*args)
    for i in range(3):
        alone = mixed(*[x if a is None else np.take(x, i, a) for x, a in zip(args, axes)])
        for whole, part in zip(together, alone):
            np.testing.assert_allclose(whole[i], part, rtol=1e-5, atol=1e-6)
            assert whole.dtype == part.dtype


@pytest.mark.parametrize("out", [0, 1, -1, -2])
def test_out_axes(out):
    found = px.vmap(lambda x: x * 2, out_axes=out)(GRID)
    np.testing.assert_array_equal(found, np.moveaxis(GRID * 2, 0, out))


def test_trees_of_axes():
    tree = {"a": GRID, "b": np.float32(2.0), "c": (XS, XS)}
    f = lambda t, s: ({"sum": (t["a"] * t["c"][0]).sum() * t["b"] * s}, t["b"])
    sums, b = px.vmap(f, in_axes=({"a": 0, "b": None, "c": None}, None), out_axes=(0, None))(tree, 3.0)
    np.testing.assert_allclose(sums["sum"], (GRID * XS).sum(1) * 6, rtol=1e-6)
    assert b == 2.0 and b.shape == ()
    both = px.vmap(f, in_axes=({"a": 1, "b": None, "c": (0, 0)}, None), out_axes=({"sum": 0}, None))(tree, 3.0)[0]
    np.testing.assert_allclose(both["sum"], (GRID * XS).sum(0) * 6, rtol=1e-5)


def test_keywords_are_mapped_over_their_first_axis():
    np.testing.assert_array_equal(px.vmap(lambda x, *, y: x * y, in_axes=(None,))(2.0, y=XS), 2 * XS)


def test_size_without_a_mapped_argument():
    np.testing.assert_array_equal(px.vmap(lambda: jnp.float32(1.0), axis_size=3)(), np.ones(3))
    np.testing.assert_array_equal(px.vmap(lambda x: x * 2, in_axes=None, axis_size=2)(3.0), [6.0, 6.0])


def test_nested_and_with_grad():
    outer = px.vmap(px.vmap(lambda x, y: x * y, (None, 0)), (0, None))(XS, XS)
    np.testing.assert_allclose(outer, np.outer(XS, XS), rtol=1e-6)
    row = lambda x: (jnp.sin(x) * x).sum()
    expected = np.cos(GRID) * GRID + np.sin(GRID)
    np.testing.assert_allclose(px.vmap(px.grad(row))(GRID), expected, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(px.grad(lambda g: px.vmap(row)(g).sum())(GRID), expected, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(px.vmap(px.vmap(px.grad(px.grad(lambda x: x**3))))(GRID), 6 * GRID, rtol=1e-5)


def test_closures_over_outer_batches():
    f = lambda x: px.vmap(lambda y: px.grad(lambda z: x * y * z * z)(y))(XS)
    np.testing.assert_allclose(px.vmap(f)(XS), 2 * XS[:, None] * XS[None, :] ** 2, rtol=1e-5)
    np.testing.assert_allclose(px.jit(px.vmap(px.jit(f)))(XS), 2 * XS[:, None] * XS[None, :] ** 2, rtol=1e-5)


def test_what_is_not_batched_is_computed_once():
    jaxpr = px.make_jaxpr(px.vmap(lambda x, w: x * jnp.sin(w), in_axes=(0, None)))(XS, 2.0)
    sine = next(e for e in jaxpr.eqns if e.primitive.name == "sin")
    assert sine.outvars[0].aval.shape == ()
    check_jaxpr(jaxpr.jaxpr)


def test_empty_batch():
    assert px.vmap(lambda x: x.sum())(np.zeros((0, 2), np.float32)).shape == (0,)


class TestReports:
    def raised(self, f, *args, **options):
        with pytest.raises(BatchAxisError) as caught:
            px.vmap(f, **options)(*args)
        return caught.value

    def test_number_of_axes(self):
        error = self.raised(lambda x, y: x, XS, XS, in_axes=(0,))
        assert (error.kind, error.got, error.expected) == ("count", "1", "2")

    @pytest.mark.parametrize("axes", ["a", 0.0, ("a",), {"x": "0"}, True])
    def test_no_axis(self, axes):
        for option in ("in_axes", "out_axes"):
            assert self.raised(lambda x: x, XS, **{option: axes}).option == option

    def test_structure(self):
        assert self.raised(lambda t: t, {"a": XS}, in_axes=({"b": 0},)).kind == "tree"
        assert self.raised(lambda x: (x, x), XS, out_axes=(0, 0, 0)).option == "out_axes"

    def test_rank_names_the_argument_by_path(self):
        error = self.raised(lambda s, t: t, 1.0, {"a": [XS, np.float32(1)]}, in_axes=(None, 0))
        assert (error.kind, error.name, error.expected) == ("rank", "t['a'][1]", "float32[]")

    def test_nothing_mapped(self):
        assert self.raised(lambda x: x, XS, in_axes=None).kind == "none mapped"

    def test_result_that_is_mapped_after_all(self):
        error = self.raised(lambda x: {"loss": x, "n": 1.0}, XS, out_axes=None)
        assert (error.kind, error.got) == ("mapped result", "result['loss']")

    def test_out_axis_out_of_range(self):
        error = self.raised(lambda x: x, GRID, out_axes=2)
        assert (error.kind, error.got, error.expected) == ("range", "2", "2")

    def test_sizes_that_differ(self):
        with pytest.raises(BatchSizeError) as caught:
            px.vmap(lambda x, y: x, in_axes=(0, 1))({"a": XS}, GRID.T)
        assert caught.value.rows == (("x['a']", "float32[3]", 0, 3), ("y", "float32[3,2]", 1, 2))
        with pytest.raises(BatchSizeError) as caught:
            px.vmap(lambda x: x, axis_size=4)(XS)
        assert caught.value.axis_size == 4

    def test_no_array(self):
        with pytest.raises(ArgumentTypeError) as caught:
            px.vmap(lambda x, name: x, in_axes=(0, None))(XS, "text")
        assert (caught.value.name, caught.value.value_type) == ("name", "str")

    def test_a_batch_has_no_truth(self):
        with pytest.raises(px.errors.TracerBoolConversionError):
            px.vmap(lambda x: x if x > 0 else -x)(XS)


def test_operands_that_do_not_fit_are_told_of_one_example():
    with pytest.raises(ElementwiseShapeError) as caught:
        px.vmap(px.vmap(lambda x, y: lax.add(x, y)))(jnp.ones((4, 5, 3)), jnp.ones((4, 5, 2)))
    assert [a.shape for a in caught.value.avals] == [(3,), (2,)]
    assert caught.value.__suppress_context__
