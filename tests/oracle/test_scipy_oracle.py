"""SciPy's functions against JAX: values, dtypes, weak types, gradients, what is refused.

A case is a path below `jax.scipy`, and its arguments. Where both compute by other formulas the tolerance is that of
float32 sums of some dozen terms. Compiling them all takes minutes: a seeded sample is run, and all with PERSPICAX_SWEEP=1.
"""
from __future__ import annotations

import importlib
import os
import random
import warnings
from collections.abc import Callable
from typing import Any

import jax
import numpy as np
import pytest

import perspicax

pytestmark = pytest.mark.oracle
RANDOM = np.random.default_rng(0)

X = np.float32([-1.2, .1, .7, 1.4, 5])
POSITIVE = np.float32([.1, .7, 1.4, 5, 30])
UNIT = np.float32([.05, .3, .5, .9])
COUNTS = np.float32([-1, 0, 1, 2, 5])
MATRIX = RANDOM.standard_normal((4, 5)).astype(np.float32)
LONG = RANDOM.standard_normal((2, 20)).astype(np.float32)
PLACES = [RANDOM.uniform(-7, 9, (3, 4)).astype(np.float32) for _ in range(2)]
DEFINITE = (MATRIX @ MATRIX.T + np.eye(4)).astype(np.float32)
PARAMETERS = {"p": .3, "a": 2.5, "b": 1.7, "df": 3., "n": 7, "beta": 1.4, "kappa": 2., "c": .4, "mu": 3., "loc": .5,
              "scale": 1.5}

DISTRIBUTIONS = {
    "bernoulli": "k p: logpmf pmf cdf/k,p", "beta": "x a b loc scale: cdf logcdf logpdf logsf pdf sf",
    "binom": "k n p: logpmf pmf", "cauchy": "x loc scale: cdf isf logcdf logpdf logsf pdf ppf sf",
    "chi2": "x df loc scale: cdf logcdf logpdf logsf pdf sf", "expon": "x loc scale: cdf logcdf logpdf logsf pdf ppf sf",
    "gamma": "x a loc scale: cdf logcdf logpdf logsf pdf sf", "gennorm": "x beta: cdf logpdf pdf", "geom": "k p: logpmf pmf",
    "gumbel_l": "x loc scale: cdf logcdf logpdf logsf pdf ppf sf",
    "gumbel_r": "x loc scale: cdf logcdf logpdf logsf pdf ppf sf",
    "laplace": "x loc scale: cdf logpdf pdf", "logistic": "x loc scale: cdf isf logpdf pdf ppf sf",
    "nbinom": "k n p: logpmf pmf", "betabinom": "k n a b: logpmf pmf",
    "norm": "x loc scale: cdf isf logcdf logpdf logsf pdf ppf sf",
    "pareto": "x b loc scale: cdf logcdf logpdf logsf pdf ppf sf",
    "poisson": "k mu: logpmf pmf cdf entropy/mu", "t": "x df loc scale: logpdf pdf",
    "uniform": "x loc scale: cdf logpdf pdf ppf",
    "vonmises": "x kappa: logpdf pdf", "wrapcauchy": "x c: logpdf pdf",
}


def distribution_cases() -> list[tuple[str, tuple, dict]]:
    found: list[tuple[str, tuple, dict]] = []
    for name, text in DISTRIBUTIONS.items():
        parameters, functions = text.split(": ")
        for function in functions.split():
            function, _, own = function.partition("/")
            given = own.replace(",", " ").split() or parameters.split()
            if function == "entropy":
                found.append((f"stats.{name}.entropy", (POSITIVE,), {}))
                continue
            first = UNIT if function in ("ppf", "isf") else X if given[0] == "x" else COUNTS
            found.append((f"stats.{name}.{function}", (first, *[PARAMETERS[g] for g in given[1:]]), {}))
    return found


