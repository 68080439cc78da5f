"""Ufunc objects, `frompyfunc` and `vectorize`: laws, and that they can be transformed, compared and pickled."""
from __future__ import annotations

import functools
import inspect
import operator
import pickle
from typing import Any

import numpy as np
import pytest

import perspicax as px
import perspicax.numpy as jnp
from perspicax.numpy.errors import ArgumentValueError, BroadcastError, ReductionError, UnsupportedArgumentError
from perspicax.numpy.vectorizing import SignatureError

NAMES = ("add bitwise_and bitwise_or bitwise_xor logaddexp logaddexp2 logical_and logical_or logical_xor maximum minimum "
         "multiply negative subtract").split()
TWO = [name for name in NAMES if name != "negative"]
INTEGERS = np.array([[3, 1, 2], [6, 5, 4]], np.int32)


def operand(name: str) -> np.ndarray:
    return INTEGERS.astype(np.float32) if "logadd" in name else INTEGERS


def remainder_of_twice(a: Any, b: Any) -> Any:
    """Neither commutative nor associative."""
    return 2 * a - b


@pytest.mark.parametrize("name", NAMES)
def test_functions_of_elements_are_ufuncs(name: str) -> None:
    function = getattr(jnp, name)
    assert isinstance(function, jnp.ufunc)
    assert (function.__name__, repr(function)) == (name, f"<jnp.ufunc '{name}'>")
    assert function.nin == function.nargs == (1 if name == "negative" else 2)
    assert function.nout == 1
    assert pickle.loads(pickle.dumps(function)) is function
    assert len(inspect.signature(function).parameters) >= function.nin


@pytest.mark.parametrize("name", TWO)
@pytest.mark.parametrize("axis", [0, -1])
def test_reduction_and_accumulation_are_repeated_calls(name: str, axis: int) -> None:
    function, x = getattr(jnp, name), operand(name)
    entries = list(np.moveaxis(x, axis, 0))
    steps = [entries[0] != 0 if "logical" in name else entries[0]]
    for entry in entries[1:]:
        steps.append(np.asarray(function(steps[-1], entry)))
    np.testing.assert_allclose(function.reduce(x, axis), functools.reduce(lambda a, b: np.asarray(function(a, b)), entries),
                               rtol=1e-6)
    np.testing.assert_allclose(function.accumulate(x, axis), np.stack(steps, axis), rtol=1e-6)


@pytest.mark.parametrize("name", TWO)
def test_outer_and_parts_and_places(name: str) -> None:
    function, numpy, x = getattr(jnp, name), getattr(np, name), operand(name)
    np.testing.assert_allclose(function.outer(x[0], x[1]), numpy.outer(x[0], x[1]), rtol=1e-6)
    if "logical" in name:
        return
    index = np.array([0, 2, 1])
    np.testing.assert_allclose(function.reduceat(x[1], index), numpy.reduceat(x[1], index), rtol=1e-6)
    wanted = x.copy()
    numpy.at(wanted, np.array([1, 1, 0]), 3)
    np.testing.assert_allclose(function.at(x, np.array([1, 1, 0]), 3, inplace=False), wanted, rtol=1e-6)


def test_a_ufunc_of_a_function_folds_from_the_left() -> None:
    f = jnp.frompyfunc(remainder_of_twice, 2, 1)
    rows = INTEGERS.tolist()
    assert f.reduce(INTEGERS, axis=1).tolist() == [functools.reduce(remainder_of_twice, row) for row in rows]
    assert f.reduce(INTEGERS, axis=1, initial=7).tolist() == [functools.reduce(remainder_of_twice, row, 7) for row in rows]
    assert f.reduce(INTEGERS, axis=None, keepdims=True).shape == (1, 1)
    with pytest.raises(ReductionError, match="remainder_of_twice"):
        f.reduce(INTEGERS[:0])
    with pytest.raises(ReductionError):
        f.reduce(INTEGERS, where=INTEGERS > 2)
    assert jnp.frompyfunc(remainder_of_twice, 2, 1, identity=0).reduce(INTEGERS[:0]).tolist() == [0, 0, 0]


def test_ufuncs_of_one_function_are_equal() -> None:
    f, g = [jnp.frompyfunc(operator.mul, 2, 1, identity=1) for _ in range(2)]
    assert f == g
    assert hash(f) == hash(g)
    assert f != jnp.frompyfunc(operator.mul, 2, 1)
    assert pickle.loads(pickle.dumps(f)) == f


def test_ufuncs_can_be_transformed() -> None:
    x = np.array([1., 2., 4.], np.float32)
    f = jnp.frompyfunc(lambda a, b: a * b, 2, 1)
    np.testing.assert_allclose(px.grad(lambda v: f.reduce(v))(x), np.prod(x) / x)
    np.testing.assert_allclose(px.jit(jnp.add)(x, x), 2 * x)
    np.testing.assert_allclose(px.vmap(f.accumulate)(np.stack([x, x])), np.stack([np.cumprod(x)] * 2))
    np.testing.assert_allclose(px.grad(lambda v: jnp.add.at(v, np.array([0, 0]), v[1], inplace=False).sum())(x), [1, 3, 1])


@pytest.mark.parametrize("call", [
    lambda: jnp.add(1, 2, out=3), lambda: jnp.multiply(1, 2, where=True), lambda: jnp.add.reduce(INTEGERS, out=3),
    lambda: jnp.add.at(INTEGERS, 0, 1), lambda: jnp.subtract.reduce(INTEGERS, (0, 1)),
])
def test_arguments_that_have_no_meaning_are_named(call: Any) -> None:
    with pytest.raises(UnsupportedArgumentError):
        call()


def test_methods_are_for_functions_of_two_arguments() -> None:
    for method in ("reduce", "accumulate"):
        with pytest.raises(ArgumentValueError, match="negative"):
            getattr(jnp.negative, method)(INTEGERS)


def test_vectorize_broadcasts_the_axes_in_front() -> None:
    f = jnp.vectorize(lambda m, v: m @ v, signature="(n,k),(k)->(n)")
    m, v = np.arange(24., dtype=np.float32).reshape(4, 1, 2, 3), np.ones((5, 3), np.float32)
    np.testing.assert_allclose(f(m, v), m @ v[0] + np.zeros((4, 5, 2)))
    assert jnp.vectorize(lambda a, b: a + len(b), excluded={1})(np.arange(2), "text").tolist() == [4, 5]
    assert jnp.vectorize(lambda a, by=1: a * by)(np.arange(3), by=4).tolist() == [0, 4, 8]


def test_vectorize_says_which_axis_does_not_fit() -> None:
    f = jnp.vectorize(jnp.dot, signature="(n),(n)->()")
    with pytest.raises(SignatureError, match="the axis n has 4 entries there, and 3 elsewhere"):
        f(jnp.ones((2, 3)), jnp.ones(4))
    with pytest.raises(BroadcastError):
        f(jnp.ones((2, 3)), jnp.ones((4, 3)))
    with pytest.raises(SignatureError, match="returned"):
        jnp.vectorize(lambda v: v, signature="(n)->()")(jnp.ones(3))
    with pytest.raises(ArgumentValueError, match="signature='n->n'"):
        jnp.vectorize(abs, signature="n->n")
