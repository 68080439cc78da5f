"""`ffi_call`: calls of foreign functions, which are registered by name with XLA's foreign function interface."""
from __future__ import annotations

import operator
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from perspicax.core.avals import ShapedArray, abstract_token
from perspicax.core.effects import NO_EFFECTS, Effect, Effects
from perspicax.core.primitive import NotDifferentiable, Primitive
from perspicax.core.trace import Zero
from perspicax.core.tracer import get_aval
from perspicax.diagnose.boundary import public
from perspicax.diagnose.report import Fix
from perspicax.lax import shape
from perspicax.lax.callback import VMAP_METHODS
from perspicax.lax.foreign_attributes import Attributes, as_attribute, attributes_text
from perspicax.lax.foreign_errors import ForeignCallError, ForeignTransformError
from perspicax.lax.loops import scan
from perspicax.lax.operand import operand
from perspicax.transform.batch import BatchAxis, to_axis
from perspicax.xla.compile import FOREIGN

LayoutLike = Any  # None, axes from major to minor, or an object with these as `major_to_minor`


class ForeignEffect(Effect):
    """A foreign function is called for what it does; keeps the call from being dropped."""

    in_custom_rules = True


foreign_effect = ForeignEffect()


# -- rules

def _jvp(primals: tuple, tangents: tuple, **params: Any) -> tuple[list, list]:
    if any(type(t) is not Zero for t in tangents):
        raise ForeignTransformError(target=params["target_name"], kind="derivative")
    outs = ffi_call_p(*primals, **params)
    return outs, [Zero.like(x) for x in outs]


def _batch(axis: BatchAxis, args: tuple, axes: tuple, **params: Any) -> tuple[list, list]:
    method = params["vmap_method"]
    if method is None:
        raise ForeignTransformError(target=params["target_name"], kind="vmap")
    if method in ("sequential", "sequential_unrolled"):
        return _one_by_one(axis, args, axes, params)
    wide = [a is not None or method != "legacy_vectorized" for a in axes]
    moved = [_widened(x, a, axis.size, method) if w else x for x, a, w in zip(args, axes, wide)]
    results = tuple([a if a is abstract_token else a.batched(axis.size, 0) for a in params["result_avals"]])
    outs = ffi_call_p(*moved, **{
        **params, "result_avals": results,
        "input_layouts": tuple([_with_batch(x) if w else x for x, w in zip(params["input_layouts"], wide)]),
        "output_layouts": tuple([x if a is abstract_token else _with_batch(x)
                                 for x, a in zip(params["output_layouts"], results)])})
    return outs, [None if a is abstract_token else 0 for a in results]


def _one_by_one(axis: BatchAxis, args: tuple, axes: tuple, params: dict[str, Any]) -> tuple[list, list]:
    rows = [to_axis(x, a, 0, axis.size) for x, a in zip(args, axes) if a is not None]

    def step(_: None, entries: list) -> tuple[None, list]:
        left = iter(entries)
        return None, list(ffi_call_p(*[x if a is None else next(left) for x, a in zip(args, axes)], **params))

    outs = scan(step, None, rows, unroll=params["vmap_method"] == "sequential_unrolled")[1]
    return outs, [0] * len(outs)


def _widened(x: Any, batch_axis: int | None, size: int, method: str) -> Any:
    """An operand with a batch axis in front: of size 1 where all entries have the same, and the method wants that."""
    if batch_axis is None and method == "expand_dims":
        return shape.expand_dims(x, (0,))
    return to_axis(x, batch_axis, 0, size)


def _with_batch(layout: tuple[int, ...]) -> tuple[int, ...]:
    """A layout, from minor to major, of arrays with one axis more in front."""
    return (*[i + 1 for i in layout], 0)


def native_family(target: str, platform: str) -> str:
    """To which family of native functions a target belongs: LAPACK's, which come with jaxlib, or the user's own."""
    return "lapack" if target.startswith("lapack_") and platform == "cpu" else FOREIGN


