"""Matrices of a special form, made from a few numbers.

Those that depend on a size alone are computed exactly, in Python's integers, and rounded once.
"""
from __future__ import annotations

import math
import operator
from collections.abc import Callable
from typing import Any

import numpy as np

import perspicax.numpy as jnp
from perspicax.core import dtypes
from perspicax.core.array import Array
from perspicax.lax.linalg.errors import MatrixShapeError
from perspicax.numpy.construct import asarray
from perspicax.numpy.errors import ArgumentKindError, ArgumentValueError, ShapeMismatchError
from perspicax.numpy.promote import array_like, promote_dtypes


def _vectors(function: str, *xs: Any) -> list[Any]:
    """Operands as arrays of one dtype, each with an axis at least."""
    found = promote_dtypes(*[asarray(array_like(x, function, i)) for i, x in enumerate(xs)])
    return [x.reshape(1) if x.ndim == 0 else x for x in found]


def _count(function: str, n: Any, least: int = 0) -> int:
    if isinstance(n, float) and n.is_integer():
        n = int(n)
    try:
        n = operator.index(n)
    except TypeError:
        raise ArgumentKindError(says=f"`{function}` was given n={n!r}.", why="a size is an integer") from None
    if n < least:
        raise ArgumentValueError(says=f"`{function}` was given n={n}.", why=f"the size is at least {least}")
    return n


def _table(n: int, entry: Callable[[int, int], int]) -> np.ndarray:
    """The matrix of integers `entry(i, j)`, rounded once to floating numbers."""
    return np.array([[float(entry(i, j)) for j in range(n)] for i in range(n)]).reshape(n, n)


def _default(values: np.ndarray, kind: str = "float") -> Any:
    with np.errstate(over="ignore"):
        return jnp.asarray(values.astype(dtypes.default_dtype(kind)))


def toeplitz(c: Any, r: Any = None) -> Array:
    """Matrices of constant diagonals.

    Args:
        c: first columns `[..., m]`.
        r: first rows `[..., n]`, whose first entry is not read; the conjugate of `c` by default.

    Returns:
        Array `[..., m, n]`.

    >>> toeplitz(jnp.array([1, 2, 3]))
    Array([[1, 2, 3],
           [2, 1, 2],
           [3, 2, 1]], dtype=int32)
    """
    column, row = _vectors("jsp.linalg.toeplitz", c, c if r is None else r)
    row = jnp.conj(row) if r is None else row
    stack = jnp.broadcast_shapes(column.shape[:-1], row.shape[:-1])
    column, row = (jnp.broadcast_to(x, (*stack, x.shape[-1])) for x in (column, row))
    m, n = column.shape[-1], row.shape[-1]
    values = jnp.concatenate([jnp.flip(row[..., 1:], -1), column], axis=-1)
    return values[..., np.maximum(n - 1, 0) + np.arange(m)[:, None] - np.arange(n)]


def circulant(c: Any) -> Array:
    """Matrices whose columns are one vector, each turned by one entry against the last.

    Args:
        c: first columns `[..., n]`.

    Returns:
        Array `[..., n, n]`.
    """
    [column] = _vectors("jsp.linalg.circulant", c)
    n = column.shape[-1]
    return column[..., (np.arange(n)[:, None] - np.arange(n)) % max(n, 1)]


def hankel(c: Any, r: Any = None) -> Array:
    """Matrices of constant antidiagonals.

    Args:
        c: first columns `[..., m]`.
        r: last rows `[..., n]`, whose first entry is not read; zeros by default.

    Returns:
        Array `[..., m, n]`.
    """
    function = "jsp.linalg.hankel"
    if np.ndim(array_like(c, function)) == 0:
        raise ArgumentValueError(says=f"`{function}` was given a number as its 1st argument.", why="it takes a vector")
    column, row = _vectors(function, c, c if r is None else r)
    row = jnp.zeros_like(row) if r is None else row
    stack = jnp.broadcast_shapes(column.shape[:-1], row.shape[:-1])
    column, row = (jnp.broadcast_to(x, (*stack, x.shape[-1])) for x in (column, row))
    m, n = column.shape[-1], row.shape[-1]
    values = jnp.concatenate([column, row[..., 1:]], axis=-1)
    return values[..., np.arange(m)[:, None] + np.arange(n)]


