"""An exported function: a portable program with what is needed to call it."""
from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from perspicax.api import export_call, export_format, export_shardings
from perspicax.binding import portable
from perspicax.diagnose.boundary import public_methods

__all__ = ["DisabledSafetyCheck", "Exported"]


@dataclass(frozen=True)
class DisabledSafetyCheck:
    """A check of `export` that is left out; made by `platform` and `custom_call`."""

    _impl: str

    @classmethod
    def platform(cls) -> DisabledSafetyCheck:
        """Let the function be called on platforms that it was not exported for."""
        return cls("platform")

    @classmethod
    def custom_call(cls, target_name: str) -> DisabledSafetyCheck:
        """Let the function hold custom calls of this target, which nobody promises to keep."""
        return cls(f"custom_call:{target_name}")

    def is_custom_call(self) -> str | None:
        """The target, if this is about a custom call."""
        kind, _, target = self._impl.partition(":")
        return target if kind == "custom_call" else None

    def is_platform(self) -> bool:
        """Whether this is about the platform."""
        return self._impl == "platform"

    def __str__(self) -> str:
        return self._impl


@public_methods("mlir_module", "serialize", "call", "vjp", "in_shardings_jax", "out_shardings_jax")
@dataclass(frozen=True, eq=False)
class Exported:
    """A function as a portable program, made by `export` or read by `deserialize`.

    Attributes:
        fun_name: of the function.
        in_tree: structure of `(args, kwargs)`.
        in_avals: types of the flat arguments; sizes may be symbolic.
        out_tree, out_avals: the same of the result.
        in_shardings_hlo, out_shardings_hlo: `None` for each: shardings are told by `in_shardings_jax`.
        nr_devices: how many devices the program runs on.
        platforms: what it was made for: `cpu`, `tpu`, `cuda`, `rocm`.
        ordered_effects, unordered_effects: effects of the program.
        disabled_safety_checks: checks that were left out.
        mlir_module_serialized: the program, as a portable artifact of StableHLO.
        calling_convention_version: of how `main` takes its arguments.
        module_kept_var_idx: which flat arguments `main` takes; the others are not read.
        uses_global_constants: whether sizes or the platform are open in the program.
    """

    fun_name: str
    in_tree: Any
    in_avals: tuple[Any, ...]
    out_tree: Any
    out_avals: tuple[Any, ...]
    _has_named_shardings: bool
    _in_named_shardings: tuple[Any, ...]
    _out_named_shardings: tuple[Any, ...]
    in_shardings_hlo: tuple[Any, ...]
    out_shardings_hlo: tuple[Any, ...]
    nr_devices: int
    platforms: tuple[str, ...]
    ordered_effects: tuple[Any, ...]
    unordered_effects: tuple[Any, ...]
    disabled_safety_checks: Sequence[DisabledSafetyCheck]
    mlir_module_serialized: bytes
    calling_convention_version: int
    module_kept_var_idx: tuple[int, ...]
    uses_global_constants: bool
    _get_vjp: Callable[[Exported], Exported] | None
    _derived: dict[str, dict] = field(default_factory=dict, init=False, repr=False)

    def derived(self, what: str) -> dict:
        """What was made of it for calls, by kind: kept as long as it is."""
        return self._derived.setdefault(what, {})

    def __repr__(self) -> str:
        return f"Exported(fun_name={self.fun_name}, ...)"

    def mlir_module(self, serialized: bool = True) -> str:
        """The program as text.

        Args:
            serialized: accepted; the text is made from the portable form either way.
        """
        return portable.deserialize(self.mlir_module_serialized)

    def has_vjp(self) -> bool:
        """Whether there is a gradient."""
        return self._get_vjp is not None

    def vjp(self) -> Exported | None:
        """The exported gradient; `None` where there is none.

        It takes the flat arguments and a cotangent for each flat result, and returns the tuple of the arguments' cotangents.
        """
        if self._get_vjp is None:
            return None
        kept = self.derived("gradient")
        if not kept:
            kept["vjp"] = self._get_vjp(self)
        return kept["vjp"]

    def serialize(self, vjp_order: int = 0) -> bytearray:
        """The function as bytes, for `deserialize`.

        Args:
            vjp_order: how many orders of reverse-mode derivatives go with it.

        Raises:
            ExportError: a class in its arguments or results is not registered for serialization, or there are fewer
                derivatives.
        """
        return bytearray(export_format.write(self, vjp_order))

    def call(self, *args: Any, **kwargs: Any) -> Any:
        """Call it, with arguments of the structure and types that it was exported for; within other functions, too.

        Returns:
            The result, of the structure of `out_tree`.

        Raises:
            ExportedCallError: structure, types, sizes, platform or number of devices are others than those it was exported for.
        """
        return export_call.call(self, args, kwargs)

    def in_shardings_jax(self, mesh: Any) -> tuple[Any, ...]:
        """The shardings of the flat arguments on a mesh: `None` where nothing was said.

        Raises:
            ExportedCallError: the mesh has other axes than the one that the function was exported with.
        """
        return export_shardings.of_mesh(self._in_named_shardings, mesh, self.fun_name)

    def out_shardings_jax(self, mesh: Any) -> tuple[Any, ...]:
        """The shardings of the flat results on a mesh: `None` where nothing was said.

        Raises:
            ExportedCallError: the mesh has other axes than the one that the function was exported with.
        """
        return export_shardings.of_mesh(self._out_named_shardings, mesh, self.fun_name)
