"""Linear algebra: decompositions give their matrix back; the laws of every rule; what fails and what is refused."""
from __future__ import annotations

from typing import Any

import laws
import numpy as np
import pytest

import perspicax.numpy as jnp
import perspicax.scipy.linalg as jsp
from perspicax.core.tracer import get_aval
from perspicax.lax import linalg
from perspicax.lax.linalg.errors import (
    MatrixDtypeError,
    MatrixShapeError,
    NoKernelError,
    NotDifferentiableError,
    SquareMatrixError,
)
from perspicax.transform.grad import grad, jvp
from perspicax.transform.vmap import vmap
from perspicax.xla.dispatch import as_array
from perspicax.xla.emit import Builder, Module, Value

RANDOM = np.random.default_rng(3)


def drawn(*shape: int, dtype: str = "float64") -> np.ndarray:
    x = RANDOM.standard_normal(shape)
    return (x + 1j * RANDOM.standard_normal(shape) if dtype[0] == "c" else x).astype(dtype)


def adjoint(x: np.ndarray) -> np.ndarray:
    return np.conj(np.swapaxes(x, -1, -2))


def close(x: Any, y: Any, dtype: Any) -> None:
    """Equal within a hundred roundings of numbers of size 10."""
    tolerance = 1e3 * float(np.finfo(dtype).eps)
    np.testing.assert_allclose(np.asarray(x), np.asarray(y), rtol=tolerance, atol=tolerance)


STACK = drawn(2, 3, 3)
TALL, WIDE = drawn(4, 3), drawn(3, 4)
POSITIVE = STACK[0] @ STACK[0].T + np.eye(3)


# -- the factors give their matrix back

@pytest.mark.parametrize("dtype", ["float32", "complex128"])  # the others: in tests/oracle
def test_factors_multiply_to_their_matrix(dtype: str) -> None:
    with laws.double():
        a = drawn(2, 3, 3, dtype=dtype)
        hermitian = a + adjoint(a)
        positive = a @ adjoint(a) + np.eye(3, dtype=dtype)
        factor = np.asarray(linalg.cholesky(as_array(positive)))
        close(factor @ adjoint(factor), positive, dtype)
        np.testing.assert_array_equal(np.triu(factor, 1), 0)

        factors, pivots, order = [np.asarray(x) for x in linalg.lu(as_array(a))]
        left, right = np.tril(factors, -1) + np.eye(3), np.triu(factors)
        close(left @ right, np.take_along_axis(a, order[..., None], -2), dtype)
        np.testing.assert_array_equal(np.asarray(linalg.lu_pivots_to_permutation(pivots, 3)), order)

        q, r, p = [np.asarray(x) for x in linalg.qr(as_array(a), pivoting=True)]
        close(q @ r, np.take_along_axis(a, p[:, None, :], -1), dtype)
        close(adjoint(q) @ q, np.broadcast_to(np.eye(3), q.shape), dtype)
        np.testing.assert_array_equal(np.tril(r, -1), 0)

        u, s, vh = [np.asarray(x) for x in linalg.svd(as_array(a))]
        close(u * s[:, None, :] @ vh, a, dtype)
        assert s.dtype == np.finfo(dtype).dtype and (np.diff(s) <= 0).all()

        v, w = [np.asarray(x) for x in linalg.eigh(as_array(hermitian))]
        close(v * w[:, None, :] @ adjoint(v), hermitian, dtype)

        w, left, right = [np.asarray(x) for x in linalg.eig(as_array(a))]
        close(a @ right, right * w[:, None, :], dtype)
        close(adjoint(left) @ a, w[:, :, None] * adjoint(left), dtype)

        t, z = [np.asarray(x) for x in linalg.schur(as_array(a))]
        close(z @ t @ adjoint(z), a, dtype)


def test_wide_and_tall_matrices() -> None:
    with laws.double():
        for a in (TALL, WIDE):
            m, n = a.shape
            for full in (True, False):
                q, r = [np.asarray(x) for x in linalg.qr(a, full_matrices=full)]
                assert q.shape == (m, m if full else min(m, n))
                close(q @ r, a, a.dtype)
            u, s, vh = [np.asarray(x) for x in linalg.svd(a, full_matrices=False)]
            close(u * s @ vh, a, a.dtype)


