"""Linear algebra against JAX: each function by each kind of argument; values, types, and what is refused.

A case is a name, a call `f(m, *arrays)` where `m` has `lax`, `numpy` and `scipy` of one side, and the arrays. Vectors of
decompositions are the same on both sides, since both call the same kernels.

Compiling them all takes minutes: a seeded sample is run, and all with PERSPICAX_SWEEP=1. What is refused is checked in full.
"""
from __future__ import annotations

import os
import random
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import jax
import jax.numpy
import jax.scipy.linalg
import numpy as np
import pytest

import perspicax
import perspicax.numpy
import perspicax.scipy.linalg
from perspicax.diagnose.errors import PerspicaxError

pytestmark = pytest.mark.oracle
RANDOM = np.random.default_rng(0)


def side(m: Any) -> SimpleNamespace:
    return SimpleNamespace(lax=m.lax.linalg, np=m.numpy.linalg, sp=m.scipy.linalg, jnp=m.numpy, leaves=m.tree.leaves)


OURS, THEIRS = side(perspicax), side(jax)


def real(*shape: int) -> np.ndarray:
    return RANDOM.standard_normal(shape).astype(np.float32)


def zeros(*shape: int, dtype: Any = np.float32) -> np.ndarray:
    return np.zeros(shape, dtype)


A, B = real(3, 3), real(2, 3, 3)
COMPLEX = (real(3, 3) + 1j * real(3, 3)).astype(np.complex64)
TALL, WIDE = real(4, 3), real(3, 4)
POSITIVE = (A @ A.T + np.eye(3, dtype=np.float32)).astype(np.float32)
LARGE = real(4, 4)
V, W = real(3), real(3, 2)
STACK = real(2, 3, 2)
INTEGERS = np.arange(9, dtype=np.int32).reshape(3, 3) + 5 * np.eye(3, dtype=np.int32)
TWO = real(2, 2)

Case = tuple[str, Callable[..., Any], tuple]

LAX: list[Case] = [
    *[(f"{name} of {kind}", lambda m, x, name=name: getattr(m.lax, name)(x), (x,))
      for name in ("cholesky", "eig", "eigh", "hessenberg", "lu", "qr", "schur", "svd", "tridiagonal")
      for kind, x in (("one", A), ("stack", B), ("complex", COMPLEX))],
    *[(f"{name} of {kind}", lambda m, x, name=name: getattr(m.lax, name)(x), (x,))
      for name in ("lu", "qr", "svd") for kind, x in (("tall", TALL), ("wide", WIDE), ("empty", zeros(0, 3)))],
    ("qr economic", lambda m, x: m.lax.qr(x, full_matrices=False, pivoting=True), (TALL,)),
    ("svd values", lambda m, x: m.lax.svd(x, compute_uv=False), (WIDE,)),
    ("svd QR", lambda m, x: m.lax.svd(x, full_matrices=False, algorithm=m.lax.SvdAlgorithm.QR), (WIDE,)),
    ("cholesky fails", lambda m, x: m.lax.cholesky(x), (-POSITIVE,)),
    ("nan", lambda m, x: [m.lax.eigh(x), m.lax.svd(x), m.lax.eig(x)], (np.full((3, 3), np.nan, np.float32),)),
    ("cholesky_update", lambda m, x, v: m.lax.cholesky_update(x, v), (POSITIVE, V)),
    ("householder_product", lambda m, x, t: m.lax.householder_product(x, t), (TALL, V)),
    ("ormqr", lambda m, x, t, c: m.lax.ormqr(x, t, c, left=False, transpose=True), (TALL, V, real(2, 4))),
    ("lu_pivots_to_permutation", lambda m, p: m.lax.lu_pivots_to_permutation(p, 4), (np.int32([[1, 2, 2], [0, 3, 3]]),)),
    ("triangular_solve", lambda m, a, b: m.lax.triangular_solve(a, b, left_side=True, lower=True), (B, STACK)),
    ("triangular_solve vector", lambda m, a, b: m.lax.triangular_solve(a, b, transpose_a=True), (A, V)),
    ("tridiagonal_solve", lambda m, a, b: m.lax.tridiagonal_solve(a[0], a[1], a[2], b), (A, W)),
    ("tridiagonal_solve singular", lambda m, d, b: m.lax.tridiagonal_solve(0 * d, d, 0 * d, b, perturb_singular=True),
     (np.float32([1, 2, 0]), W)),
    ("symmetric_product", lambda m, a, c: m.lax.symmetric_product(a, c, alpha=2., beta=.5, symmetrize_output=True),
     (TALL, LARGE @ LARGE.T)),
    ("qdwh", lambda m, a: m.lax.qdwh(a), (TALL,)),
]

