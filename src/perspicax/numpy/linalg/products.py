"""Products of vectors and matrices, by the names that the array API standard gives them here."""
from __future__ import annotations

import itertools
import operator
from collections.abc import Sequence
from typing import Any

import perspicax.numpy as jnp
from perspicax.core.array import Array
from perspicax.core.tracer_errors import static_value
from perspicax.lax.linalg.errors import MatrixShapeError
from perspicax.numpy.construct import asarray
from perspicax.numpy.errors import ArgumentKindError, ArgumentValueError
from perspicax.numpy.fusion import fused_call
from perspicax.numpy.linalg.arguments import check_square
from perspicax.numpy.linalg.equations import inv
from perspicax.numpy.promote import array_like


def _arrays(function: str, *xs: Any) -> list[Any]:
    return [asarray(array_like(x, function, i)) for i, x in enumerate(xs)]


def matmul(x1: Any, x2: Any, /, *, precision: Any = None, preferred_element_type: Any = None) -> Array:
    """The product of matrices; see `jax.numpy.matmul`."""
    return jnp.matmul(x1, x2, precision=precision, preferred_element_type=preferred_element_type)


def tensordot(x1: Any, x2: Any, /, *, axes: Any = 2, precision: Any = None, preferred_element_type: Any = None,
              out_sharding: Any = None) -> Array:
    """The sum of products over pairs of axes; see `jax.numpy.tensordot`."""
    return jnp.tensordot(x1, x2, axes=axes, precision=precision, preferred_element_type=preferred_element_type,
                         out_sharding=out_sharding)


def vecdot(x1: Any, x2: Any, /, *, axis: int = -1, precision: Any = None, preferred_element_type: Any = None) -> Array:
    """The inner products of vectors along an axis; see `jax.numpy.vecdot`."""
    return jnp.vecdot(x1, x2, axis=axis, precision=precision, preferred_element_type=preferred_element_type)


def outer(x1: Any, x2: Any, /) -> Array:
    """The products of every entry of one vector with every entry of another.

    Args:
        x1: vector `[m]`.
        x2: vector `[n]`.

    Returns:
        Array `[m, n]`.

    Raises:
        MatrixShapeError: one of them is no vector.
    """
    x, y = _arrays("jnp.linalg.outer", x1, x2)
    if x.ndim != 1 or y.ndim != 1:
        raise MatrixShapeError(function="jnp.linalg.outer", avals=(x.aval, y.aval),
                               why="it takes two vectors; jnp.outer flattens what has more axes")
    return x[:, None] * y[None, :]


def cross(x1: Any, x2: Any, /, *, axis: int = -1) -> Array:
    """The cross product of vectors of three entries along an axis.

    Raises:
        MatrixShapeError: the vectors have not three entries.
    """
    x, y = _arrays("jnp.linalg.cross", x1, x2)
    if any(not v.ndim or v.shape[axis] != 3 for v in (x, y)):
        raise MatrixShapeError(function="jnp.linalg.cross", avals=(x.aval, y.aval),
                               why=f"it takes vectors of 3 entries, along axis {axis}")
    return jnp.cross(x, y, axis=axis)


def diagonal(x: Any, /, *, offset: int = 0) -> Array:
    """The diagonals of matrices `[..., m, n]`, `offset` above the main ones."""
    return jnp.diagonal(_arrays("jnp.linalg.diagonal", x)[0], offset=offset, axis1=-2, axis2=-1)


def trace(x: Any, /, *, offset: int = 0, dtype: Any = None) -> Array:
    """The sums of the diagonals of matrices `[..., m, n]`, `offset` above the main ones."""
    return jnp.trace(_arrays("jnp.linalg.trace", x)[0], offset=offset, axis1=-2, axis2=-1, dtype=dtype)


def matrix_transpose(x: Any, /) -> Array:
    """The matrices `[..., m, n]` turned over."""
    return jnp.matrix_transpose(x)