def _emit(b: Any, *operands: Any, target_name: str, has_side_effect: bool, input_layouts: tuple, output_layouts: tuple,
          input_output_aliases: tuple, custom_call_api_version: int, legacy_backend_config: str | None,
          attributes: Attributes, **_: Any) -> list:
    config = attributes_text(attributes) if custom_call_api_version >= 4 else legacy_backend_config or ""
    return b.custom_call(target_name, operands, list(b.out), config=config, side_effect=has_side_effect,
                         operand_layouts=input_layouts, result_layouts=output_layouts, aliases=dict(input_output_aliases),
                         native=native_family(target_name, b.module.platform), api_version=custom_call_api_version)


def _effects(has_side_effect: bool, **_: Any) -> Effects:
    return frozenset((foreign_effect,)) if has_side_effect else NO_EFFECTS


ffi_call_p = Primitive(
    "ffi_call", params=("attributes", "custom_call_api_version", "has_side_effect", "input_layouts", "input_output_aliases",
                        "legacy_backend_config", "output_layouts", "result_avals", "target_name", "vmap_method"),
    multiple_results=True, cache_types=False, type_rule=lambda *avals, result_avals, **_: list(result_avals), jvp=_jvp,
    transpose=NotDifferentiable("a foreign function is called"), batch=_batch, emit=_emit, effects=_effects,
    source="StableHLO specification, `custom_call`")


# -- the public function

@public
def ffi_call(target_name: str, result_shape_dtypes: Any, *, has_side_effect: bool = False, vmap_method: str | None = None,
             input_layouts: Sequence[LayoutLike] | None = None, output_layouts: LayoutLike | Sequence[LayoutLike] = None,
             input_output_aliases: Mapping[int, int] | None = None, custom_call_api_version: int = 4,
             legacy_backend_config: str | None = None) -> Callable[..., Any]:
    """A foreign function as a function of arrays.

    Args:
        target_name: the name that it was registered by (`jax.ffi.register_ffi_target`).
        result_shape_dtypes: what it returns: a `ShapeDtypeStruct`, or a sequence of them; `jax.core.abstract_token` for a
            token.
        has_side_effect: whether it is called for what it does, even where its results are not used.
        vmap_method: how vmap calls it: `sequential` (or `sequential_unrolled`), once for each entry; `expand_dims`, once,
            operands that are the same for all entries having a leading axis of size 1; `broadcast_all`, once, all operands
            having the whole batch axis; `legacy_vectorized`, once, operands that are the same for all staying as they are.
        input_layouts: for each operand the order of its axes in memory, from major to minor; `None` for rows.
        output_layouts: the same for the results.
        input_output_aliases: operands whose memory results take, `{operand: result}`.
        custom_call_api_version: 4 for handlers of the interface, less for older ones.
        legacy_backend_config: text for handlers older than version 4, which take no attributes.

    Returns:
        A function of arrays; what it is given by keyword are attributes of the call, known when it is compiled: numbers,
        truth values, text, NumPy arrays, dtypes, and tuples and dicts of these.

    Raises:
        ForeignCallError: the description contradicts itself, or the operands; or an attribute is of no such kind.
        ForeignTransformError: the call is differentiated, or under vmap without `vmap_method`.
        JaxRuntimeError: no such function is registered.

    Programs that call such functions are not kept in the disk cache: there is no telling what is registered when they are
    loaded.

    >>> inverse = ffi_call("lapack_spotrf_ffi", [jax.ShapeDtypeStruct((1, 1), np.float32), jax.ShapeDtypeStruct((), np.int32)])
    >>> inverse(jnp.array([[4.]]), uplo=np.uint8(ord("L")))[0]
    Array([[2.]], dtype=float32)
    """
    if vmap_method is not None and vmap_method not in VMAP_METHODS:
        raise ForeignCallError(says=f"`ffi_call` has no vmap_method {vmap_method!r}.",
                               why=f"there are {', '.join([f'`{name}`' for name in VMAP_METHODS])}, and None")
    if custom_call_api_version >= 4 and legacy_backend_config is not None:
        raise ForeignCallError(says=f"`ffi_call` of `{target_name}` was given legacy_backend_config.",
                               why=f"handlers of version {custom_call_api_version} take attributes instead",
                               fixes=(Fix("pass attributes by keyword", code="ffi_call(...)(x, name=value)"),))
    single = not isinstance(result_shape_dtypes, (list, tuple))
    announced = (result_shape_dtypes,) if single else tuple(result_shape_dtypes)
    results = tuple([_announced(target_name, i, x) for i, x in enumerate(announced)])
    if single and output_layouts is not None:
        output_layouts = (output_layouts,)
    out_layouts = _layouts(target_name, "output", output_layouts, results)

    def call(*args: Any, **kwargs: Any) -> Any:
        if kwargs and custom_call_api_version < 4:
            raise ForeignCallError(says=f"The foreign function `{target_name}` was given the attribute `{next(iter(kwargs))}`.",
                                   why=f"handlers of version {custom_call_api_version} take none",
                                   fixes=(Fix("pass text", code='ffi_call(..., legacy_backend_config="...")'),))
        xs = [operand(x) for x in args]
        avals = [get_aval(x) for x in xs]
        outs = ffi_call_p(
            *xs, target_name=target_name, result_avals=results, has_side_effect=bool(has_side_effect), vmap_method=vmap_method,
            input_layouts=_layouts(target_name, "input", input_layouts, avals), output_layouts=out_layouts,
            input_output_aliases=_aliases(target_name, input_output_aliases or {}, avals, results),
            custom_call_api_version=int(custom_call_api_version), legacy_backend_config=legacy_backend_config,
            attributes=Attributes((k, as_attribute(v, k, target_name)) for k, v in sorted(kwargs.items())))
        return outs[0] if single else type(result_shape_dtypes)(outs) if type(result_shape_dtypes) in (list, tuple) else outs

    call.__name__ = call.__qualname__ = target_name if target_name.isidentifier() else "ffi_call"
    return public(call)


