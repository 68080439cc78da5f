"""Calls from compiled programs back to Python: `io_callback` (with effects) and `pure_callback` (without).

An ordered callback carries a token, so that calls happen in program order, in loops as well, and from one execution to
the next. What the Python function raises reaches the user as the cause of a `JaxRuntimeError`, whether the callback ran at
once or from a compiled program.
"""
from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from perspicax.core import dtypes
from perspicax.core.avals import ShapedArray, abstract_token
from perspicax.core.effects import Effect, Effects
from perspicax.core.primitive import NotDifferentiable, NotLinear, OfPrimitive, Primitive
from perspicax.core.trace import Zero
from perspicax.diagnose.boundary import public
from perspicax.diagnose.frames import user_position
from perspicax.lax import shape
from perspicax.lax.callback_errors import CallbackArgumentError, CallbackResultError, CallbackTransformError
from perspicax.lax.operand import operand
from perspicax.transform import trees as tree
from perspicax.transform.batch import BatchAxis, to_axis
from perspicax.transform.stage import check_arguments, function_name
from perspicax.xla.array import ArrayImpl, callback_failure
from perspicax.xla.dispatch import as_array
from perspicax.xla.emit import Value, physical_aval

VMAP_METHODS = ("sequential", "sequential_unrolled", "expand_dims", "broadcast_all", "legacy_vectorized")


class IOEffect(Effect):
    """A Python function is called for what it does; keeps the call from being dropped."""

    in_custom_rules = True


class OrderedIOEffect(Effect):
    """The same, in program order."""

    ordered = True
    in_custom_rules = True


io_effect, ordered_io_effect = IOEffect(), OrderedIOEffect()


# -- the Python side

class HostFunction:
    """The Python side of a callback: takes NumPy arrays, checks what the user's function returns.

    Attributes:
        name: of the user's function.
        avals: types of its flat results.
        in_avals: types of its flat arguments.
        place: where the user asked for the call.
    """

    __slots__ = ("avals", "fun", "in_avals", "in_tree", "name", "out_tree", "place")

    def __init__(self, fun: Callable[..., Any], in_tree: Any, in_avals: Sequence[ShapedArray], out_tree: Any,
                 avals: Sequence[ShapedArray], name: str, place: Any = None) -> None:
        self.place = place
        self.fun, self.in_tree, self.in_avals = fun, in_tree, tuple(in_avals)
        self.out_tree, self.avals, self.name = out_tree, tuple(avals), name

    def __repr__(self) -> str:
        return self.name

    def __call__(self, *arrays: Any) -> tuple[np.ndarray, ...]:
        """Call the user's function with arrays of the structure it expects."""
        args, kwargs = self.in_tree.unflatten([array_of(x, a) for x, a in zip(arrays, self.in_avals)])
        leaves, found = tree.flatten(self.fun(*args, **kwargs))
        if len(leaves) != len(self.avals):
            raise CallbackResultError(function=self.name, kind="structure", expected=_described(self.out_tree),
                                      got=_described(found), position=self.place)
        return tuple([self._checked(x, aval) for x, aval in zip(leaves, self.avals)])

    def _checked(self, x: Any, aval: ShapedArray) -> np.ndarray:
        array = np.asarray(x.value() if type(x) is ArrayImpl else x)
        wanted = physical_aval(aval)
        if array.dtype != wanted.dtype and dtypes.canonicalize_dtype(array.dtype) == wanted.dtype:
            array = array.astype(wanted.dtype)
        if array.shape != wanted.shape or array.dtype != wanted.dtype:
            got = f"{dtypes.canonicalize_dtype(array.dtype)}[{','.join(map(str, array.shape))}]"
            raise CallbackResultError(function=self.name, kind="type", expected=aval.str_short(), got=got,
                                      position=self.place)
        return np.require(array, requirements="C")  # keeps scalars, which `ascontiguousarray` does not


def array_of(x: Any, aval: Any) -> ArrayImpl:
    """A host array as the user's function gets it: an array of ours, with memory of its own (XLA reuses its buffers).

    What a program hands out is no longer weakly typed, as with JAX.
    """
    return x if type(x) is ArrayImpl else ArrayImpl(aval.strong, None, np.array(x))


def _described(structure: Any) -> str:
    if structure.num_nodes == 1 and structure.num_leaves == 1:
        return "one array"
    found = structure.unflatten(range(structure.num_leaves))
    if found is None:
        return "None"
    kind = type(found).__name__
    return f"{kind} of {structure.num_leaves} arrays" if structure.num_leaves != 1 else f"{kind} of one array"