def test_reflectors_make_q() -> None:
    with laws.double():
        h, tau = [np.asarray(x) for x in jnp.linalg.qr(as_array(TALL), mode="raw")]
        q = np.asarray(linalg.householder_product(h.T, tau))
        close(q, linalg.qr(TALL, full_matrices=False)[0], TALL.dtype)
        whole = np.asarray(linalg.ormqr(h.T, tau, np.eye(4)))
        close(whole[:, :3], q, TALL.dtype)
        close(linalg.ormqr(h.T, tau, TALL.T, left=False), TALL.T @ whole, TALL.dtype)
        close(linalg.ormqr(h.T, tau, TALL, transpose=True), whole.T @ TALL, TALL.dtype)


def test_reductions_keep_the_eigenvalues() -> None:
    with laws.double():
        symmetric = drawn(4, 4)
        symmetric = symmetric + symmetric.T
        _, d, e, _ = [np.asarray(x) for x in linalg.tridiagonal(symmetric)]
        wanted = np.linalg.eigvalsh(symmetric)
        close(np.linalg.eigvalsh(np.diag(d) + np.diag(e, 1) + np.diag(e, -1)), wanted, np.float64)
        close(jsp.eigh_tridiagonal(as_array(d), as_array(e), eigvals_only=True), wanted, np.float64)
        close(jsp.eigh_tridiagonal(as_array(d), as_array(e), eigvals_only=True, select="i", select_range=(1, 2)), wanted[1:3],
              np.float64)
        h, q = [np.asarray(x) for x in jsp.hessenberg(as_array(drawn(4, 4)), calc_q=True)]
        np.testing.assert_array_equal(np.tril(h, -2), 0)
        close(q.T @ q, np.eye(4), np.float64)


def test_the_polar_decomposition() -> None:
    with laws.double():
        u, h, count, converged = linalg.qdwh(TALL)
        close(np.asarray(u) @ np.asarray(h), TALL, np.float64)
        close(np.asarray(u).T @ np.asarray(u), np.eye(3), np.float64)
        assert bool(converged) and int(count) == 6
        assert not bool(linalg.qdwh(TALL, max_iterations=2)[3])


def test_updating_a_factor() -> None:
    with laws.double():
        r, w = np.linalg.cholesky(POSITIVE).T, drawn(3)
        found = np.asarray(linalg.cholesky_update(r, w))
        close(found.T @ found, POSITIVE + np.outer(w, w), np.float64)
        close(np.asarray(vmap(linalg.cholesky_update)(np.stack([r, r]), np.stack([w, w])))[1], found, np.float64)


@pytest.mark.parametrize("left_side", [True, False])
@pytest.mark.parametrize("how", [(False, False, False), (True, True, False), (False, True, True), (True, False, True)])
def test_triangular_systems(left_side: bool, how: tuple[bool, bool, bool]) -> None:
    with laws.double():
        lower, transpose, unit = how
        a = drawn(3, 3, dtype="complex128") + 3 * np.eye(3)
        x = drawn(*((3, 2) if left_side else (2, 3)), dtype="complex128")
        part = np.tril(a, -unit) if lower else np.triu(a, int(unit))
        part = part + np.eye(3) * unit
        for conjugate in (False, True):
            used = part.conj() if conjugate else part
            used = used.T if transpose else used
            found = linalg.triangular_solve(a, used @ x if left_side else x @ used, left_side=left_side, lower=lower,
                                            transpose_a=transpose, conjugate_a=conjugate, unit_diagonal=unit)
            close(found, x, np.float64)


# -- the laws of the rules

def spread(f: Any, **options: Any) -> Any:
    """A function of a matrix, whose diagonal is large enough that no two eigenvalues or pivots are close."""
    return lambda x: laws.listed(f(x + np.diag([2., 5., 9.]), **options))


ONE = 0.3 * STACK[0]
DIFFERENTIABLE = {
    "cholesky": lambda x: linalg.cholesky(x @ x.mT + np.eye(3)),
    "lu": lambda x: linalg.lu(x + np.diag([9., 5., 2.]))[0],
    "qr": spread(linalg.qr, full_matrices=False),
    "eigvals": lambda x: jnp.real(linalg.eig(x + x.mT + np.diag([2., 5., 9.]), compute_left_eigenvectors=False,
                                             compute_right_eigenvectors=False)[0]),
    "svd": spread(linalg.svd),
    "eigh": spread(linalg.eigh),
    "inv": lambda x: jnp.linalg.inv(x + np.diag([2., 5., 9.])),
    "det": lambda x: jnp.linalg.det(jnp.pad(x, ((0, 1), (0, 1))) + np.diag([1., 2., 3., 4.])),
    "slogdet": lambda x: jnp.linalg.slogdet(x + np.diag([2., 5., 9.]))[1],
    "pinv": lambda x: jnp.linalg.pinv((x + np.diag([2., 5., 9.]))[:, :2]),
}