NUMPY: list[Case] = [
    *[(f"{name} of {kind}", lambda m, x, name=name: getattr(m.np, name)(x), (x,))
      for name in ("cholesky", "cond", "det", "eigh", "eigvals", "eigvalsh", "inv", "matrix_norm", "matrix_rank", "norm",
                   "pinv", "slogdet", "svdvals", "trace", "diagonal", "vector_norm")
      for kind, x in (("one", A), ("integers", INTEGERS), ("stack", B), ("complex", COMPLEX))],
    *[(f"{name} of {kind}", lambda m, x, name=name: getattr(m.np, name)(x), (x,))
      for name in ("det", "inv", "slogdet", "pinv", "norm", "svd", "qr") for kind, x in (
          ("size 0", zeros(0, 0)), ("stack of size 0", zeros(2, 0, 0)), ("size 1", zeros(1, 1) + 2))],
    ("weak", lambda m, x: [m.np.norm(2.), m.np.inv(m.jnp.array([[2.]])), m.np.matrix_rank(3.)], (A,)),
    ("large det", lambda m, x: [m.np.det(x), m.np.slogdet(x), m.np.slogdet(x, method="qr")], (LARGE,)),
    *[(f"solve {b.shape} by {a.shape}", lambda m, a, b: m.np.solve(a, b), (a, b))
      for a, b in ((A, V), (A, W), (B, V), (B, STACK), (A, STACK), (B, W), (INTEGERS, V))],
    *[(f"lstsq {a.shape}", lambda m, a, b: m.np.lstsq(a, b), (a, b))
      for a, b in ((TALL, real(4)), (TALL, real(4, 2)), (WIDE, V))],
    ("lstsq as NumPy", lambda m, a, b: m.np.lstsq(a, b, numpy_resid=True), (WIDE, V)),
    *[(f"matrix_power {n}", lambda m, x, n=n: m.np.matrix_power(x, n), (A,)) for n in (-2, 0, 1, 5)],
    ("multi_dot", lambda m, a, b, c, v: [m.np.multi_dot([a, b, c]), m.np.multi_dot([a, b, c, v])], (TALL, A, WIDE, real(4))),
    ("tensorinv", lambda m, x: m.np.tensorinv(x), (real(2, 3, 6),)),
    ("tensorsolve", lambda m, a, b: m.np.tensorsolve(a, b), (real(2, 3, 6), real(2, 3))),
    ("cross, outer, vecdot", lambda m, x, y: [m.np.cross(x, y), m.np.outer(x, y), m.np.vecdot(x, y)], (V, V[::-1].copy())),
    *[(f"norm {order}", lambda m, x, o=order: [m.np.norm(x, o), m.np.norm(x[0], o) if not isinstance(o, str) else 0,
                                               m.np.norm(x[None], o, axis=(1, 2), keepdims=True)], (WIDE,))
      for order in ("fro", "nuc", 1, -1, 2, -2, np.inf, -np.inf)],
    *[(f"vector norm {order}",
       lambda m, x, o=order: [m.np.norm(x, o, axis=1), m.np.vector_norm(x, ord=o, axis=(0, 1), keepdims=True)],
       (COMPLEX,)) for order in (0, 3, 0.5, 1)],
    *[(f"cond {p}", lambda m, x, p=p: m.np.cond(x, p), (A,)) for p in (-2, "fro", 1, np.inf, "nuc")],
    *[(f"qr {mode}", lambda m, x, mode=mode: m.np.qr(x, mode), (TALL,)) for mode in ("reduced", "complete", "r", "raw")],
    ("hermitian", lambda m, x: [m.np.svd(x, hermitian=True)[1], m.np.pinv(x, hermitian=True),
                                m.np.matrix_rank(x, hermitian=True)], (POSITIVE,)),
    ("upper", lambda m, x: [m.np.cholesky(x, upper=True), m.np.eigvalsh(x, "U", symmetrize_input=False)], (POSITIVE,)),
]