def companion(a: Any) -> Array:
    """The companion matrices of polynomials: their eigenvalues are the roots.

    Args:
        a: coefficients `[..., n]`, n ≥ 2, from the highest power; the first is not 0.

    Returns:
        Array `[..., n - 1, n - 1]`, floating.
    """
    [x] = promote_dtypes(*_vectors("jsp.linalg.companion", a), inexact=True)
    n = x.shape[-1] - 1
    if n < 1:
        raise MatrixShapeError(function="jsp.linalg.companion", avals=(x.aval,),
                               why="a polynomial has two coefficients at least, along the last axis")
    first = -x[..., 1:] / x[..., :1]
    top = np.arange(n)[:, None] == 0
    return jnp.where(top, first[..., None, :], jnp.asarray(np.eye(n, k=-1), x.dtype))


def fiedler(a: Any) -> Array:
    """The sizes of the differences of all pairs of entries.

    Args:
        a: vectors `[..., n]`.

    Returns:
        Real array `[..., n, n]`.
    """
    [x] = _vectors("jsp.linalg.fiedler", a)
    return jnp.abs(x[..., :, None] - x[..., None, :])


def fiedler_companion(a: Any) -> Array:
    """Companion matrices of polynomials with five diagonals (Fiedler, Linear Algebra Appl. 372, 2003).

    Args:
        a: coefficients `[..., n]`, n ≥ 1, from the highest power; the first is not 0.

    Returns:
        Array `[..., n - 1, n - 1]`, floating.
    """
    [x] = promote_dtypes(*_vectors("jsp.linalg.fiedler_companion", a), inexact=True)
    n = x.shape[-1] - 1
    if n < 0:
        raise MatrixShapeError(function="jsp.linalg.fiedler_companion", avals=(x.aval,),
                               why="a polynomial has a coefficient at least, along the last axis")
    which, one = np.zeros((n, n), int), np.zeros((n, n))  # the coefficient that stands at each place; ones
    even = np.arange(0, max(n - 1, 0), 2)
    which[even, even + 1] = even + 2
    even = np.arange(2, n, 2)
    which[even, even - 1] = even + 1
    one[even - 2, even] = 1
    odd = np.arange(3, n, 2)
    one[odd, odd - 2] = 1
    if n > 0:
        which[0, 0] = 1
    if n > 1:
        one[1, 0] = 1
    return jnp.where(which > 0, -(x / x[..., :1])[..., which], jnp.asarray(one, x.dtype))


def leslie(f: Any, s: Any) -> Array:
    """Leslie matrices of population growth.

    Args:
        f: fecundities `[..., n]`, n ≥ 2.
        s: survival rates `[..., n - 1]`.

    Returns:
        Array `[..., n, n]`, floating: `f` as the first row, `s` below the diagonal.
    """
    function = "jsp.linalg.leslie"
    x, y = promote_dtypes(*_vectors(function, f, s), inexact=True)
    n = x.shape[-1]
    if n < 2 or y.shape[-1] != n - 1:
        raise MatrixShapeError(function=function, avals=(x.aval, y.aval),
                               why="there are at least 2 fecundities, and one survival rate less")
    stack = jnp.broadcast_shapes(x.shape[:-1], y.shape[:-1])
    x, y = (jnp.broadcast_to(v, (*stack, v.shape[-1])) for v in (x, y))
    below = y[..., np.maximum(np.arange(n) - 1, 0), None] * jnp.asarray(np.eye(n, k=-1), y.dtype)
    return jnp.where(np.arange(n)[:, None] == 0, x[..., None, :], below)