@pytest.mark.parametrize("name", DIFFERENTIABLE)
def test_derivatives(name: str) -> None:
    f = DIFFERENTIABLE[name]
    with laws.double():
        laws.check_forward(f, ONE, order=1, rtol=1e-6, atol=1e-6)
        laws.check_reverse(f, ONE, order=1)


def test_the_derivative_of_an_exponential() -> None:
    """d/dt tr exp(t A) = tr(A exp(t A))."""
    a = ONE.astype(np.float32)
    slope = grad(lambda t: jnp.trace(jsp.expm(t * a)))(jnp.float32(1))
    np.testing.assert_allclose(np.asarray(slope), np.trace(a @ np.asarray(jsp.expm(as_array(a)))), rtol=1e-5)


def test_derivatives_of_q_follow_the_reflectors() -> None:
    """Of columns beyond the matrix too, and of complex ones."""
    with laws.double():
        for a in (drawn(5, 3, dtype="complex128"), drawn(3, 4)):
            laws.check_forward(lambda x: linalg.qr(x), a, order=1)


def test_derivatives_of_complex_eigenvectors() -> None:
    with laws.double():
        a = drawn(3, 3, dtype="complex128") + np.diag([2., 5., 9.])
        laws.check_forward(lambda x: linalg.eig(x, enable_eigvec_derivs=True), a, order=1)


def test_second_derivatives() -> None:
    with laws.double():
        laws.check_forward(DIFFERENTIABLE["inv"], ONE, order=2)


def test_the_gradient_of_a_determinant_where_it_is_zero() -> None:
    """The adjugate is finite though the inverse is not, whichever pivots are 0, and of any rank."""
    a = np.random.default_rng(2).normal(size=(7, 4, 4))
    a[0], a[1], a[2], a[3] = np.diag([1., 2., 3., 0.]), np.diag([0., 1., 2., 4.]), np.eye(4, k=1), np.ones((4, 4))
    a[4, 1], a[5, :, 1], a[6] = 2 * a[4, 0], 0., np.diag([1., 0., 0., 4.]) + np.eye(4, k=1)
    cofactors = [[(-1) ** (i + j) * np.linalg.det(np.delete(np.delete(a, i, 1), j, 2)) for j in range(4)] for i in range(4)]
    with laws.double():
        found = vmap(grad(jnp.linalg.det))(as_array(a))
        np.testing.assert_allclose(np.asarray(found), np.moveaxis(np.array(cofactors), 2, 0), atol=1e-12)


def test_laws_of_solvers() -> None:
    with laws.double():
        a, b = STACK[0] + 5 * np.eye(3), drawn(3, 2)
        lower = lambda x, y: linalg.triangular_solve(x, y, left_side=True, lower=True, transpose_a=True)
        laws.check_types(lower, as_array(a), as_array(b))
        laws.check_jaxpr(lower, a, b)
        laws.check_forward(lower, a, b, order=1)
        laws.check_reverse(lower, a, b, order=1)
        for axes in ((None, 0), (None, 2), (0, None), (1, 1)):
            xs = a if axes[0] is None else np.stack([a, a + 1], axes[0])
            ys = b if axes[1] is None else np.stack([b, b + 1], axes[1])
            found = vmap(lower, in_axes=axes)(xs, ys)
            close(np.asarray(found)[1], lower(a + (axes[0] is not None), b + (axes[1] is not None)), np.float64)
        rows = np.abs(drawn(3, 3)) + np.array([[0.], [5.], [0.]])
        laws.check_forward(lambda x, y: linalg.tridiagonal_solve(x[0], x[1], x[2], y), rows, b, order=1)
        laws.check_reverse(lambda x, y: linalg.tridiagonal_solve(x[0], x[1], x[2], y), rows, b, order=1)
        laws.check_reverse(jnp.linalg.solve, a, b, order=1)