SCIPY: list[Case] = [
    *[(f"{name} of {kind}", lambda m, x, name=name: getattr(m.sp, name)(x), (x,))
      for name in ("det", "eigh", "expm", "inv", "lu", "lu_factor", "polar", "qr", "sqrtm", "svd", "hessenberg", "schur")
      for kind, x in (("one", A), ("complex", COMPLEX))],
    ("expm of a stack", lambda m, x: m.sp.expm(x), (B * np.float32(3),)),
    ("expm too large", lambda m, x: m.sp.expm(x, max_squarings=1), (A * 100,)),
    ("expm triangular", lambda m, x: m.sp.expm(x, upper_triangular=True), (np.triu(A),)),
    ("expm_frechet", lambda m, x, e: [m.sp.expm_frechet(x, e), m.sp.expm_frechet(x, e, method="blockEnlarge")],
     (A, LARGE[:3, :3])),
    ("cholesky", lambda m, x: [m.sp.cholesky(x), m.sp.cho_factor(x, lower=True)[0]], (POSITIVE,)),
    ("cho_solve", lambda m, x, b: [m.sp.cho_solve((x, False), b), m.sp.cho_solve((x, True), b[:, 0])], (POSITIVE, W)),
    *[(f"lu_solve {t}", lambda m, x, b, t=t: m.sp.lu_solve(m.sp.lu_factor(x), b, trans=t), (COMPLEX, W)) for t in (0, 1, 2)],
    *[(f"solve_triangular {t}", lambda m, x, b, t=t: m.sp.solve_triangular(x, b, trans=t, lower=True), (COMPLEX, W))
      for t in (0, "T", 2)],
    *[(f"solve {how}", lambda m, x, b, how=how: m.sp.solve(x, b, assume_a=how), (POSITIVE, W))
      for how in ("gen", "pos", "sym")],
    *[(f"qr {mode}", lambda m, x, mode=mode: m.sp.qr(x, mode=mode, pivoting=True), (TALL,))
      for mode in ("full", "r", "economic")],
    *[(f"qr_multiply {mode}", lambda m, x, c, mode=mode: m.sp.qr_multiply(x, c, mode, pivoting=True), (TALL, c))
      for mode, c in (("left", W), ("right", real(2, 4)), ("left", V), ("right", real(4)))],
    ("lu tall", lambda m, x: m.sp.lu(x, permute_l=True), (TALL,)),
    *[(f"polar {side}", lambda m, x, side=side: m.sp.polar(x, side, method="svd"), (TALL,)) for side in ("left", "right")],
    ("polar left", lambda m, x: m.sp.polar(x, "left"), (WIDE,)),
    ("schur complex", lambda m, x: m.sp.schur(x, "complex"), (A,)),
    ("hessenberg with Q", lambda m, x: m.sp.hessenberg(x, calc_q=True), (LARGE,)),
    ("funm", lambda m, x: m.sp.funm(x, m.jnp.sin, disp=False), (A,)),
    *[(f"solve_sylvester {how}", lambda m, a, b, c, how=how: m.sp.solve_sylvester(a, b, c, method=how), (A, TWO, W))
      for how in ("schur", "eigen")],
    *[(f"eigh_tridiagonal {s}",
       lambda m, d, e, s=s: m.sp.eigh_tridiagonal(d, e, eigvals_only=True, select=s, select_range=(1, 2)),
       (V, V[:2])) for s in ("a", "i")],
    *[(f"{name} of {kind}", lambda m, x, name=name: getattr(m.sp, name)(x), (x,))
      for name in ("circulant", "companion", "fiedler", "fiedler_companion", "toeplitz", "hankel")
      for kind, x in (("one", real(5)), ("integers", np.int32([1, 2, 3])), ("stack", real(2, 4)))],
    ("toeplitz of two", lambda m, c, r: [m.sp.toeplitz(c, r), m.sp.hankel(c, r)], (V, real(4))),
    *[(f"convolution_matrix {mode}", lambda m, a, mode=mode: m.sp.convolution_matrix(a, 4, mode), (V,))
      for mode in ("full", "same", "valid")],
    ("leslie", lambda m, f, s: m.sp.leslie(f, s), (V, V[:2])),
    ("block_diag", lambda m, a, b: [m.sp.block_diag(a, b, 2.), m.sp.block_diag()], (W, V)),
    *[(f"{name} {n}", lambda m, name=name, n=n: getattr(m.sp, name)(n), ())
      for name in ("dft", "helmert", "hilbert", "invhilbert", "invpascal", "pascal") for n in (1, 5)],
    ("special", lambda m: [m.sp.hadamard(4), m.sp.hadamard(4, float), m.sp.dft(3, "n"), m.sp.helmert(3, True),
                           m.sp.pascal(4, "lower"), m.sp.invpascal(4, "upper")], ()),
]


