"""Eigenvalues of symmetric matrices of three diagonals."""
from __future__ import annotations

import math
from typing import Any

import numpy as np

import perspicax.numpy as jnp
from perspicax.core import dtypes
from perspicax.lax import linalg as lax_linalg
from perspicax.lax.linalg.errors import (
    DecompositionOptionError,
    MatrixDtypeError,
    MatrixShapeError,
    UnsupportedOptionError,
)
from perspicax.lax.loops import fori_loop, scan
from perspicax.numpy.construct import asarray
from perspicax.numpy.fusion import fused_call
from perspicax.numpy.promote import array_like

FUNCTION = "jsp.linalg.eigh_tridiagonal"


def eigh_tridiagonal(d: Any, e: Any, *, eigvals_only: bool = False, select: str = "a",
                     select_range: tuple[float, float] | None = None, tol: float | None = None, key: Any = None) -> Any:
    """Eigenvalues, and eigenvectors, of a Hermitian matrix of three diagonals.

    Args:
        d: diagonal `[n]`, real.
        e: the diagonal beside it `[n - 1]`.
        eigvals_only: whether to give the eigenvalues alone.
        select: `"a"` for all eigenvalues, `"i"` for those of the indices in `select_range`.
        select_range: first and last index, counted from 0.
        tol: the eigenvalues' error relative to the largest; the dtype's resolution by default.
        key: has no effect: eigenvectors need no random start.

    Returns:
        Eigenvalues, increasing; with eigenvectors as columns `(w, v)`.

    Raises:
        MatrixDtypeError: the diagonals are neither float32, float64 nor complex.
        MatrixShapeError: they do not go together.
        DecompositionOptionError: there is no such selection.
        UnsupportedOptionError: `select="v"` was given.

    Differs: JAX finds eigenvectors by iteration from a random start, made from `key`.

    Eigenvalues alone come by bisection, all at once (Barth, Martin and Wilkinson, Numer. Math. 9, 1967); with eigenvectors
    the matrix is decomposed as a full one.
    """
    x, y = (asarray(array_like(v, FUNCTION, i)) for i, v in enumerate((d, e)))
    for v in (x, y):
        if v.dtype.name not in ("float32", "float64", "complex64", "complex128"):
            raise MatrixDtypeError(function=FUNCTION, type_text=v.aval.str_short())
    if x.ndim != 1 or y.ndim != 1 or y.shape[0] != max(x.shape[0] - 1, 0) or x.dtype != y.dtype:
        raise MatrixShapeError(function=FUNCTION, avals=(x.aval, y.aval),
                               why="the diagonals are vectors [n] and [n - 1] of one dtype")
    n = x.shape[0]
    if select == "v":
        raise UnsupportedOptionError(function=FUNCTION, option='select="v"',
                                     why="how many eigenvalues lie in a range is not known while tracing",
                                     use='w = eigh_tridiagonal(d, e, eigvals_only=True); w[(w > lo) & (w <= hi)]')
    if select not in ("a", "i"):
        raise DecompositionOptionError(function=FUNCTION, option=f"select={select!r}", why="it is 'a' or 'i'")
    if select == "i" and select_range is None:
        raise DecompositionOptionError(function=FUNCTION, option="select='i' without select_range",
                                       why="it is (first, last), counted from 0")
    first, last = (0, n - 1) if select == "a" or select_range is None else (int(i) for i in select_range)
    if n and not 0 <= first <= last < n:
        raise DecompositionOptionError(function=FUNCTION, option=f"select_range={select_range}",
                                       why=f"it is (first, last) with 0 ≤ first ≤ last < {n}")
    x = jnp.real(x)
    if not eigvals_only:
        return fused_call(_by_full_matrix, (x, y), first=first, last=last)
    squares = jnp.real(y * jnp.conj(y))
    return fused_call(_bisect, (x, squares), first=first, last=last, tol=None if tol is None else float(tol))


def _by_full_matrix(d: Any, e: Any, *, first: int, last: int) -> Any:
    n = d.shape[0]
    if not n:
        return d, jnp.zeros((0, 0), e.dtype)
    # Column j of the lower triangle holds d[j], and e[j] below it.
    entries = jnp.concatenate([e, jnp.zeros(1, e.dtype)])
    full = jnp.where(np.eye(n, dtype=bool), d.astype(e.dtype)[None, :],
                     jnp.where(np.eye(n, k=-1, dtype=bool), entries[None, :], jnp.zeros((), e.dtype)))
    v, w = lax_linalg.eigh(full, lower=True, symmetrize_input=False)
    return w[first:last + 1], v[:, first:last + 1]


def _bisect(d: Any, squares: Any, *, first: int, last: int, tol: float | None) -> Any:
    n = d.shape[0]
    if n < 2:
        return d[first:last + 1]
    info = dtypes.finfo(d.dtype)
    sizes = jnp.sqrt(squares)
    zero = jnp.zeros(1, d.dtype)
    radius = jnp.concatenate([sizes, zero]) + jnp.concatenate([zero, sizes])  # Gershgorin's circles
    low, high = jnp.min(d - radius), jnp.max(d + radius)
    bound = jnp.maximum(jnp.abs(low), jnp.abs(high))
    slack = bound * jnp.asarray(2 * info.eps * n, d.dtype) + jnp.asarray(info.tiny, d.dtype)
    least = jnp.maximum(jnp.asarray(info.tiny, d.dtype), jnp.asarray(info.eps, d.dtype) ** 2 * bound)  # for pivots
    wanted = jnp.arange(first, last + 1)
    before = jnp.concatenate([zero, squares])

    def below(x: Any) -> Any:
        """How many eigenvalues are less than each of `x`: the negative pivots of T - x."""
        def pivot(state: Any, entry: Any) -> Any:
            q, count = state
            q = entry[0] - x - entry[1] / q
            q = jnp.where(jnp.abs(q) < least, -least, q)
            return (q, count + (q < 0)), None

        (_, count), _ = scan(pivot, (jnp.ones_like(x), jnp.zeros(x.shape, wanted.dtype)), (d, before))
        return count

    def halve(_: Any, state: Any) -> Any:
        lo, hi = state
        middle = lo + (hi - lo) / 2
        small = below(middle) <= wanted
        return jnp.where(small, middle, lo), jnp.where(small, hi, middle)

    steps = info.nmant + 4
    if tol is not None and tol > 0:
        steps = max(1, min(steps, 4 - math.floor(math.log2(tol))))
    lo, hi = (jnp.broadcast_to(v, wanted.shape) for v in (low - slack, high + slack))
    lo, hi = fori_loop(0, steps, halve, (lo, hi))
    return lo + (hi - lo) / 2


__all__ = ["eigh_tridiagonal"]
