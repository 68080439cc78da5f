"""`ravel_pytree`: a vector and the way back."""

import numpy as np
import pytest

import perspicax as jax
import perspicax.numpy as jnp
from perspicax.flatten_util import ravel_pytree


def test_a_pytree_becomes_a_vector_and_a_pytree_again() -> None:
    given = {"a": np.arange(3, dtype=np.int32), "b": (np.ones((2, 2), np.float32), 1.0), "c": np.float16(3), "d": None}
    vector, unravel = ravel_pytree(given)
    assert vector.dtype == np.float32 and vector.tolist() == [0, 1, 2, 1, 1, 1, 1, 1, 3]
    back = unravel(vector)
    assert [(x.dtype.name, x.shape) for x in jax.tree.leaves(back)] == [
        ("int32", (3,)), ("float32", (2, 2)), ("float32", ()), ("float16", ())]
    assert back["d"] is None and back["a"].tolist() == [0, 1, 2]


def test_weak_types_and_emptiness() -> None:
    vector, _ = ravel_pytree({"a": 1.0, "b": 2.0})
    assert vector.weak_type
    vector, unravel = ravel_pytree({})
    assert vector.shape == (0,) and vector.dtype == np.float32 and unravel(vector) == {}


def test_unravelling_is_differentiated_compiled_and_vectorised() -> None:
    vector, unravel = ravel_pytree([np.ones(2, np.float32), np.ones((1, 2), np.float32)])
    gradient = jax.grad(lambda v: (unravel(v)[0] * unravel(v)[1][0]).sum())(vector * 3.0)
    assert gradient.tolist() == [3.0] * 4
    assert jax.jit(unravel)(vector)[1].shape == (1, 2)
    assert jax.vmap(unravel)(jnp.ones((5, 4)))[1].shape == (5, 1, 2)
    assert unravel == ravel_pytree([np.zeros(2, np.float32), np.zeros((1, 2), np.float32)])[1]
    assert unravel != ravel_pytree([np.zeros(4, np.float32)])[1]


@pytest.mark.parametrize("vector", [np.ones(3, np.float32), np.ones((2, 1), np.float32)])
def test_a_vector_of_another_shape_is_refused(vector: np.ndarray) -> None:
    with pytest.raises(ValueError, match=r"a vector of type float32\[2\], not float32"):
        ravel_pytree([np.ones(2, np.float32)])[1](vector)


def test_a_vector_of_another_dtype_is_refused_where_the_leaves_differ() -> None:
    _, unravel = ravel_pytree([np.ones(2, np.float32), np.ones(1, np.int32)])
    with pytest.raises(TypeError, match=r"float32\[3\], not int32\[3\]"):
        unravel(np.ones(3, np.int32))
