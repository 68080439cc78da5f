"""Krylov solvers of linear systems: `jax.scipy.sparse.linalg`.

The operator is a matrix or a linear function of pytrees. Inside, a pytree is one vector. Derivatives do not go through
the iterations: they solve the system, or its transpose, once more.
"""
from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

import perspicax.numpy as jnp
from perspicax.core.array import Array
from perspicax.core.tree import tree_flatten, tree_unflatten
from perspicax.diagnose.facade import publish
from perspicax.lax.loops import fori_loop, while_loop
from perspicax.lax.solving import custom_linear_solve
from perspicax.numpy.construct import asarray
from perspicax.numpy.errors import ArgumentKindError, ArgumentValueError
from perspicax.numpy.promote import to_inexact

Operator = Callable[[Any], Any]


class _Shape:
    """How a pytree of arrays is one vector."""

    def __init__(self, tree: Any) -> None:
        leaves, self.structure = tree_flatten(tree)
        leaves = [asarray(x) for x in leaves]
        self.types = [(x.shape, x.dtype, x.size) for x in leaves]
        self.dtype = to_inexact(jnp.result_type(*[x.dtype for x in leaves])) if leaves else np.dtype(np.float32)

    def flat(self, tree: Any) -> Any:
        parts = [asarray(x).astype(self.dtype).reshape(-1) for x in tree_flatten(tree)[0]]
        return jnp.concatenate(parts) if parts else jnp.zeros((0,), self.dtype)

    def tree(self, x: Any) -> Any:
        leaves, start = [], 0
        for shape, dtype, size in self.types:
            leaves.append(x[start:start + size].reshape(shape).astype(to_inexact(dtype)))
            start += size
        return tree_unflatten(self.structure, leaves)


def _operator(function: str, A: Any, name: str) -> Operator:
    if callable(A):
        return A  # type: ignore[no-any-return]
    if not isinstance(A, (Array, np.ndarray)):
        raise ArgumentKindError(says=f"`{function}` was given {name} of type {type(A).__name__}.",
                                why="it is a matrix, or a linear function")
    matrix = asarray(A)
    if matrix.ndim != 2 or matrix.shape[0] != matrix.shape[1]:
        raise ArgumentValueError(says=f"`{function}` was given {name} of type {matrix.aval.str_short()}.",
                                 why="the matrix of an operator is square")
    return lambda x: jnp.matmul(matrix, x)


def _solve(function: str, run: Callable[..., Any], A: Any, b: Any, x0: Any, M: Any, symmetric: bool) -> Any:
    operate = _operator(function, A, "A")
    precondition: Operator = (lambda x: x) if M is None else _operator(function, M, "M")
    shape = _Shape(b)
    if x0 is not None:
        guess = _Shape(x0)
        if guess.structure != shape.structure:
            raise ArgumentValueError(says=f"`{function}` was given x0 of another structure than b.",
                                     why=f"x0 is {guess.structure}, b is {shape.structure}")
        if [t[0] for t in guess.types] != [t[0] for t in shape.types]:
            raise ArgumentValueError(says=f"`{function}` was given x0 and b of different shapes.",
                                     why=f"x0 has {[t[0] for t in guess.types]}, b has {[t[0] for t in shape.types]}")
    start = jnp.zeros_like(shape.flat(b)) if x0 is None else shape.flat(x0)

    def flat_operator(x: Any) -> Any:
        found = operate(shape.tree(x))
        structure = tree_flatten(found)[1]
        if structure != shape.structure:
            raise ArgumentKindError(says=f"the operator of `{function}` returned another structure than b.",
                                    why=f"it returned {structure}, b is {shape.structure}")
        return shape.flat(found)

    def flat_precondition(x: Any) -> Any:
        return shape.flat(precondition(shape.tree(x)))

    def solver(matvec: Operator, right: Any) -> Any:
        return run(matvec, right, start, flat_precondition)

    real = np.dtype(shape.dtype).kind != "c"
    found = custom_linear_solve(flat_operator, shape.flat(b), solve=solver, transpose_solve=solver,
                                symmetric=symmetric and real)
    return shape.tree(found)


