"""The functions of elements that are `ufunc` objects for the user: `jnp.add` and its like.

Within the library the plain functions are called; here each gets its methods, by a faster way where there is one.
"""
from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from perspicax.lax import reductions as lax_reductions
from perspicax.lax.convert import convert
from perspicax.numpy import logic, operators, reductions, ufuncs
from perspicax.numpy.axes import reduced_axes
from perspicax.numpy.creation import broadcast_to
from perspicax.numpy.cumulative import cumprod, cumsum
from perspicax.numpy.errors import UfuncDtypeError
from perspicax.numpy.indexing import at
from perspicax.numpy.logic import kind, truth
from perspicax.numpy.reductions import kept_axes, masked, put_back
from perspicax.numpy.ufunc_class import ufunc


def _placed(method: str) -> Callable[[Any, Any, Any], Any]:
    def update(x: Any, indices: Any, b: Any) -> Any:
        return getattr(at(x)[indices], method)(b)

    return update


def _extreme(f: Callable[..., Any]) -> Callable[..., Any]:
    def reduce(x: Any, *, axis: Any, dtype: Any, keepdims: bool, initial: Any, where: Any) -> Any:
        return f(x if dtype is None else convert(x, dtype, False), axis, None, keepdims, initial, where)

    return reduce


def _bits(name: str, f: Callable[..., Any], identity: int, combine: Callable[..., Any],
          truths: bool) -> Callable[..., Any]:
    """Reductions of bits, or of truth values."""
    def reduce(x: Any, *, axis: Any, dtype: Any, keepdims: bool, initial: Any, where: Any) -> Any:
        x = truth(x, name) if truths else x if dtype is None else convert(x, dtype, False)
        if kind(x) not in ("bool", "int", "uint"):
            raise UfuncDtypeError(function=f"{name}.reduce", type_text=x.aval.str_short(),
                                  kind="it combines the bits of integers")
        axes = reduced_axes(axis, x.ndim, f"{name}.reduce")
        if where is not None:
            where = broadcast_to(where, x.shape, name)
        found = f(masked(x, where, np.asarray(identity).astype(x.dtype), f"{name}.reduce"), axes)
        found = put_back(found, kept_axes(x.shape, axes) if keepdims else None)
        if initial is None:
            return found
        return combine(truth(initial, name) if truths else convert(initial, x.dtype, False), found)

    return reduce


def _made(function: Callable[..., Any], identity: Any = None, nin: int = 2, **rules: Any) -> ufunc:
    made = ufunc(function, nin, 1, identity=identity, call=function, **rules)
    made.__module__ = "perspicax.numpy"  # where pickle finds it
    return made


add = _made(operators.add, 0, reduce=reductions.sum, accumulate=cumsum, at=_placed("add"))
multiply = _made(operators.multiply, 1, reduce=reductions.prod, accumulate=cumprod, at=_placed("multiply"))
subtract = _made(operators.subtract)
maximum = _made(operators.maximum, reduce=_extreme(reductions.max), at=_placed("max"))
minimum = _made(operators.minimum, reduce=_extreme(reductions.min), at=_placed("min"))
negative = _made(operators.negative, nin=1)
bitwise_and = _made(operators.bitwise_and, -1, reduce=_bits(
    "bitwise_and", lax_reductions.reduce_and, -1, operators.bitwise_and, False))
bitwise_or = _made(operators.bitwise_or, 0, reduce=_bits(
    "bitwise_or", lax_reductions.reduce_or, 0, operators.bitwise_or, False))
bitwise_xor = _made(operators.bitwise_xor, 0, reduce=_bits(
    "bitwise_xor", lax_reductions.reduce_xor, 0, operators.bitwise_xor, False))
logical_and = _made(logic.logical_and, True, reduce=_bits(
    "logical_and", lax_reductions.reduce_and, 1, logic.logical_and, True))
logical_or = _made(logic.logical_or, False, reduce=_bits("logical_or", lax_reductions.reduce_or, 0, logic.logical_or, True))
logical_xor = _made(logic.logical_xor, False, reduce=_bits(
    "logical_xor", lax_reductions.reduce_xor, 0, logic.logical_xor, True))
logaddexp = _made(ufuncs.logaddexp, -math.inf)
logaddexp2 = _made(ufuncs.logaddexp2, -math.inf)

__all__ = ["add", "bitwise_and", "bitwise_or", "bitwise_xor", "logaddexp", "logaddexp2", "logical_and", "logical_or",
           "logical_xor", "maximum", "minimum", "multiply", "negative", "subtract"]
