"""Windows, grids, polynomials, histograms, sampled functions, bits and Fourier transforms against NumPy; and their laws."""
from __future__ import annotations

import doctest
import importlib
import io
from typing import Any

import numpy as np
import pytest

import perspicax as px
import perspicax.numpy as jnp
from perspicax.core.tracer_errors import ConcretizationTypeError
from perspicax.numpy.errors import ArgumentValueError

F = np.array([1., 2., 4.], np.float32)
S = np.array([.5, 1.5, 2.5, 2.6, 3.9, 9.], np.float32)
M = np.array([[1., 2., 4.], [0., -1., 3.]], np.float32)
BYTES = np.array([[3, 130], [255, 0]], np.uint8)


def leaves(x: Any) -> list[Any]:
    return [leaf for v in x for leaf in leaves(v)] if isinstance(x, (list, tuple)) else [x]


CALLS = [
    ("bartlett", (6,), {}), ("blackman", (5,), {}), ("hamming", (5,), {}), ("hanning", (5,), {}), ("kaiser", (5, 3.), {}),
    ("i0", (S,), {}), ("logspace", (0, 2, 5), {}), ("geomspace", (1, 256, 5), {}), ("polyval", (F, S), {}),
    ("polyadd", (F, F[:2]), {}), ("polysub", (F[:2], F), {}), ("polymul", (F, S), {}),
    ("polydiv", (S, F), {"trim_leading_zeros": True}),
    ("polyder", (S, 2), {}), ("polyint", (S, 2, [3., 4.]), {}), ("poly", (F,), {}), ("vander", (F, 4), {"increasing": True}),
    ("polyfit", (S, S ** 2, 2), {}), ("interp", (S, F, F[::-1]), {}), ("interp", (S, F, F), {"left": -1., "right": 7.}),
    ("interp", (S, F, F), {"period": 2.5}), ("gradient", (M,), {}), ("gradient", (S, S ** 2), {}),
    ("trapezoid", (S, S ** 2), {}),
    ("trapezoid", (M,), {"axis": 0}), ("unwrap", (S * 2,), {}), ("convolve", (S, F, "same"), {}),
    ("correlate", (F, S, "full"), {}),
    ("cov", (M,), {}), ("cov", (F, S[:3]), {"aweights": F}), ("corrcoef", (M,), {}), ("histogram", (S, 4), {"density": True}),
    ("histogram", (S, F), {"weights": S}), ("histogram2d", (S, S ** 2, 3), {}), ("histogramdd", (M.T, (2, 3)), {}),
    ("packbits", (BYTES, 1), {}), ("unpackbits", (BYTES,), {"count": 12}), ("unpackbits", (BYTES, 0), {"bitorder": "little"}),
    ("unravel_index", (np.array([3, 5]), (2, 3)), {}),
    ("ravel_multi_index", ((np.array([1, 0]), np.array([2, 1])), (2, 3)), {}),
    ("ix_", (np.array([0, 1]), np.array([True, False, True])), {}), ("apply_over_axes", (np.sum, M, (0, 1)), {}),
    ("fft.fft", (M, 4), {"norm": "ortho"}), ("fft.ifft", (M,), {"axis": 0}), ("fft.rfft", (S,), {}), ("fft.irfft", (F, 5), {}),
    ("fft.hfft", (F, 5), {}), ("fft.ihfft", (S,), {}), ("fft.fft2", (M,), {}),
    ("fft.irfftn", (M,), {"s": (2, 3), "axes": (0, 1)}), ("fft.fftshift", (M,), {}),
    ("fft.fftfreq", (5, .5), {}), ("fft.rfftfreq", (6,), {}),
]


@pytest.mark.parametrize(("name", "args", "kwargs"), CALLS, ids=[f"{i} {call[0]}" for i, call in enumerate(CALLS)])
def test_values_are_numpy_s(name: str, args: Any, kwargs: Any) -> None:
    ours: Any = jnp
    numpys: Any = np
    for part in name.split("."):
        ours, numpys = getattr(ours, part), getattr(numpys, part)
    given = [jnp.sum if x is np.sum else jnp.asarray(x) if name == "polyint" and isinstance(x, list) else x for x in args]
    wanted = leaves(numpys(*args, **{k: v for k, v in kwargs.items() if k != "trim_leading_zeros"}))
    found = leaves(ours(*given, **kwargs))
    assert len(found) == len(wanted)
    for a, b in zip(found, wanted):
        np.testing.assert_allclose(a, b, rtol=2e-4, atol=2e-5)


def test_roots_are_zeros() -> None:
    p = np.array([0., 2., -3., 1., 0.], np.float32)
    found = np.asarray(jnp.roots(p))
    np.testing.assert_allclose(np.sort(found.real), [0., .5, 1.], atol=1e-5)
    np.testing.assert_allclose(np.polyval(p, found), 0, atol=1e-5)


