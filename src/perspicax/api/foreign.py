"""What `jax.ffi` has besides calls: registering foreign functions, and lowering rules that call them."""
from __future__ import annotations

import ctypes
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from perspicax.binding import foreign
from perspicax.diagnose.boundary import public
from perspicax.diagnose.report import Fix
from perspicax.lax.foreign import native_family
from perspicax.lax.foreign_attributes import Attributes, as_attribute, attributes_text
from perspicax.lax.foreign_errors import ForeignCallError
from perspicax.xla.emit import physical_aval

_PLATFORMS = {"cuda": "CUDA", "gpu": "CUDA", "rocm": "ROCM"}
_LOWERING_OPTIONS = frozenset(("api_version", "extra_attributes", "has_side_effect", "operand_output_aliases", "result_types"))


@public
def pycapsule(funcptr: Any) -> Any:
    """A capsule around a function of a loaded library, as `register_ffi_target` takes it.

    Args:
        funcptr: a function that `ctypes` found (`library.name`), or the address of one.

    Raises:
        ForeignCallError: it is neither.
    """
    if isinstance(funcptr, int):
        address: int | None = funcptr
    elif isinstance(funcptr, (ctypes._CFuncPtr, ctypes.c_void_p)):  # type: ignore[attr-defined]
        address = ctypes.cast(funcptr, ctypes.c_void_p).value
    else:
        raise ForeignCallError(says=f"`pycapsule` was given a value of class {type(funcptr).__name__}.",
                               why="it takes a function of a library that `ctypes` has loaded",
                               fixes=(Fix("", code='jax.ffi.pycapsule(ctypes.cdll.LoadLibrary("./lib.so").name)'),))
    if not address:
        raise ForeignCallError(says="`pycapsule` was given a null pointer.", why="there is no function at this address")
    return foreign.capsule(address)


@public
def register_ffi_target(name: str, fn: Any, platform: str = "cpu", api_version: int = 1, **kwargs: Any) -> None:
    """Register a foreign function by a name, by which `ffi_call` calls it.

    Args:
        name: the name; programs of the whole process find it.
        fn: a capsule with the handler (`pycapsule`), or a dict of one for each stage (`"instantiate"`, `"prepare"`,
            `"initialize"`, `"execute"`).
        platform: the platform that it runs on.
        api_version: 1 for handlers of the interface, 0 for older custom calls.
        kwargs: further options of jaxlib's registration (`traits`).

    Raises:
        ForeignCallError: `fn` is neither.
    """
    handlers = list(fn.values()) if isinstance(fn, dict) else [fn]
    wrong = next((h for h in handlers if type(h).__name__ != "PyCapsule"), None)
    if not handlers or wrong is not None:
        raise ForeignCallError(says=f"`register_ffi_target` of `{name}` was given a value of class {type(wrong).__name__}.",
                               why="a handler comes in a capsule, or in a dict of one for each stage",
                               fixes=(Fix("wrap it", code="jax.ffi.pycapsule(library.name)"),))
    foreign.register_target(name, fn, _PLATFORMS.get(platform, platform), api_version, **kwargs)


@public
def register_ffi_type(name: str, type_registration: Any, platform: str = "cpu") -> None:
    """Register a type of the state that handlers keep between calls.

    Args:
        name: a name that nothing else in the process has.
        type_registration: a dict with capsules: `"type_id"`, and `"type_info"` where there is one.
        platform: the platform of the handlers.

    Raises:
        ForeignCallError: `type_registration` is no such dict.
    """
    if not isinstance(type_registration, dict) or "type_id" not in type_registration:
        raise ForeignCallError(says=f"`register_ffi_type` of `{name}` was given {type_registration!r}.",
                               why="it takes a dict with a capsule under `type_id`, and perhaps one under `type_info`")
    foreign.register_type(name, type_registration, _PLATFORMS.get(platform, platform))


@public
def register_ffi_type_id(name: str, obj: Any, platform: str = "cpu") -> None:
    """Refuses: jaxlib takes whole registrations of types only.

    Args:
        name: the name of the type.
        obj: a capsule with its number.
        platform: the platform of the handlers.

    Raises:
        ForeignCallError: always.
    """
    raise ForeignCallError(says=f"`register_ffi_type_id` of `{name}`: this jaxlib registers no bare numbers of types.",
                           why="a type is registered as a whole",
                           fixes=(Fix("", code='jax.ffi.register_ffi_type(name, {"type_id": capsule})'),))


@public
def register_ffi_target_as_batch_partitionable(name: str) -> None:
    """Say that a foreign function works on each entry along leading axes by itself, so that devices may share its work.

    Args:
        name: the name that it is registered by.
    """
    foreign.make_batch_partitionable(name)


@public
def include_dir() -> str:
    """The folder of the header files that come with jaxlib, which foreign functions are compiled with."""
    return foreign.include_dir()


# -- lowering rules

