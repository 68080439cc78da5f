"""Functions of matrices: exponential, square root, and any analytic function, by Schur's form."""
from __future__ import annotations

import functools
import operator
from collections.abc import Callable
from typing import Any

import numpy as np

import perspicax.numpy as jnp
from perspicax.core.array import Array
from perspicax.lax import linalg as lax_linalg
from perspicax.lax.branching import cond, switch
from perspicax.lax.linalg.errors import DecompositionOptionError, MatrixShapeError, UnsupportedOptionError
from perspicax.lax.linalg.general_eigen import complex_dtype
from perspicax.lax.linalg.matrices import adjoint, product
from perspicax.lax.linalg.matrices import upper as upper_part
from perspicax.lax.linalg.solving import solve_general
from perspicax.lax.loops import fori_loop, scan
from perspicax.numpy.fusion import fused_call
from perspicax.numpy.linalg.arguments import inexact, square
from perspicax.scipy.linalg.factors import prepared
from perspicax.transform.grad import jvp
from perspicax.transform.vmap import vmap

# Numerator coefficients of the Padé approximants of exp, by degree (Higham, SIAM J. Matrix Anal. Appl. 26, 2005, 2.3)
PADE = {
    3: (120., 60., 12., 1.),
    5: (30240., 15120., 3360., 420., 30., 1.),
    7: (17297280., 8648640., 1995840., 277200., 25200., 1512., 56., 1.),
    9: (17643225600., 8821612800., 2075673600., 302702400., 30270240., 2162160., 110880., 3960., 90., 1.),
    13: (64764752532480000., 32382376266240000., 7771770303897600., 1187353796428800., 129060195264000., 10559470521600.,
         670442572800., 33522128640., 1323241920., 40840800., 960960., 16380., 182., 1.),
}
# The largest norms for which each degree has full precision (the same, table 2.3 and section 3)
LIMITS = {
    np.dtype(np.float64): ((3, 1.495585217958292e-2), (5, 2.539398330063230e-1), (7, 9.504178996162932e-1),
                           (9, 2.097847961257068), (13, 5.371920351148152)),
    np.dtype(np.float32): ((3, 4.258730016922831e-1), (5, 1.880152677804762), (7, 3.925724783138660)),
}


def expm(A: Any, *, upper_triangular: bool = False, max_squarings: int = 16) -> Array:
    """The exponentials of square matrices.

    Args:
        A: matrices `[..., n, n]`.
        upper_triangular: promises that they are: a system less is decomposed.
        max_squarings: where more squarings than these are needed, the result is NaN.

    Returns:
        Array of the shape of `A`.

    Scaling and squaring with Padé approximants (Higham, SIAM J. Matrix Anal. Appl. 26, 2005).

    Differs: the number of squarings is rounded up, as the approximant's precision needs; JAX rounds it down.
    """
    x = square("jsp.linalg.expm", A)
    return fused_call(_expm_stack, (x,), upper_triangular=bool(upper_triangular), max_squarings=int(max_squarings))


def _expm_stack(x: Any, *, upper_triangular: bool, max_squarings: int) -> Any:
    one = lambda y: _expm(y, upper_triangular, max_squarings)
    if x.ndim == 2:
        return one(x)
    flat = x.reshape(-1, *x.shape[-2:])
    return vmap(one)(flat).reshape(x.shape) if flat.shape[0] else x


def _expm(x: Any, upper_triangular: bool, max_squarings: int) -> Any:
    if not x.size:
        return x
    real = jnp.finfo(x.dtype).dtype
    limits = LIMITS[np.dtype(real)]
    size = jnp.max(jnp.sum(jnp.abs(x), axis=0))
    largest = limits[-1][1]
    wanted = jnp.log2(size / largest)
    squarings = jnp.maximum(0, jnp.ceil(wanted))
    scaled = x / jnp.exp2(squarings).astype(x.dtype)
    which = jnp.sum(size > np.array([limit for _, limit in limits[:-1]], real))
    u, v = switch(which, [_pade(degree) for degree, _ in limits], scaled)
    too_many = jnp.floor(wanted) > max_squarings
    return cond(too_many, lambda u, v, n: jnp.full_like(u, jnp.nan),
                lambda u, v, n: _squared(_pade_quotient(u, v, upper_triangular), n, max_squarings + 1), u, v, squarings)