class MappedFunction:
    """A host function on a whole batch: it calls another once for each entry, in order, and stacks the results."""

    __slots__ = ("batched", "inner", "size")

    def __init__(self, inner: Callable[..., Any], batched: tuple[bool, ...], size: int) -> None:
        self.inner, self.batched, self.size = inner, batched, size

    name = property(lambda self: self.inner.name)
    place = property(lambda self: self.inner.place)
    avals = property(lambda self: tuple([a.batched(self.size, 0) for a in self.inner.avals]))

    def __repr__(self) -> str:
        return repr(self.inner)

    def __call__(self, *arrays: Any) -> tuple[np.ndarray, ...]:
        if not self.size:
            return tuple([np.zeros(a.shape, a.dtype) for a in map(physical_aval, self.avals)])
        rows = [self.inner(*[x[i] if b else x for x, b in zip(arrays, self.batched)]) for i in range(self.size)]
        return tuple([np.stack(column) for column in zip(*rows)])


def map_operands(axis: BatchAxis, args: Sequence[Any], axes: Sequence[int | None]) -> tuple[list, tuple[bool, ...]]:
    """The operands with their batch axes in front, and which have one."""
    moved = [to_axis(x, a, 0, axis.size) if a is not None else x for x, a in zip(args, axes)]
    return moved, tuple([a is not None for a in axes])


def call_now(callback: Callable[..., Any], args: Sequence[Any], as_they_are: bool = False) -> tuple[np.ndarray, ...]:
    """Call a host function with concrete arrays.

    Args:
        callback: the function.
        args: its operands.
        as_they_are: hand on the arrays themselves, with their weak types; else their values.

    Raises:
        JaxRuntimeError: it raised; what it raised is the cause.
    """
    arrays = [as_array(x) for x in args]
    values = arrays if as_they_are else [x.value() for x in arrays]
    try:
        return callback(*values)
    except Exception as error:
        raise callback_failure(error, callback) from error


# -- emission

def emit_callback(b: Any, operands: Sequence[Value], callback: Callable[..., Any], effect: Effect | None) -> list[Value]:
    """The custom call of a host function; with an ordered `effect` its token goes through it.

    In a program on several devices it runs on the first of them, which gets its operands whole; in a function that each device
    runs on its own part, on each. The source of the target and its attributes is jaxlib's `xla_ffi_python_cpu_callback`.
    """
    module = b.module
    call: Any = callback
    values: list[Value] = [Value(v.name, physical_aval(v.aval)) for v in operands]
    outs: list[Any] = [physical_aval(a) for a in b.out]
    token = effect if effect is not None and effect.ordered else None
    if token is not None:
        values = [b.token(token), *values]
        outs = [abstract_token, *outs]
        call = _WithToken(callback)
    index = len(module.callbacks)
    module.callbacks.append(call)
    layouts = ", ".join([_layout(v.aval) for v in values])
    result_layouts = ", ".join([_layout(a) for a in outs])
    where = module.on_first_device(len(outs))
    results = b.hlo("custom_call", values, outs,
                    f'call_target_name = "xla_ffi_python_cpu_callback", api_version = 4 : i32, '
                    f"backend_config = {{index = {index} : ui64}}, has_side_effect = true, "
                    f"operand_layouts = [{layouts}], result_layouts = [{result_layouts}]", discardable=where)
    if token is not None:
        b.tokens[token] = results[0]
        results = results[1:]
    if where:  # what one device has is no way for an array to lie
        results = [b.whole_on_each(v) for v in results]
    return [Value(v.name, a) for v, a in zip(results, b.out)]


def _layout(aval: Any) -> str:
    rank = len(aval.shape)
    order = ", ".join([str(i) for i in reversed(range(rank))])
    return f"dense<[{order}]> : tensor<{rank}xindex>" if rank else "dense<> : tensor<0xindex>"


class _WithToken:
    """A host function whose first operand and result is the token."""

    __slots__ = ("inner",)
    name = property(lambda self: self.inner.name)
    place = property(lambda self: self.inner.place)

    def __init__(self, inner: Callable[..., Any]) -> None:
        self.inner = inner

    def __call__(self, token: Any, *arrays: Any) -> tuple:
        return (token, *self.inner(*arrays))


# -- rules