def _square(x: Any) -> Any:
    return jnp.real(jnp.vdot(x, x))


def _limit(b: Any, tol: Any, atol: Any) -> Any:
    return jnp.maximum(jnp.square(tol) * _square(b), jnp.square(atol)).astype(_square(b).dtype)


def cg(A: Any, b: Any, x0: Any = None, *, tol: Any = 1e-5, atol: Any = 0.0, maxiter: int | None = None,
       M: Any = None) -> tuple[Any, None]:
    """The solution of A x = b for positive definite, self-adjoint A by conjugate gradients.

    Args:
        A: matrix `[n, n]`, or a linear function of pytrees like `b`.
        b: array `[n]`, or a pytree of arrays.
        x0: where to start, like `b`; zeros by default.
        tol: the residual that is good enough, relative to the norm of `b`.
        atol: the same, absolute: the larger of the two counts.
        maxiter: the most iterations; by default 10 times the number of unknowns.
        M: an approximation of the inverse of A, as A: it saves iterations.

    Returns:
        `(x, None)`, where `x` is like `b`.

    Raises:
        ArgumentKindError: A is neither a matrix nor a function, or its result is of another structure.
        ArgumentValueError: A is not square, or `x0` is not like `b`.

    Hestenes and Stiefel, Journal of Research of the National Bureau of Standards 49, 1952.
    """
    def run(operate: Operator, right: Any, x: Any, precondition: Operator) -> Any:
        most = 10 * right.size if maxiter is None else maxiter
        enough = _limit(right, tol, atol)
        residual = right - operate(x)
        z = precondition(residual)

        def going(s: tuple) -> Any:
            return (_square(s[1]) > enough) & (s[4] < most)

        def step(s: tuple) -> tuple:
            x, r, p, gamma, k = s
            moved = operate(p)
            length = gamma / jnp.vdot(p, moved).astype(gamma.dtype)
            x, r = x + length * p, r - length * moved
            z = precondition(r)
            after = jnp.vdot(r, z).astype(gamma.dtype)
            return x, r, z + after / gamma * p, after, k + 1

        return while_loop(going, step, (x, residual, z, jnp.vdot(residual, z).astype(right.dtype), 0))[0]

    return _solve("jsp.sparse.linalg.cg", run, A, b, x0, M, True), None


def bicgstab(A: Any, b: Any, x0: Any = None, *, tol: Any = 1e-5, atol: Any = 0.0, maxiter: int | None = None,
             M: Any = None) -> tuple[Any, None]:
    """The solution of A x = b by stabilised biconjugate gradients; arguments, result and errors as for `cg`, any A.

    Van der Vorst, SIAM Journal on Scientific and Statistical Computing 13, 1992.
    """
    def run(operate: Operator, right: Any, x: Any, precondition: Operator) -> Any:
        most = 10 * right.size if maxiter is None else maxiter
        enough = _limit(right, tol, atol)
        first = right - operate(x)
        one = jnp.ones((), right.dtype)

        def going(s: tuple) -> Any:
            return (_square(s[1]) > enough) & (s[-1] < most) & ~s[-2]

        def step(s: tuple) -> tuple:
            x, r, p, v, alpha, omega, rho, _, k = s
            after = jnp.vdot(first, r)
            p = r + after / rho * alpha / omega * (p - omega * v)
            steered = precondition(p)
            v = operate(steered)
            alpha = after / jnp.vdot(first, v)
            half = r - alpha * v
            done = _square(half) < enough
            steered_half = precondition(half)
            t = operate(steered_half)
            omega = jnp.where(done, 0, jnp.vdot(t, half) / jnp.where(done, 1, jnp.vdot(t, t)))
            x = x + alpha * steered + omega * steered_half
            r = jnp.where(done, half, half - omega * t)
            broken = ~done & ((omega == 0) | (alpha == 0))
            return x, r, p, v, alpha, omega, after, broken, k + 1

        zero = jnp.zeros_like(right)
        return while_loop(going, step, (x, first, zero, zero, one, one, one, jnp.zeros((), bool), 0))[0]

    return _solve("jsp.sparse.linalg.bicgstab", run, A, b, x0, M, False), None


