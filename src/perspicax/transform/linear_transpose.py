"""`linear_transpose`: the transposition of a function that is linear."""
from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from perspicax.core import dtypes
from perspicax.core.errors import RuleMissingError
from perspicax.core.jaxpr import ClosedJaxpr
from perspicax.core.trace import Linear, Zero, stage_flat
from perspicax.core.tracer import get_aval
from perspicax.transform import trees as tree
from perspicax.transform.custom_errors import LinearTypesError, NotLinearError
from perspicax.transform.errors import TangentError
from perspicax.transform.grad import refuse_reduce_axes, result_name
from perspicax.transform.hooks import lax
from perspicax.transform.stage import FlatFunction, check_arguments, debug_info, function_name, positional_names
from perspicax.transform.transpose import transpose_linear

__all__ = ["linear_transpose"]


def linear_transpose(fun: Callable[..., Any], *primals: Any, reduce_axes: Sequence[Any] = ()) -> Callable[[Any], Any]:
    """The transposition of a function that is linear in all its arguments together.

    Args:
        fun: from floating-point or complex arrays to such arrays, or from integers to integers.
        primals: arrays or `ShapeDtypeStruct`s that give the types of the arguments.

    Returns:
        A function from a cotangent of the result to a tuple of cotangents of the arguments.

    Raises:
        LinearTypesError: `fun` mixes integers with floating-point numbers.
        NotLinearError: by the function that is returned, when `fun` is not linear.
        TangentError: by the same, for a cotangent whose structure, shape or dtype is not the result's.

    >>> linear_transpose(lambda x: 3 * x, 1.0)(2.0)
    (Array(6., dtype=float32, weak_type=True),)
    """
    refuse_reduce_axes("linear_transpose", reduce_axes)
    name = function_name(fun)
    primals = tree.tree_map(_typed, primals)
    leaves, in_tree = tree.flatten((primals, {}))
    avals = check_arguments(leaves, in_tree, fun, "linear_transpose")
    flat = FlatFunction(fun, in_tree, "linear_transpose")
    closed: ClosedJaxpr = stage_flat(flat, avals, debug_info("linear_transpose", fun, in_tree))
    out_tree = flat.out_tree
    _check_types(name, avals, closed.out_avals)

    def transposed(ct: Any) -> Any:
        cts, ct_tree = tree.flatten(ct)
        if ct_tree != out_tree:
            raise TangentError(function=name, kind="cotangent tree", name="", expected=out_tree, got=ct_tree,
                               transform="linear_transpose")
        for i, (given, aval) in enumerate(zip(cts, closed.out_avals)):
            got: Any = get_aval(given)
            if (got.shape, got.dtype) != (aval.shape, aval.dtype):
                raise TangentError(function=name, kind="cotangent type", name=result_name(name, out_tree, i),
                                   transform="transposition", expected=aval.str_short(), got=got.str_short())
        try:
            found = transpose_linear(closed.jaxpr, closed.consts, [Linear(a) for a in avals], cts)
        except RuleMissingError as error:
            if error.rule != "transpose":
                raise
            raise NotLinearError(
                primitive=error.primitive, rule="transpose", reason=error.reason, function=name,
                arguments=tuple(positional_names(fun, len(primals))), position=error.position) from None
        return in_tree.unflatten([lax().zeros(x.aval) if type(x) is Zero else x for x in found])[0]

    return transposed


def _typed(x: Any) -> Any:
    """A primal as `check_arguments` takes it: any type of an array will do."""
    from perspicax.transform.ahead import ShapeDtypeStruct

    if hasattr(x, "shape") and hasattr(x, "dtype") and not hasattr(x, "aval") and not isinstance(x, np.ndarray | np.generic):
        return ShapeDtypeStruct(x.shape, x.dtype, weak_type=getattr(x, "weak_type", False))
    return x


def _check_types(name: str, in_avals: Sequence[Any], out_avals: Sequence[Any]) -> None:
    """Raise unless all types are inexact, or all are integers."""
    def all_of(kind: Any) -> bool:
        return all(not a.extended and dtypes.issubdtype(a.dtype, kind) for a in (*in_avals, *out_avals))

    if not all_of(np.inexact) and not all_of(np.integer):
        raise LinearTypesError(function=name, arguments=tuple([a.str_short() for a in in_avals]),
                               results=tuple([a.str_short() for a in out_avals]))