@pytest.mark.parametrize("name", ["cholesky", "lu", "qr", "svd", "eigh", "eig", "schur", "hessenberg", "tridiagonal"])
def test_vmap_is_a_loop(name: str) -> None:
    f = getattr(linalg, name)
    x = (STACK @ STACK.transpose(0, 2, 1) + np.eye(3)).astype(np.float32)
    found = laws.listed(vmap(f, in_axes=2)(np.moveaxis(x, 0, 2)))
    for i in range(2):
        for a, b in zip(found, laws.listed(f(as_array(x[i]))), strict=True):
            np.testing.assert_allclose(np.asarray(a)[i], np.asarray(b), rtol=1e-5, atol=1e-6)
            assert get_aval(a).dtype == get_aval(b).dtype


# -- what fails

def test_failures_are_nan_for_their_matrix_alone() -> None:
    x = np.stack([np.eye(2, dtype=np.float32), -np.eye(2, dtype=np.float32)])
    found = np.asarray(linalg.cholesky(x))
    np.testing.assert_array_equal(found[0], np.eye(2))
    assert np.isnan(found[1][np.tril_indices(2)]).all()


def test_empty_matrices() -> None:
    q, r = linalg.qr(np.zeros((3, 0), np.float32))
    np.testing.assert_array_equal(np.asarray(q), np.eye(3))
    assert r.shape == (3, 0)
    assert jnp.linalg.det(np.zeros((2, 0, 0), np.float32)).tolist() == [1, 1]
    assert jnp.linalg.inv(np.zeros((0, 0), np.float32)).shape == (0, 0)


# -- what is refused

def test_matrices_that_are_not_square() -> None:
    with pytest.raises(SquareMatrixError) as caught:
        jnp.linalg.inv(jnp.ones((2, 3)))
    error = caught.value
    assert (error.function, error.aval.shape, error.index) == ("jnp.linalg.inv", (2, 3), 0)
    text = str(error)
    assert "float32[2,3]" in text and "jnp.linalg.pinv(" in text and "^^^" in text
    with pytest.raises(SquareMatrixError, match="one axis"):
        jsp.expm(jnp.ones(3))


def test_right_sides_that_do_not_fit() -> None:
    with pytest.raises(MatrixShapeError) as caught:
        jnp.linalg.solve(jnp.ones((2, 3, 3)), jnp.ones((2, 3)))
    assert caught.value.function == "jnp.linalg.solve"
    assert caught.value.report.fixes[0].code.endswith("[..., None])[..., 0]")


def test_dtypes_without_a_kernel() -> None:
    with pytest.raises(MatrixDtypeError) as caught:
        linalg.qr(jnp.ones((3, 3), jnp.int32))
    assert "astype" in str(caught.value)
    with pytest.raises(NoKernelError) as missing:
        linalg.qr(jnp.ones((3, 3), jnp.bfloat16))
    assert missing.value.platform == "cpu"


def test_derivatives_that_do_not_exist() -> None:
    for f, what in ((linalg.svd, "square U and V"), (lambda x: linalg.eig(x[:3]), "the eigenvectors"),
                    (lambda x: linalg.schur(x[:3]), "Schur's form")):
        with pytest.raises(NotDifferentiableError) as caught:
            jvp(f, (jnp.ones((4, 3)),), (jnp.ones((4, 3)),))
        assert caught.value.what == what


# -- other platforms

def test_kernels_of_gpus_are_named() -> None:
    """Programs for GPUs are written without one; what no GPU has is reported."""
    def text(primitive: Any, platform: str, **params: Any) -> str:
        b = Builder(Module("program", platform))
        b.out = laws.listed(primitive.type_rule(x, **params))
        primitive.emit(b, Value("%arg0", x), **params)
        return "".join(b.lines)

    x = get_aval(np.zeros((3, 3), np.float32))
    assert "cusolver_potrf_ffi" in text(linalg.cholesky_p, "cuda")
    assert "hipsolver_getrf_ffi" in text(linalg.lu_p, "rocm")
    assert "cusolver_orgqr_ffi" in text(linalg.qr_p, "cuda", pivoting=False, full_matrices=True, use_magma=None)
    options = dict(full_matrices=False, compute_uv=True, subset_by_index=None, algorithm=None)
    x = get_aval(np.zeros((2, 3), np.float32))
    assert "transposed = true" in text(linalg.svd_p, "cuda", **options)
    x = get_aval(np.zeros((3, 2), np.float32))
    assert "transposed = false" in text(linalg.svd_p, "cuda", **options)
    x = get_aval(np.zeros((3, 3), np.float32))
    with pytest.raises(NoKernelError):
        text(linalg.hessenberg_p, "cuda")
    with pytest.raises(NoKernelError):
        text(linalg.cholesky_p, "tpu")