CASES: list[tuple[str, tuple, dict]] = [
    *distribution_cases(),
    *[(f"stats.truncnorm.{f}", (X, -1., 2.), {}) for f in ("cdf", "logcdf", "logpdf", "logsf", "pdf", "sf")],
    ("stats.dirichlet.logpdf", (np.float32([.2, .3, .5]), np.float32([1, 2, 3])), {}),
    ("stats.multinomial.logpmf", (np.int32([1, 2, 3]), 6, np.float32([.2, .3, .5])), {}),
    ("stats.multivariate_normal.logpdf", (MATRIX[:, :4], MATRIX[0, :4], DEFINITE), {}),
    *[(f"stats.{f}", (np.round(MATRIX),), {"axis": axis}) for f in ("mode", "rankdata", "sem") for axis in (1, None)],
    *[(f"special.{f}", (X,), {}) for f in (
        "dawsn", "erf", "erfc", "erfcx", "expit", "fresnel", "gamma", "gammaln", "gammasgn", "i0", "i0e", "i1", "i1e",
        "log_ndtr", "log_softmax", "ndtr", "softmax", "wofz", "entr", "logsumexp", "loggamma", "factorial")],
    *[(f"special.{f}", (POSITIVE,), {}) for f in ("digamma", "exp1", "expi", "spence", "sici")],
    *[(f"special.{f}", (UNIT,), {}) for f in ("erfinv", "logit", "ndtri")],
    *[(f"special.{f}", (POSITIVE, 1.7), {}) for f in (
        "beta", "betaln", "boxcox", "boxcox1p", "gammainc", "gammaincc", "kl_div", "owens_t", "poch", "rel_entr", "xlog1py",
        "xlogy", "comb")],
    ("special.betainc", (2.5, 1.7, UNIT), {}), ("special.bernoulli", (12,), {}), ("special.expn", (2, POSITIVE), {}),
    ("special.zeta", (POSITIVE + 1, 1.5), {}), ("special.polygamma", (2, POSITIVE), {}),
    ("special.multigammaln", (POSITIVE + 1, 3), {}), ("special.hyp1f1", (1.5, 2.5, X), {}),
    ("special.hyp2f1", (1.5, 2.5, 4.2, UNIT), {}), ("special.bessel_jn", (POSITIVE[:4],), {"v": 3}),
    ("special.sph_harm_y", (np.int32([0, 1, 3, 3]), np.int32([0, -1, 2, -3]), UNIT, UNIT), {"n_max": 3}),
    *[(f"signal.{f}", (MATRIX, MATRIX[:2, :3], mode), {}) for f in (
        "convolve", "convolve2d", "correlate", "correlate2d", "fftconvolve") for mode in ("full", "same", "valid")],
    *[("signal.detrend", (LONG,), options) for options in ({}, {"type": "constant"}, {"bp": [3, 9]})],
    *[("signal.stft", (LONG,), {"nperseg": 8, **options}) for options in (
        {}, {"boundary": None, "padded": False},
        {"return_onesided": False, "window": "blackman"}, {"nfft": 12, "noverlap": 3})],
    *[("signal.welch", (LONG,), {"nperseg": 8, **options}) for options in (
        {}, {"average": "median", "nperseg": 7}, {"scaling": "spectrum", "detrend": False})],
    ("signal.csd", (LONG, LONG[::-1]), {"nperseg": 8}),
    ("signal.istft", ((MATRIX + 1j * MATRIX[::-1]).astype(np.complex64),), {"nperseg": 6}),
    *[(f"fft.{f}", (MATRIX,), {"norm": norm}) for f in ("dct", "idct", "dctn", "idctn") for norm in (None, "ortho")],
    ("fft.dct", (MATRIX,), {"n": 7}), ("fft.dct", (MATRIX,), {"n": 3, "axis": 0}),
    *[("ndimage.map_coordinates", (MATRIX, PLACES, order, mode, 2.), {}) for order in (0, 1)
      for mode in ("constant", "nearest", "wrap", "mirror", "reflect")],
    ("cluster.vq.vq", (MATRIX, MATRIX[:3] + np.float32(.1)), {}), ("integrate.trapezoid", (MATRIX,), {"dx": .5}),
    *[(f"sparse.linalg.{f}", (DEFINITE, DEFINITE[0] + 1), {"tol": 1e-7}) for f in ("cg", "bicgstab", "gmres")],
]


def named(cases: list[tuple[str, tuple, dict]], count: int) -> Any:
    chosen = cases if os.environ.get("PERSPICAX_SWEEP") == "1" else random.Random(5).sample(cases, count)
    return pytest.mark.parametrize("case", chosen, ids=[c[0] for c in chosen])


