"""What the functions of `jax.numpy.linalg` do with their arguments first."""
from __future__ import annotations

from typing import Any

from perspicax.lax.linalg.errors import MatrixShapeError, SquareMatrixError
from perspicax.numpy.construct import asarray
from perspicax.numpy.promote import array_like, promote_dtypes


def inexact(function: str, *xs: Any) -> list[Any]:
    """Operands as arrays of their common floating or complex dtype.

    Raises:
        NotArrayLikeError: one of them is a list, None, …
    """
    return promote_dtypes(*[asarray(array_like(x, function, i)) for i, x in enumerate(xs)], inexact=True)


def square(function: str, x: Any) -> Any:
    """A stack of square matrices of a floating or complex dtype.

    Raises:
        SquareMatrixError: the last two axes differ, or are not there.
    """
    [x] = inexact(function, x)
    check_square(function, x.aval)
    return x


def check_square(function: str, aval: Any, index: int = 0, count: int = 1) -> None:
    """Refuse what is no square matrix, or a stack of them."""
    if aval.ndim < 2 or aval.shape[-1] != aval.shape[-2]:
        raise SquareMatrixError(function=function, aval=aval, index=index, count=count)


def matrix(function: str, x: Any) -> Any:
    """A stack of matrices of a floating or complex dtype.

    Raises:
        MatrixShapeError: there are less than two axes.
    """
    [x] = inexact(function, x)
    check_matrix(function, x.aval)
    return x


def check_matrix(function: str, aval: Any) -> None:
    """Refuse what has less than two axes."""
    if aval.ndim < 2:
        raise MatrixShapeError(function=function, avals=(aval,),
                               why="it takes a matrix, or a stack of matrices: an array [..., m, n]")


__all__ = ["check_matrix", "check_square", "inexact", "matrix", "square"]