@public
def build_ffi_lowering_function(call_target_name: str, *, operand_layouts: Sequence[Sequence[int]] | None = None,
                                result_layouts: Sequence[Sequence[int]] | None = None,
                                backend_config: Mapping[str, Any] | str | None = None,
                                skip_ffi_layout_processing: bool = False, **lowering_args: Any) -> Callable[..., Any]:
    """A step of a lowering rule: it makes the operation that calls a foreign function, at the current insertion point.

    Args:
        call_target_name: the name that the function is registered by.
        operand_layouts: for each operand its axes in memory, from minor to major; by rows where it is `None`.
        result_layouts: the same for the results.
        backend_config: attributes of the call, as MLIR attributes by name; or text, for handlers older than version 4.
        skip_ffi_layout_processing: leave layouts out where they are not given.
        lowering_args: `has_side_effect`, `operand_output_aliases`, `api_version`, `result_types`, `extra_attributes`.

    Returns:
        A function `(ctx, *values, **attributes)` that returns the operation; `.results` has its results.

    Raises:
        ForeignCallError: an argument of `lowering_args` is not among these, or layouts are not as many as arrays.
    """
    unknown = sorted(lowering_args.keys() - _LOWERING_OPTIONS)
    if unknown:
        raise ForeignCallError(says=f"`ffi_lowering` of `{call_target_name}` does not take `{unknown[0]}`.",
                               why=f"it takes {', '.join([f'`{name}`' for name in sorted(_LOWERING_OPTIONS)])}")

    def lower(ctx: Any, *values: Any, **attributes: Any) -> Any:
        from perspicax.binding import mlir

        builder = ctx.module_context.builder
        if builder is not None:
            builder.module.native.add(native_family(call_target_name, builder.module.platform))
        version = lowering_args.get("api_version", 4)
        types = lowering_args.get("result_types") or [mlir.ir.Type.parse(physical_aval(a).mlir) for a in ctx.avals_out]
        found: dict[str, Any] = {
            "call_target_name": mlir.ir.StringAttr.get(call_target_name),
            "api_version": mlir.ir.Attribute.parse(f"{version} : i32"),
            "has_side_effect": mlir.ir.BoolAttr.get(bool(lowering_args.get("has_side_effect", False)))}
        if version >= 4:
            given = "{" + attributes_text(Attributes(
                (k, as_attribute(v, k, call_target_name)) for k, v in attributes.items())) + "}"
            parsed: Any = mlir.ir.DictAttr(mlir.ir.Attribute.parse(given))
            own = {named.name: named.attr for named in parsed}
            found["backend_config"] = mlir.ir.DictAttr.get({**own, **_mapping(backend_config, call_target_name)})
        else:
            found["backend_config"] = mlir.ir.StringAttr.get(str(backend_config or ""))
        for name, layouts, avals in (("operand_layouts", operand_layouts, ctx.avals_in),
                                     ("result_layouts", result_layouts, ctx.avals_out)):
            if layouts is not None or not skip_ffi_layout_processing:
                found[name] = mlir.ir.Attribute.parse(_layouts_text(call_target_name, name, layouts, avals))
        aliases = lowering_args.get("operand_output_aliases")
        if aliases:
            found["output_operand_aliases"] = mlir.ir.Attribute.parse(_aliases_text(aliases, len(types) > 1))
        found.update(lowering_args.get("extra_attributes") or {})
        return mlir.ir.Operation.create("stablehlo.custom_call", results=list(types), operands=list(values), attributes=found)

    return lower


@public
def ffi_lowering(call_target_name: str, *, operand_layouts: Sequence[Sequence[int]] | None = None,
                 result_layouts: Sequence[Sequence[int]] | None = None,
                 backend_config: Mapping[str, Any] | str | None = None, skip_ffi_layout_processing: bool = False,
                 **lowering_args: Any) -> Callable[..., Any]:
    """A lowering rule, for `jax.interpreters.mlir.register_lowering`, that calls a foreign function.

    Args:
        call_target_name: the name that the function is registered by.
        operand_layouts: for each operand its axes in memory, from minor to major; by rows where it is `None`.
        result_layouts: the same for the results.
        backend_config: attributes of the call, as MLIR attributes by name; the primitive's parameters are added.
        skip_ffi_layout_processing: leave layouts out where they are not given.
        lowering_args: as of `build_ffi_lowering_function`.

    Raises:
        ForeignCallError: as `build_ffi_lowering_function`.
    """
    lower = build_ffi_lowering_function(
        call_target_name, operand_layouts=operand_layouts, result_layouts=result_layouts, backend_config=backend_config,
        skip_ffi_layout_processing=skip_ffi_layout_processing, **lowering_args)

    def rule(ctx: Any, *values: Any, **params: Any) -> list[Any]:
        return list(lower(ctx, *values, **params).results)

    return rule


def _mapping(config: Any, target: str) -> Mapping[str, Any]:
    if config is None:
        return {}
    if not isinstance(config, Mapping):
        raise ForeignCallError(says=f"`backend_config` of `{target}` is of class {type(config).__name__}.",
                               why="handlers of version 4 take attributes by name; text is for older ones",
                               fixes=(Fix("", code='backend_config={"name": mlir.i64_attr(1)}'),))
    return config


def _layouts_text(target: str, name: str, layouts: Sequence[Sequence[int]] | None, avals: Sequence[Any]) -> str:
    ranks = [len(physical_aval(a).shape) for a in avals]
    if layouts is not None and len(layouts) != len(ranks):
        raise ForeignCallError(says=f"`{name}` of `{target}` has {len(layouts)} layouts for {len(ranks)} arrays.",
                               why="there is one layout for each of them, or None")
    given: Sequence[Any] = [None] * len(ranks) if layouts is None else layouts
    made = [list(range(n - 1, -1, -1)) if layout is None else [int(i) for i in layout] for n, layout in zip(ranks, given)]
    return f"[{', '.join([f'dense<{x if x else str()}> : tensor<{len(x)}xindex>' for x in made])}]"


def _aliases_text(aliases: Mapping[int, int], several: bool) -> str:
    items = [f"#stablehlo.output_operand_alias<output_tuple_indices = [{o if several else ''}], operand_index = {i}, "
             "operand_tuple_indices = []>" for i, o in aliases.items()]
    return f"[{', '.join(items)}]"


__all__ = ["build_ffi_lowering_function", "ffi_lowering", "include_dir", "pycapsule", "register_ffi_target",
           "register_ffi_target_as_batch_partitionable", "register_ffi_type", "register_ffi_type_id"]
