"""Primitives that compute nothing and say something: to differentiation, to the compiler, to whoever removes code."""
from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from perspicax.core.array import Array
from perspicax.core.effects import Effect
from perspicax.core.primitive import NotLinear, Primitive
from perspicax.core.trace import JaxprTrace, Linear, Zero
from perspicax.lax.families import ANY, FLAT, LINEAR, elementwise
from perspicax.lax.operand import operand
from perspicax.transform import trees as tree
from perspicax.transform.batch import BatchAxis
from perspicax.xla.dispatch import as_array

EXTENDED = frozenset("x")


def _same(b: Any, x: Any) -> Any:
    return x


def _same_parameters(params: dict, in_avals: list, out_avals: list) -> dict:
    return params


# -- copy

copy_p: Primitive = elementwise(
    "copy", over=ANY | EXTENDED, jvp=LINEAR, transpose=lambda ct, x: [copy_p(ct)], emit=_same, host=np.copy,
    physical=_same_parameters, fast_compile="all")


# -- stop_gradient

stop_gradient_p = elementwise("stop_gradient", over=ANY | EXTENDED, jvp=FLAT, emit=_same, physical=_same_parameters,
                              evaluate=lambda x: as_array(x))


def stop_gradient(x: Any) -> Any:
    """`x`, which differentiation takes for a constant.

    Args:
        x: array, or pytree of arrays.

    Returns:
        The same values. Derivatives of every order are 0, in forward and in reverse mode.

    Raises:
        NotAnArrayError: a leaf of `x` is no array.
    """
    return tree.tree_map(lambda leaf: stop_gradient_p(operand(leaf)), x)


# -- optimization_barrier

def _barrier(values: Sequence[Any]) -> list[Any]:
    return optimization_barrier_p(*values) if values else []


def _barrier_jvp(primals: tuple, tangents: tuple) -> tuple[list, list]:
    moving = iter(_barrier([t for t in tangents if type(t) is not Zero]))
    return optimization_barrier_p(*primals), [t if type(t) is Zero else next(moving) for t in tangents]


def _barrier_transpose(cts: Sequence[Any], *operands: Any) -> list[Any]:
    back = iter(_barrier([ct for ct, x in zip(cts, operands) if type(x) is Linear and type(ct) is not Zero]))
    return [None if type(x) is not Linear else ct if type(ct) is Zero else next(back) for ct, x in zip(cts, operands)]


def _barrier_batch(axis: BatchAxis, args: tuple, axes: tuple) -> tuple[list, tuple]:
    return optimization_barrier_p(*args), axes


optimization_barrier_p = Primitive(
    "optimization_barrier", multiple_results=True, type_rule=lambda *avals: list(avals), jvp=_barrier_jvp,
    transpose=_barrier_transpose, batch=_barrier_batch, physical=_same_parameters,
    emit=lambda b, *values: b.hlo("optimization_barrier", values, b.out) if values else [],
    evaluate=lambda *values: [as_array(x) for x in values])


def optimization_barrier(operand: Any, /) -> Any:
    """`operand`, across which the compiler moves nothing.

    Args:
        operand: array, or pytree of arrays.

    Returns:
        The same values. What uses one of them runs after all of them are computed; nothing before is fused with, or
        recognised as the same computation as, what comes after. Outside of compiled functions it does nothing.
    """
    leaves, structure = tree.flatten(operand)
    return structure.unflatten(optimization_barrier_p(*[_operand(x) for x in leaves]))


_operand = operand


# -- dce_sink

class KeepEffect(Effect):
    """Keeps an equation that has no results."""


_KEPT = frozenset((KeepEffect(),))


def _sink_emit(b: Any, *values: Any, prevent_mlir_dce: bool) -> list[Any]:
    if prevent_mlir_dce:
        for v in values:  # XLA's sink takes one operand
            b.custom_call("dce_sink", [v], [], side_effect=True, operand_layouts=[tuple(range(v.ndim))[::-1]],
                          result_layouts=[])
    return []


def _sink_jvp(primals: tuple, tangents: tuple, **params: Any) -> tuple[list, list]:
    dce_sink_p(*primals, **params)
    return [], []


dce_sink_p: Primitive = Primitive(
    "dce_sink", params=("prevent_mlir_dce",), multiple_results=True, type_rule=lambda *avals, **_: [], jvp=_sink_jvp,
    transpose=NotLinear("`dce_sink` has no results"), emit=_sink_emit, effects=lambda **_: _KEPT,
    batch=lambda axis, args, axes, **params: (dce_sink_p(*args, **params), ()), evaluate=lambda *_, **__: [])


def dce_sink(val: Any, *, prevent_mlir_dce: bool = False) -> None:
    """Keeps the computation of `val` in a traced function, though nothing uses it.

    Args:
        val: array, or pytree of arrays.
        prevent_mlir_dce: keep it in the compiled program too.
    """
    dce_sink_p(*[operand(x) for x in tree.leaves(val)], prevent_mlir_dce=bool(prevent_mlir_dce))


# -- stage

def _enter(trace: JaxprTrace, args: tuple, params: dict) -> Any:
    """No equation: the operand itself, as a value of the jaxpr."""
    x, = args
    return trace.tracer(x if isinstance(x, Array) else as_array(x))


stage_p: Primitive = elementwise(
    "stage", over=ANY | EXTENDED, jvp=LINEAR, transpose=lambda ct, x: [ct], emit=_same, physical=_same_parameters,
    evaluate=lambda x: as_array(x), stage=_enter)


def stage(x: Any, /) -> Array:
    """`x` as a value of the function that is being traced; outside of tracing, as an array.

    Args:
        x: array, NumPy array or number.
    """
    x = operand(x)
    return x if isinstance(x, Array) else stage_p(x)


__all__ = ["KeepEffect", "copy_p", "dce_sink", "dce_sink_p", "optimization_barrier",
           "optimization_barrier_p", "stage", "stage_p", "stop_gradient", "stop_gradient_p"]
