"""Convolution and correlation of two vectors."""
from __future__ import annotations

from typing import Any

from perspicax.core.array import Array
from perspicax.core.tracer import get_aval
from perspicax.diagnose.boundary import public
from perspicax.lax import shape as lax_shape
from perspicax.lax.convert import conj, convert
from perspicax.lax.convolution import conv_general_dilated
from perspicax.lax.shape import rev
from perspicax.numpy.construct import asarray
from perspicax.numpy.errors import ArgumentValueError
from perspicax.numpy.logic import kind
from perspicax.numpy.products import result_dtype
from perspicax.numpy.promote import array_like, promote_dtypes

_MODES = ("full", "same", "valid")


def _vectors(function: str, a: Any, v: Any, mode: Any) -> tuple[Any, Any]:
    """Two vectors of one floating or complex dtype."""
    if mode not in _MODES:
        raise ArgumentValueError(says=f"`{function}` was given mode={mode!r}.", why='it is "full", "same" or "valid"')
    given = [array_like(x, function, i) for i, x in enumerate((a, v))]
    types: list[Any] = [get_aval(x) for x in given]
    for aval in types:
        if aval.ndim != 1:
            raise ArgumentValueError(says=f"`{function}` was given {aval.str_short()}.", why="it takes vectors")
        if aval.size == 0:
            raise ArgumentValueError(says=f"`{function}` was given {aval.str_short()}, which is empty.",
                                     why="there is no sum of products without entries")
    x, y = promote_dtypes(*given, inexact=True)
    return asarray(x), asarray(y)


def slid(x: Any, y: Any, mode: str, precision: Any, dtype: Any, function: str) -> Any:
    """The sums of products as the shorter vector slides along the longer; `y` is turned round already where it has to be."""
    n = y.shape[0]
    padding = {"full": (n - 1, n - 1), "same": (n // 2, n - n // 2 - 1), "valid": (0, 0)}[mode]
    wanted, weak = result_dtype((x.aval, y.aval), dtype, function)
    found = conv_general_dilated(lax_shape.reshape(x, (1, 1, x.shape[0])), lax_shape.reshape(y, (1, 1, n)), (1,), [padding],
                                 precision=precision, preferred_element_type=wanted)
    return convert(lax_shape.reshape(found, (found.shape[2],)), wanted, weak)


def convolve_full(x: Any, y: Any) -> Any:
    """The full convolution of two vectors of one dtype that have entries."""
    x, y = (y, x) if x.shape[0] < y.shape[0] else (x, y)
    return slid(x, rev(y, (0,)), "full", None, None, "convolve")


@public
def convolve(a: Any, v: Any, mode: str = "full", *, precision: Any = None, preferred_element_type: Any = None) -> Array:
    """The convolution of two vectors: `sum(a[k] * v[n - k])` for each `n`.

    Args:
        a: vector `[n]` with entries.
        v: vector `[m]` with entries.
        mode: "full" for all `n + m - 1` sums, "same" for the middle `max(n, m)`, "valid" for those of full overlap.
        precision: of the products; see `lax.Precision`.
        preferred_element_type: dtype in which the sums are kept and returned.

    Returns:
        Vector of the dtype in which both meet, integers as floating numbers.

    Raises:
        ArgumentValueError: one of them is no vector, or empty; or there is no such mode.

    >>> convolve(jnp.array([1., 2.]), jnp.array([1., 1., 1.]))
    Array([1., 3., 3., 2.], dtype=float32)
    """
    x, y = _vectors("convolve", a, v, mode)
    if x.shape[0] < y.shape[0]:
        x, y = y, x
    return slid(x, rev(y, (0,)), mode, precision, preferred_element_type, "convolve")


@public
def correlate(a: Any, v: Any, mode: str = "valid", *, precision: Any = None, preferred_element_type: Any = None) -> Array:
    """The cross-correlation of two vectors: `sum(a[n + k] * conj(v[k]))` for each `n`.

    Args:
        a: vector `[n]` with entries.
        v: vector `[m]` with entries; its conjugate counts.
        mode: as for `convolve`.
        precision: of the products; see `lax.Precision`.
        preferred_element_type: dtype in which the sums are kept and returned.

    Returns:
        Vector of the dtype in which both meet, integers as floating numbers.

    Raises:
        ArgumentValueError: one of them is no vector, or empty; or there is no such mode.
    """
    x, y = _vectors("correlate", a, v, mode)
    if kind(y) == "complex":
        y = conj(y)
    if x.shape[0] >= y.shape[0]:
        return slid(x, y, mode, precision, preferred_element_type, "correlate")
    # it is the shorter one that slides: both are turned round, and so are the sums
    return slid(rev(y, (0,)), rev(x, (0,)), mode, precision, preferred_element_type, "correlate")


__all__ = ["convolve", "convolve_full", "correlate", "slid"]