def _announced(target: str, i: int, x: Any) -> Any:
    if x is abstract_token:
        return x
    if not hasattr(x, "shape") or not hasattr(x, "dtype"):
        raise ForeignCallError(says=f"`result_shape_dtypes` of `{target}` holds a value of class {type(x).__name__} at place "
                                    f"{i}, which is no type of an array.",
                               why="the program has room for what is announced",
                               fixes=(Fix("announce it", code="jax.ShapeDtypeStruct((), jnp.float32)"),))
    return ShapedArray(tuple(map(operator.index, x.shape)), np.dtype(x.dtype))


def _layouts(target: str, which: str, layouts: Any, avals: Sequence[Any]) -> tuple[tuple[int, ...], ...]:
    """For each array its axes from minor to major, as XLA has them."""
    ranks = [0 if a is abstract_token else a.ndim for a in avals]
    if layouts is None:
        return tuple([tuple(range(n - 1, -1, -1)) for n in ranks])
    if len(layouts) != len(ranks):
        raise ForeignCallError(says=f"`{target}` was given {len(layouts)} layouts for {len(ranks)} {which} arrays.",
                               why="there is one layout for each of them, or None")
    made = []
    for i, (layout, rank) in enumerate(zip(layouts, ranks)):
        axes = tuple(range(rank)) if layout is None else tuple(map(int, getattr(layout, "major_to_minor", layout)))
        if sorted(axes) != list(range(rank)):
            raise ForeignCallError(says=f"The layout {axes} of {which} {i} of `{target}` is no order of its axes.",
                                   why=f"the array has {rank} axes, each of which stands once in its layout, the one that "
                                       "changes slowest first",
                                   fixes=(Fix("by rows", code=f"{which}_layouts=[{tuple(range(rank))}]"),))
        made.append(axes[::-1])
    return tuple(made)


def _aliases(target: str, aliases: Mapping[int, int], avals: Sequence[Any],
             results: Sequence[Any]) -> tuple[tuple[int, int], ...]:
    for i, o in aliases.items():
        for name, k, count in (("operand", i, len(avals)), ("result", o, len(results))):
            if not 0 <= k < count:
                raise ForeignCallError(says=f"`input_output_aliases` of `{target}` names {name} {k}, but there are {count}.",
                                       why="it maps numbers of operands to numbers of results, counted from 0")
        if getattr(avals[i], "strong", None) is not results[o]:
            raise ForeignCallError(says=f"`input_output_aliases` of `{target}` lets result {o}, {results[o].str_short()}, take "
                                        f"the memory of operand {i}, {avals[i].str_short()}.",
                                   why="they share memory only where their types are equal")
    return tuple(sorted([(int(i), int(o)) for i, o in aliases.items()]))


__all__ = ["ForeignEffect", "ffi_call", "ffi_call_p", "native_family"]
