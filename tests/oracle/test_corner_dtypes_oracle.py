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
    "fmod of bools": lambda jnp: jnp.fmod(True, np.array([True, False])),
    "fmod of a bool by the integer 0": lambda jnp: jnp.fmod(jnp.array([True]), 0),
    "remainder of bools": lambda jnp: jnp.remainder(True, np.array([True, False])),
    "integer powers that overflow": lambda jnp: jnp.power(jnp.int8([[2], [3], [-3]]), jnp.int8([7, 64, 65, 100])),
    "integer powers below 0": lambda jnp: jnp.power(jnp.array([2, 3, 1, 0]), jnp.array([-1, -3, -2, -1])),
    "quantiles of no shares": lambda jnp: jnp.quantile(jnp.arange(3.), jnp.ones(0)),
    "var of a known mean": lambda jnp: jnp.var(jnp.ones((2, 3)), axis=0, mean=jnp.zeros((1, 3))),
    "nanstd of a known mean": lambda jnp: jnp.nanstd(jnp.ones((2, 3)), axis=0, mean=2),
    "unique subnormals": lambda jnp: jnp.unique(SMALL),
    "counts of unique subnormals": lambda jnp: jnp.unique(SMALL, return_counts=True)[1],
    "unique subnormals of 16 bits": lambda jnp: jnp.unique(jnp.asarray(SMALL, jnp.bfloat16)),
    "unique half numbers": lambda jnp: jnp.unique(np.array([6e-8, 0, 1e-7], np.float16)),
    "unique rows of subnormals": lambda jnp: jnp.unique(SMALL[:4].reshape(2, 2), axis=0),
    "running sum of a number": lambda jnp: jnp.cumsum(3, axis=-1, dtype="int8"),
    "no difference of a number": lambda jnp: jnp.diff(2.5, n=0),
    "degrees of a weak array": lambda jnp: jnp.deg2rad(jnp.full(3, 2.5)),
    "degrees of a number": lambda jnp: jnp.rad2deg(2.5),
    "sinc of a weak array": lambda jnp: jnp.sinc(jnp.full(3, 2.5)),
    "logical_and of a weak array": lambda jnp: jnp.logical_and(jnp.full(3, 2.5), 1),
    "logical_not of a weak array": lambda jnp: jnp.logical_not(jnp.full(3, 2)),
    "unique complex subnormals": lambda jnp: jnp.unique(SMALL * np.complex64(1j)),
    "quantile of 16 bits": lambda jnp: jnp.quantile((jnp.arange(70000) / 70000).astype(jnp.float16), 0.1),
    "percentile of bfloat16": lambda jnp: jnp.percentile(jnp.arange(1000.).astype(jnp.bfloat16), np.float32([7.7, 99.9])),
    "nanquantile of 16 bits": lambda jnp: jnp.nanquantile(jnp.array([1, np.nan, 5, 2, 9], jnp.float16), 0.3),
}
SMALL = np.array([1e-45, 0, -0., 1e-40, 1, -1e-44], np.float32)
DIFFERENTIATED: dict[str, Callable[[Any], Any]] = {
    "logsumexp of a number": lambda m: m.grad(m.nn.logsumexp)(2.5),
    "logsumexp by its weight": lambda m: m.grad(lambda b: m.scipy.special.logsumexp(1., b=b))(2.5),
    "logaddexp of a number": lambda m: m.grad(m.numpy.logaddexp)(2.5, 1.),
    "logaddexp2 of weak arrays": lambda m: m.grad(lambda x: m.numpy.logaddexp2(x, x).sum())(m.numpy.full(3, 2.5)),
    "logaddexp2 of infinities": lambda m: m.grad(m.numpy.logaddexp2)(np.inf, np.inf),
    "unique elements of a size": lambda m: m.grad(lambda x: (m.numpy.unique(x, size=3) * np.float32([1, 2, 3])).sum())(
        m.numpy.array([5., 2, 2, 1])),
    "union of a size": lambda m: m.jvp(lambda x: m.numpy.union1d(x, np.float32([7, 2]), size=3), (m.numpy.array([5., 2]),),
                                       (m.numpy.array([3., 1]),))[1],
}
REFUSED: dict[str, Callable[[Any], Any]] = {
    "running sum of an array without axes": lambda jnp: jnp.cumsum(jnp.float32(3), axis=0),
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
    "quantiles of a matrix of shares": lambda jnp: jnp.quantile(jnp.arange(6.), jnp.ones((2, 2))),
    "nanpercentile of a matrix": lambda jnp: jnp.nanpercentile(jnp.arange(6.), jnp.ones((0, 2))),
    "var of a mean without the axis": lambda jnp: jnp.var(jnp.ones((2, 3)), axis=0, mean=jnp.zeros(3)),
    "nanvar of a mean with one more": lambda jnp: jnp.nanvar(jnp.ones((2, 3)), mean=jnp.zeros((1, 2, 3))),
}


@pytest.mark.parametrize("name", CALLS)
def test_the_same_result(name: str) -> None:
    assert_alike(CALLS[name](perspicax.numpy), CALLS[name](jax.numpy))


@pytest.mark.parametrize("name", DIFFERENTIATED)
def test_the_same_derivative(name: str) -> None:
    assert_alike(DIFFERENTIATED[name](perspicax), DIFFERENTIATED[name](jax))


@pytest.mark.parametrize("dtype", ["int64", "uint64"])
def test_powers_of_64_bits_leave_out_the_same_bits_of_the_exponent(dtype: str) -> None:
    def powers(m: Any) -> Any:
        with m.enable_x64(True):
            return m.numpy.power(np.array([2, 3, 0]).astype(dtype)[:, None], np.array([63, 64, 100, -1]).astype(dtype))

    assert_alike(powers(perspicax), powers(jax))


def assert_alike(found: Any, wanted: Any) -> None:
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
