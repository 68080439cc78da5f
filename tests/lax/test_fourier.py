"""Fourier transforms: values against NumPy, which operands they take, mistakes."""
from __future__ import annotations

from typing import Any

import laws
import numpy as np
import pytest

from perspicax import lax
from perspicax.lax.errors import OperandDtypeError
from perspicax.lax.fourier import FourierError

RANDOM = np.random.default_rng(0)
X = RANDOM.standard_normal((2, 3, 4))
C = X + 1j * RANDOM.standard_normal((2, 3, 4))
CLOSE = {"rtol": 1e-12, "atol": 1e-12}


@pytest.mark.parametrize("axes", [1, 2, 3])
@pytest.mark.parametrize(("kind", "x", "wanted"), [
    ("fft", C, np.fft.fftn), ("ifft", C, np.fft.ifftn), ("rfft", X, np.fft.rfftn), ("fft", X, np.fft.fftn)])
def test_values(kind: str, x: np.ndarray, wanted: Any, axes: int) -> None:
    with laws.double():
        found = lax.fft(x, kind, x.shape[-axes:])
        np.testing.assert_allclose(found, wanted(x, axes=range(3 - axes, 3)), **CLOSE)


@pytest.mark.parametrize("length", [6, 7])
def test_the_inverse_of_a_real_transform_undoes_it(length: int) -> None:
    x = RANDOM.standard_normal((2, length))
    with laws.double():
        np.testing.assert_allclose(lax.fft(lax.fft(x, "rfft", (length,)), "irfft", (length,)), x, **CLOSE)


def test_the_inverse_real_transform_of_two_axes() -> None:
    with laws.double():
        np.testing.assert_allclose(lax.fft(C, "irfft", (3, 6)), np.fft.irfftn(C, (3, 6), axes=(1, 2)), **CLOSE)


def test_dtypes_that_become_floating() -> None:
    assert lax.fft(np.arange(4), "rfft", (4,)).dtype == np.complex64
    assert lax.fft(np.ones(3, np.complex64), lax.FftType.IRFFT, (4,)).dtype == np.float32
    assert lax.fft(np.ones(4, np.float16), "fft", (4,)).dtype == np.complex64


def test_empty_arrays_and_no_lengths() -> None:
    assert lax.fft(np.zeros((0, 4), np.float32), "rfft", (4,)).shape == (0, 3)
    assert lax.fft(np.zeros((2, 0), np.complex64), "fft", (0,)).shape == (2, 0)
    with laws.double():
        np.testing.assert_array_equal(lax.fft(C, "fft", ()), C)


@pytest.mark.parametrize(("kind", "x", "lengths"), [
    ("fft", C, (3,)), ("irfft", C, (4,)), ("fft", C[0, 0], (3, 4)), ("dft", C, (4,)), (0, C, (4,)), ("fft", C, 4),
    ("fft", np.ones((1, 1, 1, 1)), (1, 1, 1, 1)), ("rfft", np.ones((2, 0)), (0,)), ("rfft", X, ())])
def test_lengths_and_names_that_do_not_fit(kind: Any, x: np.ndarray, lengths: Any) -> None:
    with pytest.raises(FourierError):
        lax.fft(x, kind, lengths)


def test_real_transforms_take_real_numbers() -> None:
    with pytest.raises(OperandDtypeError) as raised:
        lax.fft(C, "rfft", (4,))
    assert (raised.value.operation, raised.value.accepts) == ("rfft", "float32 and float64")