def function_of(root: Any, path: str) -> Callable[..., Any]:
    module, _, name = f"{root.__name__}.scipy.{path}".rpartition(".")
    return getattr(importlib.import_module(module), name)  # type: ignore[no-any-return]


@named(CASES, 40)
def test_values_and_types(case: tuple[str, tuple, dict]) -> None:
    path, args, options = case
    ours = perspicax.tree.leaves(function_of(perspicax, path)(*args, **options))
    theirs = jax.tree.leaves(function_of(jax, path)(*args, **options))
    for a, b in zip(ours, theirs, strict=True):
        assert (a.dtype, a.shape, a.weak_type) == (b.dtype, b.shape, b.weak_type)
        np.testing.assert_allclose(a, b, rtol=2e-4, atol=1e-5)


HALVES = np.float32([[.5, 1.5, -.5], [0, .5, 2]])
CORNERS: list[tuple[str, tuple, dict]] = [
    ("stats.chi2.logpdf", (np.float32([1, np.nan, -1]), 3.), {}),
    ("stats.beta.logpdf", (np.float32([.5, -1, np.nan]), -1., 2.), {}),
    ("stats.wrapcauchy.pdf", (X, 1.5), {}), ("stats.truncnorm.pdf", (X, 2., 1.), {}),
    ("stats.rankdata", (np.float32([]),), {}), ("stats.rankdata", (np.zeros((0, 3), np.float32),), {"axis": 0}),
    ("stats.mode", (np.zeros((0, 3), np.float32),), {}), ("ndimage.map_coordinates", (MATRIX, list(HALVES), 0), {}),
    ("ndimage.map_coordinates", (np.int32([[1, 2], [4, 8]]), list(HALVES), 1), {}),
    ("signal.fftconvolve", (MATRIX, MATRIX, "same"), {"axes": 0}),
    ("signal.stft", (LONG,), {"nperseg": 8, "window": ("tukey", .3)}), ("signal.welch", (np.float32([]),), {}),
    ("signal.welch", (np.arange(300, dtype=np.float32),), {}),
    ("linalg.solve", (DEFINITE, X[:4]), {"assume_a": "pos"}),
]


@pytest.mark.parametrize("case", CORNERS, ids=[c[0] for c in CORNERS])
def test_corners(case: tuple[str, tuple, dict]) -> None:
    test_values_and_types(case)


def test_the_derivative_of_a_symmetric_solution_is_that_of_the_whole_matrix() -> None:
    ours = perspicax.grad(lambda a: perspicax.scipy.linalg.solve(a, X[:4], assume_a="pos").sum())(DEFINITE)
    theirs = jax.grad(lambda a: jax.scipy.linalg.solve(a, X[:4], assume_a="pos").sum())(DEFINITE)
    np.testing.assert_allclose(ours, theirs, rtol=1e-4, atol=1e-5)


SLOPES: list[tuple[str, tuple, dict]] = [
    ("special." + name, args, {}) for name, args in (
        ("hyp1f1", (1.5, 2.5, 1.2)), ("hyp2f1", (1.5, 2.5, 4.2, .4)), ("zeta", (3.7, .5)), ("poch", (2., 1.5)),
        ("dawsn", (.8,)),
        ("erfcx", (.8,)), ("expi", (1.3,)), ("owens_t", (1., 2.)), ("log_ndtr", (-30.,)),
        ("ndtri", (.3,)), ("xlogy", (0., 2.)), ("xlog1py", (1., 2.)), ("logit", (.3,)), ("kl_div", (.3, 2.)),
        ("boxcox", (.3, .4)), ("betaln", (.3, .4)), ("gamma", (2.5,)))
] + [(f"stats.{name}.logpdf", (.7, 1.3, .2, 1.5), {}) for name in ("gamma", "chi2", "t", "pareto")]


@named(SLOPES, 10)
def test_gradients_in_every_argument(case: tuple[str, tuple, dict]) -> None:
    path, args, _ = case
    places = tuple(range(len(args)))
    ours = perspicax.grad(function_of(perspicax, path), places)(*args)
    np.testing.assert_allclose(ours, jax.grad(function_of(jax, path), places)(*args), rtol=1e-4, atol=1e-6)