def matrix_power(a: Any, n: int) -> Array:
    """Square matrices multiplied `n` times with themselves; the inverse for a negative `n`, the identity for 0.

    Args:
        a: matrices `[..., m, m]`.
        n: integer.

    Returns:
        Array of the shape of `a`; floating for negative `n`.

    Raises:
        SquareMatrixError: the matrices are not square.
        ArgumentKindError: `n` is no integer.
    """
    function = "jnp.linalg.matrix_power"
    [x] = _arrays(function, a)
    check_square(function, x.aval)
    try:
        n = operator.index(static_value(n, function, "n"))
    except TypeError as error:
        if type(error) is not TypeError:  # a traced one has its own report
            raise
        raise ArgumentKindError(says=f"`{function}` was given the exponent {n!r}.",
                                why="it multiplies a whole number of times") from None
    if n < 0:
        x, n = inv(x), -n
    return fused_call(_power, (x,), n=n)


def _power(x: Any, *, n: int) -> Any:
    """By repeated squaring."""
    if n == 0:
        return jnp.broadcast_to(jnp.eye(x.shape[-1], dtype=x.dtype), x.shape)
    found = None
    while True:
        if n & 1:
            found = x if found is None else found @ x
        n >>= 1
        if not n:
            return found
        x = x @ x


def multi_dot(arrays: Sequence[Any], *, precision: Any = None) -> Array:
    """The product of several matrices, in the order that takes the fewest multiplications.

    Args:
        arrays: two or more matrices `[m, n]`; the first and the last may be vectors.
        precision: of the products; see `jax.lax.Precision`.

    Raises:
        ArgumentValueError: there are less than two.
        MatrixShapeError: they are no matrices, or their sizes do not go together.
    """
    function = "jnp.linalg.multi_dot"
    xs = _arrays(function, *arrays)
    avals = tuple([x.aval for x in xs])
    if len(xs) < 2:
        raise ArgumentValueError(says=f"`{function}` was given {len(xs) or 'no'} array{'' if len(xs) == 1 else 's'}.",
                                 why="it multiplies two matrices or more")
    if any(x.ndim != 2 for x in xs[1:-1]) or any(x.ndim not in (1, 2) for x in (xs[0], xs[-1])):
        raise MatrixShapeError(function=function, avals=avals,
                               why="all are matrices; only the first and the last may be vectors")
    if any(x.shape[-1] != y.shape[0] for x, y in itertools.pairwise(xs)):
        raise MatrixShapeError(function=function, avals=avals,
                               why="each has as many columns as the next one has rows")
    sizes = [xs[0].shape[0] if xs[0].ndim == 2 else 1, *[x.shape[0] for x in xs[1:]],
             xs[-1].shape[1] if xs[-1].ndim == 2 else 1]
    return _chain(xs, _best_splits(sizes), 0, len(xs) - 1, precision)


def _best_splits(sizes: list[int]) -> dict[tuple[int, int], int]:
    """Where to split the product of matrices i … j; by Cormen et al., Introduction to Algorithms, 15.2."""
    count = len(sizes) - 1
    cost = {(i, i): 0 for i in range(count)}
    splits: dict[tuple[int, int], int] = {}
    for length in range(1, count):
        for i in range(count - length):
            j = i + length
            options = [(cost[i, k] + cost[k + 1, j] + sizes[i] * sizes[k + 1] * sizes[j + 1], k) for k in range(i, j)]
            cost[i, j], splits[i, j] = min(options)
    return splits


def _chain(xs: list[Any], splits: dict[tuple[int, int], int], i: int, j: int, precision: Any) -> Any:
    if i == j:
        return xs[i]
    k = splits[i, j]
    return jnp.matmul(_chain(xs, splits, i, k, precision), _chain(xs, splits, k + 1, j, precision), precision=precision)


__all__ = ["cross", "diagonal", "matmul", "matrix_power", "matrix_transpose", "multi_dot", "outer",
           "tensordot", "trace", "vecdot"]
