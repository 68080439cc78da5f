"""Portable programs: StableHLO in the form that later versions still read, and its symbolic sizes put in."""
from __future__ import annotations

from typing import Any

from jaxlib import _jax
from jaxlib.mlir import ir
from jaxlib.mlir.dialects import sdy, stablehlo

from perspicax.binding.mlir import context as plain_context

__all__ = ["PortableFailure", "computation", "costs", "current_version", "deserialize", "functions_of", "module", "refine",
           "serialize"]

PortableFailure = (RuntimeError, ValueError, ir.MLIRError)
"""What these functions raise for programs that they refuse."""


_with_shardy: list[bool] = []


def context() -> Any:
    """The shared context of MLIR; it knows Shardy's operations, too."""
    found = plain_context()
    if not _with_shardy:
        _with_shardy.append(True)
        with found:
            sdy.register_dialect(found)
    return found


def current_version() -> str:
    """The newest version of StableHLO that is written and read here."""
    return stablehlo.get_current_version()


def serialize(text: str) -> bytes:
    """A program as a portable artifact, which readers of four weeks ago still understand.

    Operations of the CHLO dialect become composites, which carry what they are composed of. Those of Shardy's stay as they are.
    """
    version = stablehlo.get_version_from_compatibility_requirement(stablehlo.StablehloCompatibilityRequirement.WEEK_4)
    return _jax.mlir.serialize_portable_artifact(text, version, "sdy.mesh" in text)


def deserialize(artifact: bytes) -> str:
    """The text of a portable artifact."""
    with context(), ir.Location.unknown():
        return _text(stablehlo.deserialize_portable_artifact(context(), artifact))


def refine(text: str) -> str:
    """A program whose `main` has known sizes, with nothing unknown left."""
    found = _jax.mlir.refine_polymorphic_shapes(text.encode(), enable_shape_assertions=True, validate_static_shapes=True)
    with context(), ir.Location.unknown():
        return _text(ir.Module.parse(found))


def module(text: str) -> Any:
    """A program as a module of the MLIR bindings."""
    with context(), ir.Location.unknown():
        return ir.Module.parse(text)


def computation(text: str) -> Any:
    """A program as an XLA computation, before any optimisation."""
    return _jax.mlir.mlir_module_to_xla_computation(text, use_tuple_args=False, return_tuple=False)


def costs(text: str, client: Any) -> dict[str, float]:
    """XLA's estimate of what a program costs on the devices of a client, before any optimisation: `flops` and others."""
    return dict(_jax.hlo_module_cost_analysis(client, computation(text).get_hlo_module()))


def functions_of(text: str) -> list[tuple[str, str]]:
    """The names and texts of the functions of a module."""
    with context(), ir.Location.unknown():
        module = ir.Module.parse(text)
        return [(ir.StringAttr(op.attributes["sym_name"]).value, _text(op)) for op in module.body.operations]


def custom_calls(text: str) -> list[str]:
    """The targets of the custom calls in a program, each once."""
    found: dict[str, None] = {}

    def look(op: object) -> object:
        operation = op.operation  # type: ignore[attr-defined]
        if operation.name == "stablehlo.custom_call":
            found[ir.StringAttr(operation.attributes["call_target_name"]).value] = None
        return ir.WalkResult.ADVANCE

    with context(), ir.Location.unknown():
        ir.Module.parse(text).operation.walk(look)
    return list(found)


def _text(op: object) -> str:
    return op.operation.get_asm(large_elements_limit=None, enable_debug_info=False)  # type: ignore[attr-defined]