REFUSED: list[tuple[str, tuple, dict]] = [
    ("special.zeta", (2.,), {}), ("special.factorial", (3.,), {"exact": True}), ("special.ndtr", (1,), {}),
    ("special.log_ndtr", (1., 31), {}), ("special.log_ndtr", (1., 2.), {}), ("special.bernoulli", (-1,), {}),
    ("special.bernoulli", (2.,), {}), ("special.polygamma", (.5, 1.), {}), ("special.dawsn", (1j,), {}),
    ("special.fresnel", (1j,), {}), ("special.sici", (1j,), {}), ("stats.multinomial.logpmf", (X, 6, X), {}),
    ("stats.dirichlet.logpdf", (X[:2], X), {}), ("stats.mode", (X,), {"nan_policy": "omit"}),
    ("stats.rankdata", (X, "zz"), {}), ("stats.sem", (X,), {"nan_policy": "raise"}),
    ("stats.multivariate_normal.logpdf", (X, X, X), {}), ("signal.convolve", (X, X, "zz"), {}),
    ("signal.convolve", (X, MATRIX), {}), ("signal.convolve2d", (X, X), {}),
    ("signal.convolve2d", (MATRIX, MATRIX), {"boundary": "wrap"}), ("signal.detrend", (X,), {"type": "zz"}),
    ("signal.fftconvolve", (MATRIX, MATRIX[:3]), {"axes": [1]}),
    ("fft.dct", (X,), {"type": 3}), ("fft.dct", (X,), {"norm": "zz"}),
    ("ndimage.map_coordinates", (MATRIX, PLACES, 2), {}), ("ndimage.map_coordinates", (MATRIX, PLACES[:1], 1), {}),
    ("ndimage.map_coordinates", (MATRIX, PLACES, 1, "zz"), {}), ("cluster.vq.vq", (MATRIX, MATRIX[:, :3]), {}),
    ("optimize.minimize", (np.sum, X), {"method": "zz"}), ("optimize.minimize", (np.sum, X, [1]), {"method": "BFGS"}),
    ("optimize.minimize", (np.sum, X), {"method": "BFGS", "options": {"zz": 3}}), ("sparse.linalg.cg", (3, X), {}),
    ("sparse.linalg.cg", (MATRIX, X), {}), ("sparse.linalg.gmres", (DEFINITE, X[:4]), {"solve_method": "zz"}),
]


@pytest.mark.parametrize("case", REFUSED, ids=[f"{c[0]} {i}" for i, c in enumerate(REFUSED)])
def test_refused_with_the_same_builtin_class(case: tuple[str, tuple, dict]) -> None:
    path, args, options = case
    if path.startswith("cluster"):
        args = tuple([np.asarray(x) for x in args])
    with pytest.raises(Exception) as wanted:  # whatever JAX raises is what is asked for
        function_of(jax, path)(*args, **options)
    builtin = next(c for c in type(wanted.value).__mro__ if c.__module__ == "builtins")
    with pytest.raises(builtin) as found:
        function_of(perspicax, path)(*args, **options)
    assert str(found.value)


@pytest.mark.parametrize("path, args", [("special.lpmn", (3, 3)), ("special.lpmn_values", (4, 4, True)),
                                        ("special.lpmn_values", (3, 3, False))])
def test_tables_of_legendre_functions(path: str, args: tuple) -> None:
    z = np.float32([.1, .9, -.3, 1, -1, 0])
    with pytest.warns(DeprecationWarning):
        ours = perspicax.tree.leaves(function_of(perspicax, path)(*args[:2], z, *args[2:]))
    with warnings.catch_warnings(action="ignore"):
        theirs = jax.tree.leaves(function_of(jax, path)(*args[:2], z, *args[2:]))
    for a, b in zip(ours, theirs, strict=True):
        assert (a.dtype, a.shape) == (b.dtype, b.shape)
        np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("args", [(2, 3, np.float32([.1])), (2, 2, np.float32([[.1]])), (2, 2, np.float16([.1]))])
def test_tables_of_legendre_functions_are_refused_as_jax_s(args: tuple) -> None:
    with warnings.catch_warnings(action="ignore"), pytest.raises(Exception) as wanted:
        jax.scipy.special.lpmn(*args)
    with pytest.warns(DeprecationWarning), pytest.raises(wanted.type):
        perspicax.scipy.special.lpmn(*args)
