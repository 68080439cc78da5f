"""Window functions, by which a piece of a signal fades in and out; and the Bessel function in Kaiser's."""
from __future__ import annotations

import math
import operator
from collections.abc import Callable
from typing import Any

import numpy as np

from perspicax.core import dtypes
from perspicax.core.array import Array
from perspicax.core.tracer_errors import static_value
from perspicax.diagnose.boundary import public
from perspicax.lax import compare
from perspicax.lax import shape as lax_shape
from perspicax.lax.convert import convert
from perspicax.lax.special import bessel_i0e, bessel_i1e
from perspicax.numpy.construct import asarray
from perspicax.numpy.creation import ones
from perspicax.numpy.errors import ArgumentKindError, UfuncDtypeError
from perspicax.numpy.fusion import fused_call
from perspicax.numpy.logic import kind
from perspicax.numpy.operators import absolute, cos, exp, sqrt
from perspicax.numpy.promote import array_like, promote_args
from perspicax.transform.custom import custom_jvp


def length_of(M: Any, function: str, argument: str = "M") -> int:
    """A number of entries that a function was given.

    Raises:
        ArgumentKindError: it is no integer.
        ConcretizationTypeError: it is traced.
    """
    try:
        return operator.index(static_value(M, f"jnp.{function}", argument))
    except TypeError as error:
        if type(error) is not TypeError:  # a traced one has its own report
            raise
        raise ArgumentKindError(says=f"`{function}` was given {argument}={M!r}.",
                                why="it is a number of entries: an integer") from None


def _window(name: str, f: Callable[[Any, int], Any], what: str, source: str) -> Callable[[int], Array]:
    @public
    def function(M: int) -> Array:
        n = length_of(M, name)
        return ones(n) if n <= 1 else fused_call(_sampled, (), formula=f, n=n, dtype=dtypes.default_dtype("float"))

    function.__name__ = function.__qualname__ = name
    function.__module__ = "perspicax.numpy"
    function.__doc__ = f"""{what}

    Args:
        M: the number of entries.

    Returns:
        Vector of `M` entries of the default floating dtype, symmetric; a single entry is 1.

    Raises:
        ConcretizationTypeError: `M` is traced; the shape of the result would depend on a value.

    {source}
    """
    return function


def _sampled(*, formula: Callable[[Any, int], Any], n: int, dtype: Any) -> Any:
    return formula(lax_shape.broadcasted_iota(dtype, (n,), 0), n)


def _blackman(k: Any, n: int) -> Any:
    return 0.42 - 0.5 * cos(2 * math.pi * k / (n - 1)) + 0.08 * cos(4 * math.pi * k / (n - 1))


def _hamming(k: Any, n: int) -> Any:
    return 0.54 - 0.46 * cos(2 * math.pi * k / (n - 1))


def _hanning(k: Any, n: int) -> Any:
    return 0.5 * (1 - cos(2 * math.pi * k / (n - 1)))


def _bartlett(k: Any, n: int) -> Any:
    return 1 - absolute(2 * k + 1 - n) / (n - 1)


blackman = _window("blackman", _blackman, "The window of Blackman: three terms of a cosine series.",
                   "Blackman and Tukey, The measurement of power spectra, 1958.")
hamming = _window("hamming", _hamming, "The window of Hamming: a cosine on a pedestal.",
                  "Blackman and Tukey, The measurement of power spectra, 1958.")
hanning = _window("hanning", _hanning, "The window of von Hann: a cosine from 0 to 0.",
                  "Blackman and Tukey, The measurement of power spectra, 1958.")
bartlett = _window("bartlett", _bartlett, "The window of Bartlett: a triangle from 0 to 0.",
                   "Bartlett, Biometrika 37, 1950.")


@public
def kaiser(M: int, beta: Any) -> Array:
    """The window of Kaiser, whose shape is a parameter.

    Args:
        M: the number of entries.
        beta: scalar: 0 is a rectangle, and the larger it is, the narrower the window. An array must broadcast to the window.

    Returns:
        Vector of `M` entries of the default floating dtype, symmetric; a single entry is 1.

    Raises:
        ConcretizationTypeError: `M` is traced; the shape of the result would depend on a value.

    Kaiser and Kuo, System analysis by digital computer, 1966.
    """
    n = length_of(M, "kaiser")
    dtype: Any = dtypes.default_dtype("float")
    if n <= 1:
        return ones(n)
    shape = asarray(array_like(beta, "kaiser", 1))
    return fused_call(_kaiser, (convert(shape, dtype, False),), n=n, dtype=dtype)


def _kaiser(beta: Any, *, n: int, dtype: Any) -> Any:
    k = lax_shape.broadcasted_iota(dtype, (n,), 0)
    middle = 0.5 * (n - 1)
    return _i0(beta * sqrt(1 - ((k - middle) / middle) ** 2)) / _i0(beta)


@public
def i0(x: Any) -> Array:
    """The modified Bessel function of the first kind and order 0, element by element.

    Args:
        x: real array; integers become floating.

    Raises:
        UfuncDtypeError: `x` is complex.
    """
    (x,) = promote_args("i0", x, inexact=True)
    x = asarray(x)
    if kind(x) == "complex":
        raise UfuncDtypeError(function="i0", type_text=x.aval.str_short(), kind="it is computed for real numbers only")
    return fused_call(_i0, (x,))


@custom_jvp
def _i0(x: Any) -> Any:
    return exp(absolute(x)) * bessel_i0e(x)


@_i0.defjvp
def _i0_jvp(primals: tuple[Any], tangents: tuple[Any]) -> tuple[Any, Any]:
    """The derivative is the function of order 1: where the exponentials overflow, no difference of them is taken."""
    (x,), (t,) = primals, tangents
    slope = compare.select(compare.eq(x, np.zeros((), x.dtype)), x, exp(absolute(x)) * bessel_i1e(x))
    return _i0(x), slope * t


__all__ = ["bartlett", "blackman", "hamming", "hanning", "i0", "kaiser", "length_of"]
