"""A symbolic size as a value: `x.sum() / x.shape[0]`."""
from __future__ import annotations

from typing import Any

import numpy as np

from perspicax.core import dtypes
from perspicax.core.avals import ShapedArray
from perspicax.core.config import local
from perspicax.core.primitive import NotLinear, Primitive
from perspicax.core.symbolic import Size, SymbolicSize, set_value_of
from perspicax.core.symbolic_errors import InconclusiveDimensionOperation
from perspicax.core.tracer import typers
from perspicax.lax.convert import convert

__all__ = ["dim_as_value_p", "size_as_value", "size_in"]


def _aval(size: SymbolicSize) -> ShapedArray:
    return ShapedArray((), dtypes.default_dtype("int"), True)


def _without_value(*, dim: SymbolicSize) -> Any:
    raise InconclusiveDimensionOperation(
        says=f"The symbolic size `{dim}` was used as a value outside of a function that is being exported.",
        why="it gets a value when the exported function is called; until then it exists in types alone")


dim_as_value_p = Primitive(
    "dim_as_value", params=("dim",), cache_types=False,  # the width of integers is an option
    type_rule=lambda *, dim: _aval(dim), jvp=NotLinear("it has no operands"),
    transpose=NotLinear("it has no operands"), batch=NotLinear("it has no operands"), evaluate=_without_value,
    emit=lambda b, *, dim: b.constant(dim, b.out[0]), source="JAX, shape polymorphism")


def size_as_value(size: SymbolicSize) -> Any:
    """The size as a traced integer, weakly typed as a Python integer is."""
    return local.trace.process(dim_as_value_p, (), (size,))


def size_in(size: Size, dtype: Any) -> Any:
    """A size as a number of a dtype: a NumPy value, or a traced one where the size is symbolic."""
    return np.asarray(size, dtype) if type(size) is not SymbolicSize else convert(size_as_value(size), dtype, False)


set_value_of(size_as_value)
typers[SymbolicSize] = _aval  # type: ignore[assignment]