def convolution_matrix(a: Any, n: int, mode: str = "full") -> Array:
    """The matrices that convolve a vector of `n` entries with `a`.

    Args:
        a: vectors `[..., m]`, m ≥ 1.
        n: size of the other vector.
        mode: as `numpy.convolve` has it: `"full"`, `"same"` or `"valid"`.

    Returns:
        Array `[..., rows, n]`, with as many rows as the convolution has entries.
    """
    function = "jsp.linalg.convolution_matrix"
    n = _count(function, n, 1)
    [x] = _vectors(function, a)
    m = x.shape[-1]
    if not m:
        raise MatrixShapeError(function=function, avals=(x.aval,), why="there is an entry at least, along the last axis")
    small, large = min(m, n), max(m, n)
    rows = {"full": (0, m + n - 1), "same": ((small - 1) // 2, large), "valid": (small - 1, large - small + 1)}
    if mode not in rows:
        raise ArgumentValueError(says=f"`{function}` was given mode={mode!r}.",
                                 why="the modes are 'full', 'same' and 'valid'")
    start, count = rows[mode]
    places = np.arange(start, start + count)[:, None] - np.arange(n)
    inside = (places >= 0) & (places < m)
    return jnp.where(inside, x[..., np.clip(places, 0, m - 1)], jnp.zeros((), x.dtype))


def block_diag(*arrs: Any) -> Array:
    """A matrix with others along its diagonal, and zeros elsewhere.

    Args:
        arrs: matrices; a vector counts as one row, a number as one entry.

    Raises:
        ShapeMismatchError: an array has more than two axes.
    """
    if not arrs:
        return jnp.zeros((1, 0))
    xs = promote_dtypes(*[asarray(array_like(x, "jsp.linalg.block_diag", i)) for i, x in enumerate(arrs)])
    for i, x in enumerate(xs):
        if x.ndim > 2:
            raise ShapeMismatchError(says=f"`jsp.linalg.block_diag` was given {x.aval.str_short()} as argument {i}.",
                                     why="it takes matrices, vectors and numbers")
    xs = [jnp.atleast_2d(x) for x in xs]
    width, rows, before = sum(x.shape[1] for x in xs), [], 0
    for x in xs:
        rows.append(jnp.pad(x, ((0, 0), (before, width - before - x.shape[1]))))
        before += x.shape[1]
    return jnp.concatenate(rows, axis=0)


def dft(n: int, scale: str | None = None, *, dtype: Any = None) -> Array:
    """The matrix of the discrete Fourier transform.

    Args:
        n: size.
        scale: None, `"sqrtn"` (which makes it unitary) or `"n"`.
        dtype: a complex dtype.
    """
    function = "jsp.linalg.dft"
    n = max(_count(function, n, -(1 << 62)), 0)
    factors = {None: 1, "sqrtn": math.sqrt(max(n, 1)), "n": max(n, 1)}
    if scale not in factors:
        raise ArgumentValueError(says=f"`{function}` was given scale={scale!r}.", why="it is None, 'sqrtn' or 'n'")
    wanted = dtypes.default_dtype("complex") if dtype is None else dtypes.requested_dtype(dtype, function)
    if not dtypes.issubdtype(wanted, np.complexfloating):
        raise ArgumentValueError(says=f"`{function}` was given dtype={wanted}.", why="its entries are complex")
    turns = (np.arange(n)[:, None] * np.arange(n)) % max(n, 1)
    return jnp.asarray((np.exp(-2j * np.pi * turns / max(n, 1)) / factors[scale]).astype(wanted))


def hadamard(n: int, dtype: Any = int) -> Array:
    """Hadamard's matrix of 1 and -1, by Sylvester's construction.

    Args:
        n: size, a power of 2.
        dtype: of the result.
    """
    function = "jsp.linalg.hadamard"
    size = int(n)
    if size != n or size < 1 or size & (size - 1):
        raise ArgumentValueError(says=f"`{function}` was given n={n}.", why="the size is a power of 2")
    wanted: Any = dtypes.requested_dtype(dtype, function)
    if wanted == np.dtype(bool):
        raise ArgumentKindError(says=f"`{function}` was given dtype=bool.", why="its entries are 1 and -1")
    places = np.arange(size)
    common, odd = places[:, None] & places, np.zeros((size, size), int)
    for bit in range(size.bit_length()):
        odd ^= (common >> bit) & 1
    return jnp.asarray((1 - 2 * odd).astype(wanted))


def helmert(n: int, full: bool = False) -> Array:
    """Helmert's matrix: orthonormal rows, each a contrast of one entry with those before it.

    Args:
        n: size, at least 1.
        full: whether to give the first row too, which is constant.

    Returns:
        Array `[n - 1, n]`, or `[n, n]`.
    """
    n = _count("jsp.linalg.helmert", n, 1)
    row, column = np.arange(1, n)[:, None], np.arange(n)
    contrasts = np.where(column < row, 1, np.where(column == row, -row, 0)) / np.sqrt(row * (row + 1))
    first = np.full((1, n), 1 / np.sqrt(n))
    return _default(np.concatenate([first, contrasts]) if full else contrasts)


def hilbert(n: int) -> Array:
    """Hilbert's matrix, 1 / (i + j + 1).

    Args:
        n: size.
    """
    n = _count("jsp.linalg.hilbert", n)
    return _default(1 / (1 + np.arange(n)[:, None] + np.arange(n)))


def invhilbert(n: int) -> Array:
    """The inverse of Hilbert's matrix, whose entries are integers.

    Args:
        n: size.
    """
    n = max(_count("jsp.linalg.invhilbert", n, -(1 << 62)), 0)
    return _default(_table(n, lambda i, j: (-1) ** (i + j) * (i + j + 1) * math.comb(n + i, n - j - 1)
                           * math.comb(n + j, n - i - 1) * math.comb(i + j, i) ** 2))


PASCAL_KINDS = (None, "symmetric", "lower", "upper")


def _pascal_kind(function: str, kind: Any) -> str:
    if kind not in PASCAL_KINDS:
        raise ArgumentValueError(says=f"`{function}` was given kind={kind!r}.",
                                 why="the kinds are 'symmetric', 'lower' and 'upper'")
    return kind or "symmetric"


def pascal(n: int, kind: str | None = None) -> Array:
    """Pascal's matrix of binomial coefficients.

    Args:
        n: size.
        kind: `"symmetric"`, the default (i + j over i), `"lower"` (i over j) or `"upper"`.

    Returns:
        float32 `[n, n]`, also where float64 is on.
    """
    n = max(_count("jsp.linalg.pascal", n, -(1 << 62)), 0)
    match _pascal_kind("jsp.linalg.pascal", kind):
        case "symmetric":
            found = _table(n, lambda i, j: math.comb(i + j, i))
        case "lower":
            found = _table(n, math.comb)
        case _:
            found = _table(n, lambda i, j: math.comb(j, i))
    return jnp.asarray(found.astype(np.float32))


def invpascal(n: int, kind: str | None = None) -> Array:
    """The inverse of Pascal's matrix, whose entries are integers; see `pascal`."""
    n = max(_count("jsp.linalg.invpascal", n, -(1 << 62)), 0)
    signed = lambda i, j: (-1) ** (i + j) * math.comb(i, j)
    match _pascal_kind("jsp.linalg.invpascal", kind):
        case "symmetric":
            return _default(_table(n, lambda i, j: sum(signed(k, i) * signed(k, j) for k in range(n))))
        case "lower":
            return _default(_table(n, signed))
        case _:
            return _default(_table(n, lambda i, j: signed(j, i)))


__all__ = ["block_diag", "circulant", "companion", "convolution_matrix", "dft", "fiedler", "fiedler_companion", "hadamard",
           "hankel", "helmert", "hilbert", "invhilbert", "invpascal", "leslie", "pascal", "toeplitz"]
