"""Arrays from files, bytes and text, and as text: NumPy's own functions, whose results become arrays."""
from __future__ import annotations

import os
from typing import IO, Any, NoReturn

import numpy as np
from numpy import array_repr, get_printoptions, iterable, printoptions, save, savez, set_printoptions

from perspicax.core import dtypes
from perspicax.core.array import Array
from perspicax.diagnose.boundary import public
from perspicax.diagnose.errors import ReportedError
from perspicax.diagnose.report import Fix
from perspicax.numpy.construct import asarray
from perspicax.numpy.errors import ArgumentValueError


@public
def array_str(a: Any, max_line_width: int | None = None, precision: int | None = None,
              suppress_small: bool | None = None) -> str:
    """The values of an array as text, without its dtype.

    Args:
        a: array.
        max_line_width: after how many characters a line is broken.
        precision: how many digits floating numbers have.
        suppress_small: whether numbers that are 0 to this precision are written as 0.

    What is not given is as `set_printoptions` said.
    """
    return np.array_str(np.asarray(a), max_line_width, precision, suppress_small)  # NumPy's takes no others without axes


@public
def load(file: IO[bytes] | str | os.PathLike[Any], *args: Any, **kwargs: Any) -> Any:
    """What `save` or `savez` wrote.

    Args:
        file: a file opened for reading bytes, or a path.
        args: further arguments of `numpy.load`.
        kwargs: likewise.

    Returns:
        Array; of an archive of `savez` NumPy's mapping of names to NumPy arrays.

    bfloat16, of which NumPy writes only the bits, is recognised.
    """
    found = np.load(file, *args, **kwargs)
    if not isinstance(found, np.ndarray):
        return found
    return asarray(found.view(dtypes.bfloat16) if found.dtype == np.dtype("V2") else found)


@public
def frombuffer(buffer: Any, dtype: Any = float, count: int = -1, offset: int = 0) -> Array:
    """The bytes of a buffer read as numbers.

    Args:
        buffer: bytes, or an object with the buffer protocol.
        dtype: of the numbers as they lie there; the result's, too, as far as it is enabled.
        count: how many; all by default.
        offset: how many bytes are left out first.

    Raises:
        ArgumentValueError: the bytes are not enough, or no whole number of numbers.
    """
    source = np.asarray(buffer) if isinstance(buffer, Array) else buffer
    try:
        return asarray(np.frombuffer(source, np.dtype(dtype), count, offset))
    except ValueError as error:
        raise ArgumentValueError(says=f"`frombuffer` cannot read numbers of dtype {np.dtype(dtype)} from the buffer.",
                                 why=str(error)) from None


@public
def fromstring(string: str, dtype: Any = float, count: int = -1, *, sep: str) -> Array:
    """Numbers written in a text.

    Args:
        string: the text.
        dtype: of the result.
        count: how many; all by default.
        sep: what stands between them.

    >>> fromstring("1, 2", sep=",")
    Array([1., 2.], dtype=float32)
    """
    return asarray(np.fromstring(string, np.dtype(dtype), count, sep=sep))


class NotPureError(ReportedError, NotImplementedError):
    """A function of NumPy's was called that reads what changes as it is read."""


def _not_pure(function: str) -> NoReturn:
    raise NotPureError(says=f"`jnp.{function}` is not supported.",
                       why="what it reads changes by being read, so that a function that calls it could not be traced and "
                           "then run again",
                       fixes=(Fix("read with NumPy, and make an array of it", code=f"jnp.asarray(np.{function}(...))"),))


@public
def fromfile(*args: Any, **kwargs: Any) -> NoReturn:
    """Is not supported: `jnp.asarray(np.fromfile(...))` reads a file.

    Raises:
        NotPureError: always.
    """
    del args, kwargs
    _not_pure("fromfile")


@public
def fromiter(*args: Any, **kwargs: Any) -> NoReturn:
    """Is not supported: `jnp.asarray(np.fromiter(...))` exhausts an iterator.

    Raises:
        NotPureError: always.
    """
    del args, kwargs
    _not_pure("fromiter")


__all__ = ["array_repr", "array_str", "frombuffer", "fromfile", "fromiter", "fromstring", "get_printoptions", "iterable",
           "load", "printoptions", "save", "savez", "set_printoptions"]
