"""Calls from compiled programs back to Python: `io_callback` (with effects) and `pure_callback` (without).

An ordered callback carries a token, so that calls happen in program order, in loops as well, and from one execution to
the next.
"""
from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from perspicax.core import dtypes
from perspicax.core.avals import ShapedArray, abstract_token
from perspicax.core.effects import NO_EFFECTS, Effect, Effects
from perspicax.core.jaxpr import eval_jaxpr
from perspicax.core.primitive import NotDifferentiable, NotLinear, OfPrimitive, Primitive
from perspicax.core.trace import Zero, stage_flat
from perspicax.core.tracer import get_aval
from perspicax.lax import shape
from perspicax.lax.callback_errors import CallbackResultError
from perspicax.lax.operand import operand
from perspicax.transform import trees as tree
from perspicax.transform.batch import BatchAxis, to_axis
from perspicax.transform.jit_primitive import run_jaxpr
from perspicax.transform.stage import function_name
from perspicax.xla.array import ArrayImpl, from_numpy
from perspicax.xla.dispatch import as_array
from perspicax.xla.emit import Value


class IOEffect(Effect):
    """A Python function is called for what it does; keeps the call from being dropped."""

    in_custom_rules = True


class OrderedIOEffect(Effect):
    """The same, in program order."""

    ordered = True
    in_custom_rules = True


io_effect, ordered_io_effect = IOEffect(), OrderedIOEffect()


class HostFunction:
    """The Python side of a callback: takes NumPy arrays, checks what the user's function returns."""

    def __init__(self, fun: Callable[..., Any], in_tree: Any, out_tree: Any, avals: Sequence[ShapedArray],
                 name: str) -> None:
        self.fun, self.in_tree, self.out_tree, self.avals, self.name = fun, in_tree, out_tree, tuple(avals), name

    def __call__(self, *arrays: Any) -> tuple[np.ndarray, ...]:
        return self.compute(arrays)

    def compute(self, arrays: Sequence[Any]) -> tuple[np.ndarray, ...]:
        """Call the user's function with arrays of the structure it expects."""
        values = [from_numpy(np.array(x)) for x in arrays]
        args, kwargs = self.in_tree.unflatten(values)
        leaves, found = tree.flatten(self.fun(*args, **kwargs))
        if found != self.out_tree:
            raise CallbackResultError(function=self.name, kind="structure", expected=str(self.out_tree), got=str(found))
        results = []
        for x, aval in zip(leaves, self.avals):
            array = np.asarray(x.value() if type(x) is ArrayImpl else x)
            if dtypes.canonicalize_dtype(array.dtype) == aval.dtype or _is_python_number(x):
                array = array.astype(aval.dtype)
            if array.shape != aval.shape or array.dtype != aval.dtype:
                raise CallbackResultError(function=self.name, kind="type", expected=aval.str_short(),
                                          got=f"{array.dtype}[{','.join(map(str, array.shape))}]")
            results.append(np.require(array, requirements="C"))  # keeps scalars, which `ascontiguousarray` does not
        return tuple(results)


def _is_python_number(x: Any) -> bool:
    return isinstance(x, (bool, int, float, complex))


def _callback_emit(b: Any, *operands: Any, callback: HostFunction, result_avals: tuple, ordered: bool = False,
                   **_: Any) -> list:
    module = b.module
    call: Any = callback
    values, outs = list(operands), list(b.out)
    if ordered:
        values = [b.token(ordered_io_effect), *values]
        outs = [abstract_token, *outs]
        call = _WithToken(callback)
    index = len(module.callbacks)
    module.callbacks.append(call)
    layouts = ", ".join([_layout(v.aval) for v in values])
    result_layouts = ", ".join([_layout(a) for a in outs])
    results = b.hlo("custom_call", values, outs,
                    f'call_target_name = "xla_ffi_python_cpu_callback", api_version = 4 : i32, '
                    f"backend_config = {{index = {index} : ui64}}, has_side_effect = true, "
                    f"operand_layouts = [{layouts}], result_layouts = [{result_layouts}]")
    if ordered:
        b.tokens[ordered_io_effect] = results[0]
        results = results[1:]
    return [Value(v.name, a) for v, a in zip(results, b.out)]


def _layout(aval: Any) -> str:
    rank = len(aval.shape)
    order = ", ".join([str(i) for i in reversed(range(rank))])
    return f"dense<[{order}]> : tensor<{rank}xindex>" if rank else "dense<> : tensor<0xindex>"


class _WithToken:
    """A host function whose first operand and result is the token."""

    def __init__(self, inner: HostFunction) -> None:
        self.inner = inner

    def __call__(self, token: Any, *arrays: Any) -> tuple:
        return (token, *self.inner(*arrays))


def _evaluate(*args: Any, callback: HostFunction, **_: Any) -> list:
    arrays = [as_array(x) for x in args]
    return [from_numpy(x) for x in callback.compute([x.value() for x in arrays])]


def _batch_sequential(primitive: Primitive) -> Callable[..., Any]:
    """One call for each entry of the batch, in order, by a scan."""
    def batch(axis: BatchAxis, args: tuple, axes: tuple, **params: Any) -> tuple[list, list]:
        from perspicax.lax.loops import scan

        moved = [to_axis(x, a, 0, axis.size) if a is not None else None for x, a in zip(args, axes)]
        mapped = [x for x in moved if x is not None]

        def step(carry: Any, xs: Any) -> Any:
            here = iter(xs)
            return carry, primitive(*[next(here) if a is not None else x for x, a in zip(args, axes)], **params)

        _, outs = scan(step, None, mapped, axis.size)
        return list(outs), [0] * len(outs)

    return batch


