"""Divisors and multiples of integers."""
from __future__ import annotations

from typing import Any

import numpy as np

from perspicax.core import dtypes
from perspicax.core.array import Array
from perspicax.diagnose.boundary import public
from perspicax.lax import compare, elementwise
from perspicax.lax.convert import convert
from perspicax.lax.loops import scan
from perspicax.numpy.choice import spread, where3
from perspicax.numpy.construct import asarray
from perspicax.numpy.errors import UfuncDtypeError
from perspicax.numpy.fusion import fused_call
from perspicax.numpy.logic import kind
from perspicax.numpy.promote import broadcast_shape_of, promote_args

STEPS = {8: 13, 16: 24, 32: 47, 64: 93}
"""For numbers of so many bits the longest run of Euclid's algorithm, which two neighbours of Fibonacci's sequence take."""


def _integers(function: str, x1: Any, x2: Any) -> tuple[tuple[Any, Any], bool]:
    """The operands in one shape and dtype, and whether that is weak."""
    x1, x2 = [asarray(x) for x in promote_args(function, x1, x2)]
    if kind(x1) not in ("int", "uint"):
        raise UfuncDtypeError(function=function, type_text=x1.aval.str_short(), kind="only integers have divisors")
    shape = broadcast_shape_of(function, (x1.aval, x2.aval))
    weak = x1.weak_type and x2.weak_type and x1.shape == x2.shape
    x1, x2 = [convert(x if x.shape == shape else spread(x, x.shape, shape), x.dtype, False) for x in (x1, x2)]
    return (x1, x2), weak


@public
def gcd(x1: Any, x2: Any) -> Array:
    """The greatest common divisor, element by element; not negative.

    Args:
        x1: array of integers.
        x2: array of integers.
    """
    operands, weak = _integers("gcd", x1, x2)
    return convert(fused_call(_gcd, operands), operands[0].dtype, weak)


def _size(x: Any) -> Any:
    return elementwise.abs(x) if kind(x) == "int" else x


def _gcd(x1: Any, x2: Any) -> Any:
    """Euclid's algorithm on all elements at once; those that are done stay as they are."""
    zero, one = np.zeros((), x1.dtype), np.ones((), x1.dtype)

    def step(state: tuple, _: None) -> tuple[tuple, None]:
        a, b = state
        goes_on = compare.ne(b, zero)
        rest = elementwise.rem(a, where3(goes_on, b, one))
        return (where3(goes_on, b, a), where3(goes_on, rest, zero)), None

    return scan(step, (_size(x1), _size(x2)), None, length=STEPS[dtypes.itemsize_bits(x1.dtype)])[0][0]


@public
def lcm(x1: Any, x2: Any) -> Array:
    """The least common multiple, element by element; not negative.

    Args:
        x1: array of integers.
        x2: array of integers.
    """
    operands, weak = _integers("lcm", x1, x2)
    return convert(fused_call(_lcm, operands), operands[0].dtype, weak)


def _lcm(x1: Any, x2: Any) -> Any:
    x1, x2 = _size(x1), _size(x2)
    divisor = _gcd(x1, x2)
    zero = np.zeros((), x1.dtype)
    none = compare.eq(divisor, zero)
    return where3(none, zero, elementwise.mul(x1, elementwise.div(x2, where3(none, np.ones((), x1.dtype), divisor))))


__all__ = ["gcd", "lcm"]