def gmres(A: Any, b: Any, x0: Any = None, *, tol: Any = 1e-5, atol: Any = 0.0, restart: int = 20, maxiter: int | None = None,
          M: Any = None, solve_method: str = "batched") -> tuple[Any, Any]:
    """The solution of A x = b by the generalised minimal residual method, restarted.

    Args:
        A: as for `cg`, any.
        b: as for `cg`.
        x0: as for `cg`.
        tol: as for `cg`.
        atol: as for `cg`.
        restart: the size of the Krylov space that is built before the method starts anew.
        maxiter: the most restarts.
        M: as for `cg`.
        solve_method: `"batched"` or `"incremental"`. Differs: both build the whole space and then solve for the smallest
            residual in it.

    Returns:
        `(x, info)`: `info` is 0, or -1 where the solution has a NaN.

    Raises:
        ArgumentKindError: A is neither a matrix nor a function, or its result is of another structure.
        ArgumentValueError: A is not square, `x0` is not like `b`, or there is no such method.

    Saad and Schultz, SIAM Journal on Scientific and Statistical Computing 7, 1986.
    """
    if solve_method not in ("batched", "incremental"):
        raise ArgumentValueError(says=f"`gmres` was given solve_method={solve_method!r}.",
                                 why="it is 'batched' or 'incremental'")

    def run(operate: Operator, right: Any, x: Any, precondition: Operator) -> Any:
        size = right.size
        most = 10 * size if maxiter is None else maxiter
        width = min(restart, size)
        scaled = _limit(precondition(right), tol, atol)

        def residual(x: Any) -> Any:
            return precondition(right - operate(x))

        def going(s: tuple) -> Any:
            return (_square(s[1]) > scaled) & (s[2] < most)

        def step(s: tuple) -> tuple:
            x, r, k = s
            x = x + _krylov_step(lambda v: precondition(operate(v)), r, width)
            return x, residual(x), k + 1

        return while_loop(going, step, (x, residual(x), 0))[0]

    found = _solve("jsp.sparse.linalg.gmres", run, A, b, x0, M, False)
    bad: Any = False
    for leaf in tree_flatten(found)[0]:
        bad = bad | jnp.any(jnp.isnan(leaf))
    return found, jnp.where(bad, -1, 0)


def _krylov_step(operate: Operator, r: Any, width: int) -> Any:
    """The vector of the Krylov space of `r` that makes the residual smallest: Arnoldi's process, then least squares."""
    norm = jnp.sqrt(_square(r)).astype(r.dtype)
    basis = jnp.zeros((width + 1, r.size), r.dtype).at[0].set(_normed(r, norm))
    matrix = jnp.zeros((width + 1, width), r.dtype)

    def step(k: Any, state: tuple) -> tuple:
        basis, matrix = state
        v = operate(basis[k])
        before = jnp.sqrt(_square(v))
        column = jnp.zeros(width + 1, r.dtype)
        for _ in range(2):  # twice is enough (Giraud, Langou and Rozloznik, 2005)
            part = jnp.conj(basis) @ v
            v, column = v - part @ basis, column + part
        length = jnp.sqrt(_square(v))
        length = jnp.where(length > 10 * np.finfo(r.dtype).eps * before, length, 0).astype(r.dtype)
        return basis.at[k + 1].set(_normed(v, length)), matrix.at[:, k].set(column.at[k + 1].set(length))

    basis, matrix = fori_loop(0, width, step, (basis, matrix))
    target = jnp.zeros(width + 1, r.dtype).at[0].set(norm)
    return jnp.linalg.lstsq(matrix, target)[0] @ basis[:-1]


def _normed(v: Any, length: Any) -> Any:
    return jnp.where(length == 0, 0, v / jnp.where(length == 0, 1, length))


__all__ = ["bicgstab", "cg", "gmres"]

publish(__name__)