def _evaluate(*args: Any, callback: Callable[..., Any], result_avals: tuple, **_: Any) -> list:
    return [ArrayImpl(a, None, np.array(x)) for x, a in zip(call_now(callback, args), result_avals)]


def _jvp(primitive: Primitive) -> Any:
    def jvp(primals: tuple, tangents: tuple, **params: Any) -> Any:
        if any(type(t) is not Zero for t in tangents):
            raise CallbackTransformError(function=params["callback"].name, kind="derivative", what=primitive.name)
        outs = primitive(*primals, **params)
        return outs, [Zero.like(x) for x in outs]

    return jvp


def _sequential(primitive: Primitive, axis: BatchAxis, args: tuple, axes: tuple, params: dict) -> tuple[list, list]:
    moved, batched = map_operands(axis, args, axes)
    wide = tuple([a.batched(axis.size, 0) for a in params["result_avals"]])
    outs = primitive(*moved, **{**params, "callback": MappedFunction(params["callback"], batched, axis.size),
                                "result_avals": wide})
    return outs, [0] * len(outs)


def _io_batch(axis: BatchAxis, args: tuple, axes: tuple, **params: Any) -> tuple[list, list]:
    if params["ordered"]:
        raise CallbackTransformError(function=params["callback"].name, kind="ordered", what="io_callback")
    return _sequential(io_callback_p, axis, args, axes, params)


def _pure_batch(axis: BatchAxis, args: tuple, axes: tuple, **params: Any) -> tuple[list, list]:
    method, callback = params["vmap_method"], params["callback"]
    if method is None:
        raise CallbackTransformError(function=callback.name, kind="vmap", what="pure_callback")
    if method in ("sequential", "sequential_unrolled"):
        return _sequential(pure_callback_p, axis, args, axes, params)
    moved = [_widened(x, a, axis.size, method) for x, a in zip(args, axes)]
    wide = tuple([a.batched(axis.size, 0) for a in params["result_avals"]])
    in_avals = [as_aval.batched(1 if method == "expand_dims" and a is None else axis.size, 0)
                if a is not None or method != "legacy_vectorized" else as_aval
                for as_aval, a in zip(callback.in_avals, axes)]
    host = HostFunction(callback.fun, callback.in_tree, in_avals, callback.out_tree, wide, callback.name, callback.place)
    outs = pure_callback_p(*moved, **{**params, "callback": host, "result_avals": wide})
    return outs, [0] * len(outs)


def _widened(x: Any, batch_axis: int | None, size: int, method: str) -> Any:
    """An operand with the batch axis in front, where the method gives it one."""
    if batch_axis is not None or method == "broadcast_all":
        return to_axis(x, batch_axis, 0, size)
    return shape.expand_dims(x, (0,)) if method == "expand_dims" else x


def _effects(ordered: bool, **_: Any) -> Effects:
    return frozenset((ordered_io_effect if ordered else io_effect,))


io_callback_p = Primitive(
    "io_callback", params=("callback", "result_avals", "ordered", "sharding"), multiple_results=True, cache_types=False,
    handles_extended=True,
    type_rule=lambda *avals, result_avals, **_: list(result_avals),
    jvp=OfPrimitive(_jvp), transpose=NotLinear("a Python function is called"), batch=_io_batch,
    emit=lambda b, *operands, callback, ordered, **_: emit_callback(
        b, operands, callback, ordered_io_effect if ordered else io_effect),
    evaluate=_evaluate, effects=_effects, source="jaxlib's `xla_ffi_python_cpu_callback`")

pure_callback_p = Primitive(
    "pure_callback", params=("callback", "result_avals", "vmap_method", "sharding"), multiple_results=True,
    cache_types=False, handles_extended=True,
    type_rule=lambda *avals, result_avals, **_: list(result_avals),
    jvp=OfPrimitive(_jvp), transpose=NotDifferentiable("a Python function is called"), batch=_pure_batch,
    emit=lambda b, *operands, callback, **_: emit_callback(b, operands, callback, None), evaluate=_evaluate,
    source="jaxlib's `xla_ffi_python_cpu_callback`")

for _primitive in (io_callback_p, pure_callback_p):
    _primitive.extra["callback"] = True


# -- the public functions

