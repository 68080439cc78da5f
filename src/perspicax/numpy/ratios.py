"""Values at equal ratios: `logspace` and `geomspace`."""
from __future__ import annotations

from typing import Any

from perspicax.core import dtypes
from perspicax.core.array import Array
from perspicax.core.promotion import result_type
from perspicax.diagnose.boundary import public
from perspicax.lax.convert import convert
from perspicax.numpy.arithmetic import power
from perspicax.numpy.axes import one_axis
from perspicax.numpy.construct import asarray
from perspicax.numpy.creation import linspace
from perspicax.numpy.fusion import fused_call
from perspicax.numpy.promote import array_like, to_inexact
from perspicax.numpy.shapes import moveaxis
from perspicax.numpy.ufuncs import log10, real, sign
from perspicax.numpy.windows import length_of


@public
def logspace(start: Any, stop: Any, num: int = 50, endpoint: bool = True, base: Any = 10.0, dtype: Any = None,
             axis: int = 0) -> Array:
    """Powers of `base` whose exponents lie at equal distances.

    Args:
        start: the first exponent, or an array of first exponents.
        stop: the last exponent, or an array that broadcasts with `start`.
        num: how many values.
        endpoint: whether the power of `stop` is one of them.
        base: what is raised to these powers: scalar, or array that broadcasts with the result.
        dtype: of the result; by default the floating one in which `start` and `stop` meet.
        axis: where the new axis goes.

    Returns:
        Array whose axis `axis` has size `num`.

    Raises:
        ConcretizationTypeError: `num` is traced; the shape of the result would depend on a value.

    >>> logspace(0, 2, 3)
    Array([  1.,  10., 100.], dtype=float32)
    """
    start, stop = array_like(start, "logspace", 0), array_like(stop, "logspace", 1)
    wanted = _wanted(dtype, (start, stop), "logspace")
    exponents = linspace(start, stop, length_of(num, "logspace", "num"), endpoint, axis=axis)
    found = power(array_like(base, "logspace", 4), exponents)
    return convert(found, wanted, False)


def _wanted(dtype: Any, bounds: tuple[Any, Any], function: str) -> Any:
    return to_inexact(result_type(*bounds)) if dtype is None else dtypes.requested_dtype(dtype, function)


@public
def geomspace(start: Any, stop: Any, num: int = 50, endpoint: bool = True, dtype: Any = None, axis: int = 0) -> Array:
    """Values from one to another, each the same multiple of the one before.

    Args:
        start: the first value, or an array of first values; not 0.
        stop: the last value, or an array that broadcasts with `start`; real ones have the sign of `start`.
        num: how many values.
        endpoint: whether `stop` is one of them.
        dtype: of the result; by default the floating one in which `start` and `stop` meet.
        axis: where the new axis goes.

    Returns:
        Array whose axis `axis` has size `num`.

    Raises:
        ConcretizationTypeError: `num` is traced; the shape of the result would depend on a value.

    >>> geomspace(1, 100, 3)
    Array([  1.,  10., 100.], dtype=float32)
    """
    start, stop = array_like(start, "geomspace", 0), array_like(stop, "geomspace", 1)
    wanted = _wanted(dtype, (start, stop), "geomspace")
    work = to_inexact(wanted)
    n = length_of(num, "geomspace", "num")
    found = fused_call(_geomspace, (convert(asarray(start), work, False), convert(asarray(stop), work, False)), n=n,
                       endpoint=bool(endpoint))
    return convert(moveaxis(found, 0, one_axis(axis, found.ndim, "geomspace")), wanted, False)


def _geomspace(start: Any, stop: Any, *, n: int, endpoint: bool) -> Any:
    """Through the logarithms; those of two negative numbers are taken of their absolute values."""
    both_negative = (1 - sign(real(start))) * (1 - sign(real(stop))) // 2
    flip = convert(1 - both_negative, start.dtype, False)
    first, last = [log10(flip * v) for v in (start, stop)]
    return flip * convert(power(10.0, linspace(first, last, n, endpoint)), start.dtype, False)


__all__ = ["geomspace", "logspace"]