def _pade_quotient(u: Any, v: Any, upper_triangular: bool) -> Any:
    """(V - U)⁻¹ (V + U)."""
    if upper_triangular:
        return lax_linalg.triangular_solve(v - u, v + u, left_side=True, lower=False)
    return solve_general(v - u, v + u)


_USUAL = 2  # squarings; a longer loop is only run where more are needed


def _squared(x: Any, times: Any, at_most: int) -> Any:
    """`x` squared so often; the loops have fixed lengths, so that they have a derivative in reverse."""
    def square_once(r: Any, i: Any) -> Any:
        return cond(i < times, lambda y: product(y, y), lambda y: y, r), None

    for first, end in ((0, _USUAL), (_USUAL, at_most)):
        if first < end:
            steps = jnp.arange(first, min(end, at_most), dtype=times.dtype)
            x = cond(times > first, lambda y: scan(square_once, y, steps)[0], lambda y: y, x)
    return x


def _pade(degree: int) -> Callable[[Any], Any]:
    """U with the odd powers, and V with the even ones, of the approximant (V - U)⁻¹ (V + U)."""
    c = PADE[degree]

    def parts(a: Any) -> Any:
        one = jnp.eye(a.shape[0], dtype=a.dtype)
        square_ = product(a, a)
        powers = [one, square_]
        while len(powers) <= (3 if degree == 13 else degree // 2):
            powers.append(product(powers[-1], square_))
        mixed = lambda numbers: functools.reduce(operator.add, [number * p for number, p in zip(numbers, powers) if number])
        odd, even = c[1::2], c[0::2]
        if degree == 13:  # higher powers come from the sixth
            u = mixed(odd[:4]) + product(powers[3], mixed((0, *odd[4:])))
            v = mixed(even[:4]) + product(powers[3], mixed((0, *even[4:])))
        else:
            u, v = mixed(odd), mixed(even)
        return product(a, u), v

    return parts


def expm_frechet(A: Any, E: Any, *, method: str | None = None, compute_expm: bool = True) -> Any:
    """The exponential of a matrix, and its derivative in a direction.

    Args:
        A: matrix `[n, n]`.
        E: direction `[n, n]`.
        method: `"SPS"`, the default (scaling and squaring is differentiated), or `"blockEnlarge"` (the exponential of a
            matrix of twice the size).
        compute_expm: whether to give the exponential too.

    Returns:
        `(expm, derivative)`, or the derivative.
    """
    function = "jsp.linalg.expm_frechet"
    x, e = inexact(function, A, E)
    if x.ndim != 2 or x.shape[0] != x.shape[1] or e.shape != x.shape:
        raise MatrixShapeError(function=function, avals=(x.aval, e.aval), why="both are square matrices of one size")
    if method not in (None, "SPS", "blockEnlarge"):
        raise DecompositionOptionError(function=function, option=f"method={method!r}",
                                       why="it is 'SPS' or 'blockEnlarge'")
    found = fused_call(_expm_frechet, (x, e), enlarge=method == "blockEnlarge")
    return found if compute_expm else found[1]


def _expm_frechet(x: Any, e: Any, *, enlarge: bool) -> Any:
    if not enlarge:
        return jvp(lambda y: _expm(y, False, 16), (x,), (e,))
    n = x.shape[0]
    large = jnp.concatenate([jnp.concatenate([x, e], axis=1), jnp.concatenate([jnp.zeros_like(x), x], axis=1)], axis=0)
    found = _expm(large, False, 16)
    return found[:n, :n], found[:n, n:]


# -- by Schur's form

def _by_superdiagonals(t: Any, diagonal: Any, entry: Callable[[Any], Any]) -> Any:
    """An upper triangular matrix made diagonal by diagonal: `entry(f)` has the next one, for the `f` made so far."""
    n = t.shape[0]
    column = np.arange(n)
    distance = jnp.asarray(column - column[:, None])
    start = jnp.where(distance == 0, diagonal[:, None], jnp.zeros((), diagonal.dtype))
    return fori_loop(1, n, lambda p, f: jnp.where(distance == p, entry(f), f), start)


def sqrtm(A: Any, blocksize: int = 1) -> Array:
    """The principal square root of a square matrix.

    Args:
        A: matrix `[n, n]`.
        blocksize: only 1.

    Returns:
        Array `[n, n]`, complex.

    Björck and Hammarling, Linear Algebra Appl. 52, 1983.
    """
    function = "jsp.linalg.sqrtm"
    if blocksize > 1:
        raise UnsupportedOptionError(function=function, option=f"blocksize={blocksize}",
                                     why="the root is made diagonal by diagonal")
    return fused_call(_sqrtm, (_one_square(function, A),))


def _one_square(function: str, a: Any) -> Any:
    x = prepared(function, a, True)
    if x.ndim != 2:
        raise MatrixShapeError(function=function, avals=(x.aval,), why="it takes one matrix; use jax.vmap for a stack")
    return x.astype(complex_dtype(x.dtype))


def _sqrtm(x: Any) -> Any:
    if not x.size:
        return x
    t, z = lax_linalg.schur(x)
    roots = jnp.sqrt(jnp.diagonal(t))
    sums = roots[:, None] + roots[None, :]
    root = _by_superdiagonals(t, roots, lambda r: _quotient(t - product(r, r), sums))
    return product(product(z, root), adjoint(z))


def _quotient(x: Any, y: Any) -> Any:
    """x / y, and x where y is 0."""
    return x / jnp.where(y == 0, jnp.ones((), y.dtype), y)


def funm(A: Any, func: Callable[[Array], Array], disp: bool = True) -> Any:
    """An analytic function of a square matrix.

    Args:
        A: matrix `[n, n]`.
        func: the function of numbers, applied to arrays of eigenvalues.
        disp: whether to give the result alone; otherwise an estimate of the error comes with it.

    Returns:
        Array `[n, n]`, complex; or `(array, error)`.

    Parlett's recurrence (Golub and Van Loan, Matrix Computations, 4th edition, 9.1.4).
    """
    x = _one_square("jsp.linalg.funm", A)
    found, error = _funm(x, func)
    return found if disp else (found, error)


def _funm(x: Any, func: Callable[[Any], Any]) -> Any:
    t, z = lax_linalg.schur(x)
    w = jnp.diagonal(t)
    gaps = w[None, :] - w[:, None]
    made = _by_superdiagonals(t, jnp.asarray(func(w)).astype(x.dtype),
                              lambda f: _quotient(product(t, f) - product(f, t), gaps))
    found = product(product(z, made), adjoint(z))
    real = jnp.finfo(x.dtype).dtype
    tolerance = jnp.finfo(x.dtype).eps
    above = np.triu(np.ones(x.shape, bool), 1)
    least = jnp.minimum(jnp.min(jnp.where(above, jnp.abs(gaps), jnp.inf), initial=jnp.inf), jnp.abs(w[0]))
    least = jnp.where(least == 0, tolerance, least)
    sums = jnp.max(jnp.sum(jnp.abs(upper_part(t, 1)), axis=0))
    error = jnp.minimum(1, jnp.maximum(tolerance, tolerance / least * sums))
    return found, jnp.where(jnp.all(jnp.isfinite(found)), error, jnp.inf).astype(real)


__all__ = ["expm", "expm_frechet", "funm", "sqrtm"]