def _pure_batch(axis: BatchAxis, args: tuple, axes: tuple, *, callback: HostFunction, result_avals: tuple,
                vectorized: bool, vmap_method: str | None, sharding: Any = None) -> tuple[list, list]:
    method = vmap_method or ("broadcast_all" if vectorized else None)
    params = dict(callback=callback, result_avals=result_avals, vectorized=vectorized, vmap_method=vmap_method,
                  sharding=sharding)
    if method in ("expand_dims", "broadcast_all", "legacy_vectorized"):
        moved = [to_axis(x, a, 0, axis.size) if a is not None
                 else (to_axis(x, None, 0, axis.size) if method == "broadcast_all" else shape.expand_dims(x, (0,)))
                 for x, a in zip(args, axes)]
        wide = tuple([a.batched(axis.size, 0) for a in result_avals])
        wide_callback = HostFunction(callback.fun, callback.in_tree, callback.out_tree, wide, callback.name)
        outs = pure_callback_p(*moved, **{**params, "callback": wide_callback, "result_avals": wide})
        return outs, [0] * len(outs)
    if method == "sequential":
        return _batch_sequential(pure_callback_p)(axis, args, axes, **params)
    raise CallbackResultError(function=callback.name, kind="vmap", expected="", got=str(vmap_method))


def _io_jvp(primitive: Primitive) -> Any:
    def jvp(primals: tuple, tangents: tuple, **params: Any) -> Any:
        if any(type(t) is not Zero for t in tangents):
            raise CallbackResultError(function=params["callback"].name, kind="derivative", expected="", got="")
        outs = primitive(*primals, **params)
        return outs, [Zero.like(x) for x in outs]

    return jvp


def _effects(ordered: bool, **_: Any) -> Effects:
    return frozenset((ordered_io_effect if ordered else io_effect,))


io_callback_p = Primitive(
    "io_callback", params=("callback", "result_avals", "ordered", "sharding"), multiple_results=True, cache_types=False,
    type_rule=lambda *avals, result_avals, **_: list(result_avals),
    jvp=OfPrimitive(_io_jvp), transpose=NotLinear("a Python function is called"), batch=OfPrimitive(_batch_sequential),
    emit=_callback_emit, evaluate=_evaluate, effects=_effects,
    source="jaxlib's `xla_ffi_python_cpu_callback`")

pure_callback_p = Primitive(
    "pure_callback", params=("callback", "result_avals", "vectorized", "vmap_method", "sharding"), multiple_results=True,
    cache_types=False,
    type_rule=lambda *avals, result_avals, **_: list(result_avals),
    jvp=OfPrimitive(_io_jvp), transpose=NotDifferentiable("a Python function is called"), batch=_pure_batch,
    emit=_callback_emit, evaluate=_evaluate,
    source="jaxlib's `xla_ffi_python_cpu_callback`")

for _primitive in (io_callback_p, pure_callback_p):
    _primitive.extra["callback"] = True


def _prepare(callback: Callable[..., Any], result_shape_dtypes: Any, args: tuple, kwargs: dict) -> tuple:
    leaves, in_tree = tree.flatten((args, kwargs))
    leaves = [operand(x) for x in leaves]
    results, out_tree = tree.flatten(result_shape_dtypes)
    avals = tuple([ShapedArray(r.shape, dtypes.canonicalize_dtype(r.dtype)) if hasattr(r, "dtype") else get_aval(r)
                   for r in results])
    host = HostFunction(callback, in_tree, out_tree, avals, function_name(callback))  # type: ignore[arg-type]
    return leaves, out_tree, avals, host


def io_callback(callback: Callable[..., Any], result_shape_dtypes: Any, *args: Any, sharding: Any = None,
                ordered: bool = False, **kwargs: Any) -> Any:
    """Call a Python function that has side effects.

    Args:
        callback: gets arrays, returns a pytree of arrays as announced.
        result_shape_dtypes: pytree of `ShapeDtypeStruct`s (or arrays) like the result; `None` for none.
        args, kwargs: pytrees of arrays.
        ordered: whether calls keep program order.

    Raises:
        JaxRuntimeError: when the result is used, if the function raised; what it raised is the cause.
    """
    leaves, out_tree, avals, host = _prepare(callback, result_shape_dtypes, args, kwargs)
    return out_tree.unflatten(io_callback_p(*leaves, callback=host, result_avals=avals, ordered=ordered, sharding=None))


def pure_callback(callback: Callable[..., Any], result_shape_dtypes: Any, *args: Any, sharding: Any = None,
                  vectorized: bool = False, vmap_method: str | None = None, **kwargs: Any) -> Any:
    """Call a Python function without side effects; it may be called any number of times, or not at all.

    Args:
        callback: gets arrays, returns a pytree of arrays as announced.
        result_shape_dtypes: pytree of `ShapeDtypeStruct`s (or arrays) like the result.
        vmap_method: how vmap calls it: `sequential`, `expand_dims` or `broadcast_all`.
    """
    leaves, out_tree, avals, host = _prepare(callback, result_shape_dtypes, args, kwargs)
    return out_tree.unflatten(pure_callback_p(*leaves, callback=host, result_avals=avals, vectorized=vectorized,
                                              vmap_method=vmap_method, sharding=None))


__all__ = ["NO_EFFECTS", "eval_jaxpr", "io_callback", "pure_callback", "run_jaxpr", "stage_flat"]