def check(case: Case, rtol: float = 2e-4) -> None:
    _, call, arrays = case
    ours = OURS.leaves(call(OURS, *[OURS.jnp.asarray(x) for x in arrays]))
    theirs = THEIRS.leaves(call(THEIRS, *[THEIRS.jnp.asarray(x) for x in arrays]))
    for a, b in zip(ours, theirs, strict=True):
        x, y = np.asarray(a), np.asarray(b)
        assert (x.dtype, x.shape) == (y.dtype, y.shape)
        if hasattr(b, "weak_type"):
            assert a.weak_type == b.weak_type
        np.testing.assert_allclose(x, y, rtol=rtol, atol=rtol * max(1, np.abs(y[np.isfinite(y)]).max(initial=0)))


def sampled(cases: list[Case], count: int) -> list[Case]:
    return cases if os.environ.get("PERSPICAX_SWEEP") == "1" else random.Random(5).sample(cases, count)


def named(cases: list[Case]) -> Any:
    return pytest.mark.parametrize("case", cases, ids=[c[0] for c in cases])


@named(sampled(LAX, 9))
def test_lax(case: Case) -> None:
    check(case)


@named(sampled(NUMPY, 11))
def test_numpy(case: Case) -> None:
    check(case)


@named(sampled(SCIPY, 9))
def test_scipy(case: Case) -> None:
    check(case)


