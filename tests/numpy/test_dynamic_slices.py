"""`ds`: slices whose start is a value."""
from __future__ import annotations

import numpy as np
import pytest

import perspicax as px
import perspicax.numpy as jnp
from perspicax.errors import TracerIntegerConversionError
from perspicax.numpy.dynamic_slices import Slice
from perspicax.numpy.errors import ArgumentKindError, ArgumentValueError

X = jnp.arange(10.0)
M = jnp.arange(12.0).reshape(3, 4)


def traced(index, x=X):
    """What jit reads, with the start traced."""
    return px.jit(lambda i: x[index(i)])


def test_what_it_stands_for():
    assert px.ds(None) == slice(None)
    assert px.ds(None, 3, 2) == slice(None)
    assert px.ds(3) == Slice(0, 3, 1)
    assert px.ds(1, 3, 2) == Slice(1, 3, 2)


@pytest.mark.parametrize(("start", "wanted"), [(2, [2, 3, 4]), (-3, [7, 8, 9]), (8, [7, 8, 9]), (-4, [6, 7, 8])])
def test_known_and_traced_starts_read_the_same(start, wanted):
    assert np.array_equal(X[px.ds(start, 3)], wanted)
    assert np.array_equal(traced(lambda i: px.ds(i, 3))(start), wanted)


def test_strides_are_read_entry_by_entry():
    assert np.array_equal(X[px.ds(2, 3, 2)], [2, 4, 6])
    assert np.array_equal(traced(lambda i: px.ds(i, 3, 2))(7), [7, 9, 9])


def test_among_other_indices():
    assert np.array_equal(M[px.ds(1, 2), px.ds(0, 3)], [[4, 5, 6], [8, 9, 10]])
    assert np.array_equal(M[px.ds(1, 2), 0], [4, 8])
    assert np.array_equal(M[..., px.ds(1, 2)], np.asarray(M)[:, 1:3])
    assert np.array_equal(M[None, px.ds(1, 2)], np.asarray(M)[None, 1:3])
    assert np.array_equal(M[jnp.array([0, 2]), px.ds(1, 2)], [[1, 2], [9, 10]])
    assert np.array_equal(M[jnp.array([[True, False, False, True]] * 3), ...], np.asarray(M)[[0, 0, 1, 1, 2, 2], [0, 3] * 3])
    assert np.array_equal(traced(lambda i: (px.ds(i, 2), slice(None, None, 2)), M)(1), [[4, 6], [8, 10]])


def test_updates_beyond_the_end_change_nothing():
    add = px.jit(lambda i: X.at[px.ds(i, 3)].add(1.0))
    assert np.array_equal(add(2) - X, [0, 0, 1, 1, 1, 0, 0, 0, 0, 0])
    assert np.array_equal(add(8), X)
    assert np.array_equal(X.at[px.ds(8, 3)].set(0.0), X)
    assert np.array_equal(X.at[px.ds(-3, 3)].set(0.0)[-4:], [6, 0, 0, 0])
    assert np.array_equal(px.jit(lambda i: X.at[px.ds(i, 3, 2)].multiply(0.0))(2)[2:8], [0, 3, 0, 5, 0, 7])
    assert np.array_equal(M.at[px.ds(1, 2), 0].set(-1.0)[:, 0], [0, -1, -1])
    assert np.array_equal(M.at[px.ds(1, 2), px.ds(2, 2)].get(), [[6, 7], [10, 11]])
    assert np.array_equal(M.at[px.ds(1, 2), px.ds(2, 2)].apply(jnp.negative)[2], [8, 9, -10, -11])


def test_derivatives_and_batches():
    gradient = px.grad(lambda x, i: jnp.sum(x[px.ds(i, 2)] ** 2))(X, 3)
    assert np.array_equal(gradient, [0, 0, 0, 6, 8, 0, 0, 0, 0, 0])
    assert np.array_equal(px.vmap(lambda i: X[px.ds(i, 2)])(jnp.array([0, 5])), [[0, 1], [5, 6]])
    assert np.array_equal(px.grad(lambda y: jnp.sum(X.at[px.ds(1, 2)].set(y) * X))(jnp.ones(2)), [1, 2])


def test_references_and_trees():
    ref = px.new_ref(X)
    ref[px.ds(1, 2)] = jnp.zeros(2)
    assert np.array_equal(ref[px.ds(0, 4)], [0, 0, 0, 3])
    assert np.array_equal(px.jit(lambda s: X[s])(px.ds(jnp.int32(4), 2)), [4, 5])
    assert np.array_equal(px.jit(lambda s: X[s])(px.ds(4, 2)), [4, 5])


@pytest.mark.parametrize(("arguments", "error"), [
    ((0, 2.0), ArgumentKindError), ((0.0, 2), ArgumentKindError), ((jnp.ones(2, int), 2), ArgumentKindError),
    ((jnp.float32(1), 2), ArgumentKindError), ((0, -1), ArgumentValueError), ((0, 3, -1), ArgumentValueError),
])
def test_refusals(arguments, error):
    with pytest.raises(error, match=r"`px\.ds` was given"):
        px.ds(*arguments)


def test_the_size_is_known_and_fits():
    with pytest.raises(TracerIntegerConversionError):
        px.jit(lambda n: X[px.ds(0, n)])(2)
    with pytest.raises(TypeError):
        X[px.ds(0, 11)]