def test_grids_are_numpy_s() -> None:
    for name in ("mgrid", "ogrid", "r_", "c_", "s_", "index_exp"):
        ours, numpys = getattr(jnp, name), getattr(np, name)
        for a, b in zip(leaves(ours[0:3, 1:2:3j]), leaves(numpys[0:3, 1:2:3j])) if name != "c_" else []:
            if isinstance(b, slice):
                assert a == b
            else:
                np.testing.assert_allclose(a, b)
    np.testing.assert_allclose(jnp.c_[F, F], np.c_[F, F])
    np.testing.assert_allclose(jnp.r_["0,2,0", F, F], np.r_["0,2,0", F, F])
    with pytest.raises(ArgumentValueError, match="directive"):
        _ = jnp.r_["zero", F]


def test_transforms_invert_each_other() -> None:
    x = np.arange(24., dtype=np.float32).reshape(2, 3, 4)
    for there, back in ((jnp.fft.fftn, jnp.fft.ifftn), (jnp.fft.rfftn, jnp.fft.irfftn), (jnp.fft.ihfft, jnp.fft.hfft)):
        for norm in ("backward", "ortho", "forward"):
            np.testing.assert_allclose(np.real(back(there(x, norm=norm), norm=norm)), x, atol=1e-4)


def test_derivatives_agree_with_differences() -> None:
    for f in (lambda v: jnp.interp(v, F, F ** 2).sum(), lambda v: jnp.polyval(v, 1.5), lambda v: jnp.i0(v).sum(),
              lambda v: jnp.trapezoid(v, v ** 2), lambda v: jnp.abs(jnp.fft.rfft(v)[1]), lambda v: jnp.cov(v, v ** 2)[0, 1]):
        x = np.array([1.3, 2.2, 3.1], np.float32)
        h = 1e-2  # balances h ** 2 against rounding / h in float32
        for i, slope in enumerate(np.asarray(px.grad(f)(x))):
            step = np.eye(3, dtype=np.float32)[i] * h
            assert slope == pytest.approx((float(f(x + step)) - float(f(x - step))) / (2 * h), rel=2e-2, abs=2e-2)


def test_files_and_text(tmp_path: Any) -> None:
    for dtype in ("float32", "bfloat16", "int8"):
        x = jnp.arange(3, dtype=dtype)
        buffer = io.BytesIO()
        jnp.save(buffer, x)
        buffer.seek(0)
        found = jnp.load(buffer)
        assert (found.dtype, found.tolist()) == (x.dtype, x.tolist())
    jnp.savez(tmp_path / "two.npz", a=F)
    np.testing.assert_array_equal(jnp.load(tmp_path / "two.npz")["a"], F)
    assert jnp.fromstring("1 2", dtype=int, sep=" ").tolist() == [1, 2]
    assert jnp.frombuffer(b"\1\2\3", "uint8", 2, 1).tolist() == [2, 3]
    assert jnp.fromfunction(lambda i, j: i + 10 * j, (2, 2), dtype=int).tolist() == [[0, 10], [1, 11]]
    with jnp.printoptions(precision=2):
        assert jnp.get_printoptions()["precision"] == 2
        assert jnp.array_str(jnp.asarray([.123456])) == "[0.12]"
    assert jnp.array_str(jnp.asarray(2)) == "2"
    assert jnp.array_repr(jnp.asarray([2, 3])).endswith("([2, 3], dtype=int32)")


@pytest.mark.parametrize(("call", "argument"), [
    (lambda n: jnp.histogram(F, n), "bins"), (lambda n: jnp.linspace(0., 1., n), "num"),
    (lambda n: jnp.logspace(0., 1., n), "num"),
    (lambda n: jnp.geomspace(1., 2., n), "num"), (lambda n: jnp.hanning(n), "M"), (lambda n: jnp.vander(F, n), "N"),
    (lambda n: jnp.fft.fft(F, n), "fft.fft"), (lambda n: jnp.unravel_index(2, (n, 2)), "shape"),
])
def test_what_must_be_known_is_named(call: Any, argument: str) -> None:
    with pytest.raises(ConcretizationTypeError) as raised:
        px.jit(call)(3)
    assert argument in str(raised.value)


@pytest.mark.parametrize("module", ["along", "bits", "covariance", "files", "flat_indices", "grids", "histograms",
                                    "polynomials", "ratios", "sampled", "signals", "windows",
                                    "vectorizing", "ufunc_class", "fft.frequencies"])
def test_examples_in_docstrings_run(module: str) -> None:
    found = doctest.testmod(importlib.import_module(f"perspicax.numpy.{module}"), extraglobs={"jnp": jnp})
    assert found.attempted > 0
    assert found.failed == 0