I32 = np.int32
REFUSED: list[Case] = [
    *[(f"{name} of {x.dtype}{x.shape}", lambda m, x, name=name: getattr(m.lax, name)(x), (x,))
      for name in ("cholesky", "eig", "eigh", "hessenberg", "lu", "qr", "schur", "svd", "tridiagonal")
      for x in (zeros(2, 3), zeros(3), zeros(3, 3, dtype=I32), zeros(3, 3, dtype="bfloat16"))
      if not (name in ("lu", "qr", "svd") and x.shape == (2, 3)) and not (name in ("cholesky", "eigh") and x.dtype == I32)],
    *[(f"jnp {name} of {x.shape}", lambda m, x, name=name: getattr(m.np, name)(x), (x,))
      for name in ("cholesky", "det", "eig", "eigh", "eigvals", "eigvalsh", "inv", "slogdet") for x in (zeros(2, 3), zeros(3))],
    *[(f"jnp {name} of {x.shape}", lambda m, x, name=name: getattr(m.np, name)(x), (x,))
      for name in ("cond", "pinv", "qr", "svd", "svdvals", "matrix_norm", "trace", "diagonal", "matrix_transpose")
      for x in (zeros(3), zeros())],
    ("a list", lambda m: m.np.inv([[1.]]), ()),
    ("None", lambda m: m.np.norm(None), ()),
    *[(f"solve {a.shape} {b.shape}", lambda m, a, b: m.np.solve(a, b), (a, b)) for a, b in (
        (A, zeros(2)), (zeros(3, 2), V), (V, V), (B, zeros(2, 3)), (B, zeros(4, 3, 2)), (A, zeros()))],
    *[(f"lstsq {a.shape} {b.shape}", lambda m, a, b: m.np.lstsq(a, b), (a, b)) for a, b in ((TALL, V), (V, V), (B, V))],
    ("matrix_power", lambda m, x: m.np.matrix_power(x, 2), (zeros(2, 3),)),
    ("matrix_power by half", lambda m, x: m.np.matrix_power(x, 1.5), (A,)),
    *[(f"multi_dot {len(xs)}", lambda m, *xs: m.np.multi_dot(list(xs)), xs) for xs in (
        (), (V,), (WIDE, WIDE), (WIDE, zeros(4, 5, 6), V), (TALL, V, V, V))],
    ("tensorinv", lambda m, x: m.np.tensorinv(x), (zeros(2, 3, 5),)),
    ("tensorsolve", lambda m, a, b: m.np.tensorsolve(a, b), (zeros(2, 3, 5), zeros(2, 3))),
    ("cross", lambda m, x: m.np.cross(x, x), (zeros(2),)),
    ("outer", lambda m, x: m.np.outer(x, x), (A,)),
    *[(f"norm {o} {x.shape}", lambda m, x, o=o: m.np.norm(x, o), (x,))
      for o, x in (("fro", V), (3, A), (0, A), ("x", A), (2, B), (-1, zeros(2, 0)))],
    ("norm axes", lambda m, x: m.np.norm(x, axis=(0, 1, 2)), (B,)),
    ("norm axis", lambda m, x: m.np.norm(x, axis=5), (B,)),
    ("cond", lambda m, x: m.np.cond(x, "fro"), (TALL,)),
    ("qr mode", lambda m, x: m.np.qr(x, "x"), (A,)),
    ("UPLO", lambda m, x: m.np.eigh(x, "x"), (A,)),
    ("slogdet method", lambda m, x: m.np.slogdet(x, method="x"), (A,)),
    ("slogdet qr", lambda m, x: m.np.slogdet(x, method="qr"), (COMPLEX,)),
    ("two tolerances", lambda m, x: m.np.pinv(x, rtol=.1, rcond=.1), (A,)),
    ("cholesky_update", lambda m, a, b: m.lax.cholesky_update(a, b), (A, zeros(2))),
    ("householder_product", lambda m, a, b: m.lax.householder_product(a, b), (WIDE, V)),
    ("householder_product many", lambda m, a, b: m.lax.householder_product(a, b), (TALL, zeros(4))),
    ("ormqr", lambda m, a, t, c: m.lax.ormqr(a, t, c), (TALL, V, W)),
    *[(f"triangular_solve {a.shape} {b.dtype}{b.shape}", lambda m, a, b: m.lax.triangular_solve(a, b), (a, b)) for a, b in (
        (A, zeros(2, 4)), (zeros(3, 2), zeros(2, 2)), (V, V), (A, zeros()), (A, zeros(2, 3, dtype=np.complex64)),
        (B, zeros(4, 3, 3)))],
    ("tridiagonal_solve", lambda m, d, e, b: m.lax.tridiagonal_solve(e, d, e, b), (V, zeros(2), W)),
    ("tridiagonal_solve b", lambda m, d, b: m.lax.tridiagonal_solve(d, d, d, b), (V, zeros(4, 2))),
    ("symmetric_product", lambda m, a, c: m.lax.symmetric_product(a, c), (WIDE, LARGE)),
    ("permutation size", lambda m, p: m.lax.lu_pivots_to_permutation(p, 2), (zeros(3, dtype=I32),)),
    ("permutation dtype", lambda m, p: m.lax.lu_pivots_to_permutation(p, 4), (V,)),
    ("eigh subset", lambda m, x: m.lax.eigh(x, subset_by_index=(0, 2)), (A,)),
    ("svd subset", lambda m, x: m.lax.svd(x, full_matrices=False, subset_by_index=(0, 2)), (A,)),
    ("svd subset of square", lambda m, x: m.lax.svd(x, subset_by_index=(0, 2)), (A,)),
    ("svd algorithm", lambda m, x: m.lax.svd(x, algorithm=m.lax.SvdAlgorithm.JACOBI), (A,)),
    ("eig implementation", lambda m, x: m.lax.eig(x, implementation=m.lax.EigImplementation.MAGMA), (A,)),
    ("eigh implementation", lambda m, x: m.lax.eigh(x, implementation=m.lax.EighImplementation.QDWH), (A,)),
    ("schur sorted", lambda m, x: m.lax.schur(x, sort_eig_vals=True), (A,)),
    ("qdwh", lambda m, x: m.lax.qdwh(x), (WIDE,)),
    *[(f"jsp {name} of {x.shape}", lambda m, x, name=name: getattr(m.sp, name)(x), (x,))
      for name in ("cholesky", "det", "expm", "inv", "schur", "sqrtm", "hessenberg") for x in (zeros(2, 3), zeros(3))],
    ("cho_solve", lambda m, c, b: m.sp.cho_solve((c, True), b), (A, zeros(2))),
    ("lu_solve", lambda m, c, b: m.sp.lu_solve(m.sp.lu_factor(c), b, trans=3), (A, V)),
    ("solve_triangular", lambda m, c, b: m.sp.solve_triangular(c, b, trans="x"), (A, V)),
    ("jsp solve", lambda m, c, b: m.sp.solve(c, b, assume_a="x"), (A, V)),
    ("generalised eigh", lambda m, c: m.sp.eigh(c, c), (A,)),
    ("eigh type", lambda m, c: m.sp.eigh(c, type=2), (A,)),
    ("jsp qr mode", lambda m, c: m.sp.qr(c, mode="x"), (A,)),
    ("qr_multiply", lambda m, a, c: m.sp.qr_multiply(a, c, "left"), (TALL, TALL)),
    ("polar side", lambda m, a: m.sp.polar(a, "x"), (A,)),
    ("polar method", lambda m, a: m.sp.polar(a, method="x"), (A,)),
    ("polar wide", lambda m, a: m.sp.polar(a), (WIDE,)),
    ("schur output", lambda m, a: m.sp.schur(a, "x"), (A,)),
    ("rsf2csf", lambda m, a, b: m.sp.rsf2csf(a, b), (A, TWO)),
    ("sqrtm blocks", lambda m, a: m.sp.sqrtm(a, 2), (A,)),
    ("solve_sylvester", lambda m, a, b: m.sp.solve_sylvester(a, b, b), (A, TWO)),
    ("solve_sylvester method", lambda m, a, b, c: m.sp.solve_sylvester(a, b, c, method="x"), (A, TWO, W)),
    ("companion", lambda m, a: m.sp.companion(a), (zeros(1),)),
    ("convolution_matrix", lambda m, a: m.sp.convolution_matrix(a, 4, "x"), (V,)),
    ("leslie", lambda m, a: m.sp.leslie(a, a), (V,)),
    ("block_diag", lambda m, a: m.sp.block_diag(a), (B,)),
    ("hadamard", lambda m: m.sp.hadamard(3), ()),
    ("helmert", lambda m: m.sp.helmert(0), ()),
    ("pascal", lambda m: m.sp.pascal(3, "x"), ()),
    ("eigh_tridiagonal", lambda m, d, e: m.sp.eigh_tridiagonal(d, e, eigvals_only=True, select="v", select_range=(0, 1)),
     (V, zeros(2))),
    ("eigh_tridiagonal dtype", lambda m, d, e: m.sp.eigh_tridiagonal(d, e, eigvals_only=True),
     (zeros(3, dtype=I32), zeros(2, dtype=I32))),
]


