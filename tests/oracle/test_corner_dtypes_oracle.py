"""Booleans, complex numbers and 64-bit arrays where a function might not expect them, against JAX's."""
from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import jax
import jax.numpy
import numpy as np
import pytest

import perspicax
import perspicax.numpy

pytestmark = pytest.mark.oracle

CALLS: dict[str, Callable[[Any], Any]] = {
    "square of a bool": lambda jnp: jnp.square(True),
    "square of bools": lambda jnp: jnp.square(jnp.array([True, False])),
    "shift of bools": lambda jnp: jnp.left_shift(jnp.array([True, False]), jnp.array([True, True])),
    "shift by a number": lambda jnp: jnp.left_shift(jnp.array(True), 1),
    "shift by a bool": lambda jnp: jnp.array([True, False]) << True,
    "right shift of bools": lambda jnp: jnp.right_shift(True, True),
    "right shift by a number": lambda jnp: jnp.right_shift(jnp.array([True]), 1),
    "take by bools": lambda jnp: jnp.take(jnp.arange(3.), jnp.array([True, False])),
    "take by a bool": lambda jnp: jnp.take(jnp.arange(3.), True),
    "logaddexp of complex": lambda jnp: jnp.logaddexp(1j, 2j),
    "logaddexp2 of complex": lambda jnp: jnp.logaddexp2(1j, jnp.array([2., 3.])),
    "full of an array": lambda jnp: jnp.full(3, jnp.complex64(1 + 2j), jnp.complex64),
}
REFUSED: dict[str, Callable[[Any], Any]] = {
    "full of complex": lambda jnp: jnp.full(3, 1 + 2j, dtype=jnp.float32),
    "full_like of complex": lambda jnp: jnp.full_like(jnp.ones(3), 1 + 2j),
    "ediff1d of bools": lambda jnp: jnp.ediff1d(jnp.array([True, False])),
    "ediff1d of a list": lambda jnp: jnp.ediff1d([1, 2]),
    "kron of bools": lambda jnp: jnp.kron(jnp.array([True]), True),
    "round of bools": lambda jnp: jnp.round(jnp.array([True])),
    "ldexp of complex": lambda jnp: jnp.ldexp(1j, 2),
    "take_along_axis by bools": lambda jnp: jnp.take_along_axis(jnp.arange(3.), jnp.array([True]), 0),
    "argmax of complex": lambda jnp: jnp.argmax(jnp.array([1 + 2j, 3])),
    "in, of a matrix": lambda jnp: 1 in jnp.ones((2, 3)),
}


@pytest.mark.parametrize("name", CALLS)
def test_the_same_result(name: str) -> None:
    found, wanted = CALLS[name](perspicax.numpy), CALLS[name](jax.numpy)
    assert (found.shape, str(found.dtype), found.weak_type) == (wanted.shape, str(wanted.dtype), wanted.weak_type)
    np.testing.assert_allclose(np.asarray(found), np.asarray(wanted), rtol=3e-6)


@pytest.mark.parametrize("name", REFUSED)
def test_what_jax_refuses_is_refused_with_its_class(name: str) -> None:
    with pytest.raises((TypeError, ValueError)) as wanted:
        REFUSED[name](jax.numpy)
    with pytest.raises(wanted.type):
        REFUSED[name](perspicax.numpy)


@pytest.fixture
def wide() -> Iterator[Any]:
    """An array of 64 bits, made before they were switched off."""
    with perspicax.enable_x64(True):
        x = perspicax.numpy.arange(1., 4.) / 4
    yield x


@pytest.mark.parametrize("name", ["sinc", "exp2", "tanh", "cbrt", "reciprocal", "deg2rad", "expm1", "sign", "trunc", "var"])
def test_an_array_of_64_bits_keeps_them_in_functions_and_their_gradients(wide: Any, name: str) -> None:
    f = getattr(perspicax.numpy, name)
    gradient = perspicax.grad(lambda x: f(x).sum())(wide)
    assert f(wide).dtype == gradient.dtype == np.float64
    with perspicax.enable_x64(True):
        np.testing.assert_allclose(f(wide), f(np.asarray(wide)), rtol=1e-15)
        np.testing.assert_allclose(gradient, perspicax.grad(lambda x: f(x).sum())(np.asarray(wide)), rtol=1e-14)


@pytest.mark.parametrize("name", ["array(nan)", "full", "full_like", "float32", "jit"])
def test_debug_nans_sees_constants(name: str) -> None:
    nan = float("nan")
    makes: dict[str, Callable[[Any], Any]] = {
        "array(nan)": lambda m: m.numpy.array([1., nan]), "full": lambda m: m.numpy.full(3, nan),
        "full_like": lambda m: m.numpy.full_like(m.numpy.ones(3), nan), "float32": lambda m: m.numpy.float32(nan),
        "jit": lambda m: m.jit(lambda: m.numpy.array(nan))()}
    for module in (jax, perspicax):
        with module.debug_nans(True), pytest.raises(FloatingPointError):
            makes[name](module)


def test_debug_nans_lets_nans_be_asked_about() -> None:
    for module in (jax, perspicax):
        with module.debug_nans(True):
            assert module.numpy.isnan(np.nan) and module.numpy.nan_to_num(np.nan) == 0