def _prepare(what: str, callback: Callable[..., Any], result_shape_dtypes: Any, args: tuple,
             kwargs: dict) -> tuple[list, Any, tuple, HostFunction]:
    if not callable(callback):
        raise CallbackArgumentError(what=what, kind="function", got=type(callback).__name__)
    leaves, in_tree = tree.flatten((args, kwargs))
    in_avals = check_arguments(leaves, in_tree, callback, what)
    results, out_tree = tree.flatten(result_shape_dtypes)
    avals = tuple([_announced(what, callback, path, r)
                   for path, r in tree.flatten_with_path(result_shape_dtypes)[0]]) if results else ()
    host = HostFunction(callback, in_tree, in_avals, out_tree, avals, function_name(callback), user_position(2))
    return [operand(x) for x in leaves], out_tree, avals, host


def _announced(what: str, callback: Callable[..., Any], path: Any, leaf: Any) -> ShapedArray:
    """The type that a leaf of `result_shape_dtypes` announces."""
    name, at = function_name(callback), tree.keystr(path)
    sizes, dtype = getattr(leaf, "shape", None), getattr(leaf, "dtype", None)
    if sizes is None or dtype is None:
        raise CallbackArgumentError(what=what, kind="announced", function=name, path=at, got=type(leaf).__name__)
    if dtypes.issubdtype(dtype, dtypes.extended):
        raise CallbackArgumentError(what=what, kind="extended", function=name, path=at, got=str(dtype))
    canonical = dtypes.canonicalize_dtype(dtype)
    if canonical != np.dtype(dtype):
        raise CallbackArgumentError(what=what, kind="wide", function=name, path=at, got=str(np.dtype(dtype)))
    return ShapedArray(tuple(sizes), canonical)


@public
def io_callback(callback: Callable[..., Any], result_shape_dtypes: Any, *args: Any, sharding: Any = None,
                ordered: bool = False, **kwargs: Any) -> Any:
    """Call a Python function that has side effects.

    Args:
        callback: gets arrays, returns a pytree of arrays as announced.
        result_shape_dtypes: pytree of `ShapeDtypeStruct`s (or arrays) like the result; `None` for none.
        args, kwargs: pytrees of arrays.
        sharding: the device that calls, where a program runs on several.
        ordered: whether calls keep program order.

    Returns:
        What the function returned, as arrays. Under vmap it is called once for each entry, in order.

    Raises:
        CallbackArgumentError: `callback` is no function, or `result_shape_dtypes` holds something else than types.
        CallbackTransformError: it is differentiated, or is ordered and under vmap.
        JaxRuntimeError: when the result is used, if the function raised; what it raised is the cause.
    """
    leaves, out_tree, avals, host = _prepare("io_callback", callback, result_shape_dtypes, args, kwargs)
    outs = io_callback_p(*leaves, callback=host, result_avals=avals, ordered=bool(ordered), sharding=sharding)
    return out_tree.unflatten(outs)


@public
def pure_callback(callback: Callable[..., Any], result_shape_dtypes: Any, *args: Any, sharding: Any = None,
                  vmap_method: str | None = None, **kwargs: Any) -> Any:
    """Call a Python function without side effects; it may be called any number of times, or not at all.

    Args:
        callback: gets arrays, returns a pytree of arrays as announced.
        result_shape_dtypes: pytree of `ShapeDtypeStruct`s (or arrays) like the result.
        args, kwargs: pytrees of arrays.
        sharding: the device that calls, where a program runs on several.
        vmap_method: how vmap calls it: `sequential` (or `sequential_unrolled`), once for each entry; `expand_dims`, once,
            operands that are the same for all entries having a leading axis of size 1; `broadcast_all`, once, all operands
            having the whole batch axis; `legacy_vectorized`, once, operands that are the same for all staying as they are.

    Returns:
        What the function returned, as arrays.

    Raises:
        CallbackArgumentError: `callback` is no function, `result_shape_dtypes` holds something else than types, or there
            is no such `vmap_method`.
        CallbackTransformError: it is differentiated, or is under vmap without a `vmap_method`.
        JaxRuntimeError: when the result is used, if the function raised; what it raised is the cause.
    """
    if vmap_method is not None and vmap_method not in VMAP_METHODS:
        raise CallbackArgumentError(what="pure_callback", kind="method", got=repr(vmap_method), known=VMAP_METHODS)
    leaves, out_tree, avals, host = _prepare("pure_callback", callback, result_shape_dtypes, args, kwargs)
    outs = pure_callback_p(*leaves, callback=host, result_avals=avals, vmap_method=vmap_method, sharding=sharding)
    return out_tree.unflatten(outs)


__all__ = ["IOEffect", "OrderedIOEffect", "io_callback", "io_callback_p", "pure_callback", "pure_callback_p"]