@named(REFUSED)
def test_what_is_refused(case: Case) -> None:
    """Whoever catches JAX's class catches ours."""
    _, call, arrays = case
    with pytest.raises(Exception) as wanted:
        call(THEIRS, *[THEIRS.jnp.asarray(x) for x in arrays])
    with pytest.raises(PerspicaxError) as found:
        call(OURS, *[OURS.jnp.asarray(x) for x in arrays])
    builtin = next(c for c in type(wanted.value).__mro__ if c.__module__ == "builtins")
    assert isinstance(found.value, builtin), f"JAX raises {wanted.value!r}"
    assert found.value.report.why


def test_where_we_take_more() -> None:
    """Stacks that JAX refuses are the same as a loop; a matrix without entries has a form."""
    r, v = np.stack([POSITIVE, 2 * POSITIVE]), np.stack([V, V])
    with pytest.raises(NotImplementedError):
        jax.vmap(THEIRS.lax.cholesky_update)(r, v)
    found = perspicax.vmap(OURS.lax.cholesky_update)(r, v)
    np.testing.assert_allclose(np.asarray(found)[1], np.asarray(THEIRS.lax.cholesky_update(r[1], V)), rtol=1e-5)
    with pytest.raises(ValueError):
        THEIRS.sp.lu(B)
    for ours, theirs in zip(OURS.sp.lu(OURS.jnp.asarray(B)), THEIRS.sp.lu(B[1]), strict=True):
        np.testing.assert_allclose(np.asarray(ours)[1], np.asarray(theirs), rtol=1e-5, atol=1e-6)
    assert OURS.lax.hessenberg(zeros(0, 0))[1].shape == (0,)


def test_exponentials_and_integers_are_precise() -> None:
    """The exponential of [[x]] is exp(x), also where JAX squares too little; Pascal's entries are integers."""
    for x in (3.9, 7.0, 7.8):
        wanted = np.exp(np.float64(np.float32(x)))
        ours, theirs = (abs(float(m.sp.expm(m.jnp.full((1, 1), x, "float32"))[0, 0]) - wanted) / wanted for m in (OURS, THEIRS))
        assert ours < 1e-5 and ours <= theirs + 1e-5
    inverse = np.asarray(OURS.sp.invpascal(6))
    np.testing.assert_array_equal(inverse, np.rint(inverse))
    assert not np.array_equal(np.asarray(THEIRS.sp.invpascal(6)), np.rint(np.asarray(THEIRS.sp.invpascal(6))))
