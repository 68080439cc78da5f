"""Modules in attributes: alone, or in lists, tuples, dicts and other trees."""
from __future__ import annotations

from collections.abc import Callable
from typing import Any

from perspicax.flax.core.frozen_dict import FrozenDict
from perspicax.flax.linen.module_state import ModuleBase
from perspicax.flax.state_dicts import from_state_dict, is_serializable, to_state_dict

__all__ = ["freeze_attribute", "map_modules", "modules_in"]


def freeze_attribute(value: Any) -> Any:
    """A value whose lists are tuples and whose dicts are frozen, since modules do not change."""
    if isinstance(value, (dict, FrozenDict)):
        return FrozenDict({key: freeze_attribute(inner) for key, inner in value.items()})
    if isinstance(value, tuple) and hasattr(value, "_fields"):
        return type(value)(*[freeze_attribute(inner) for inner in value])
    if isinstance(value, (list, tuple)):
        return tuple([freeze_attribute(inner) for inner in value])
    return value


def map_modules(fn: Callable[[str, ModuleBase], Any], value: Any, suffix: str = "") -> Any:
    """A value with `fn(suffix, module)` for each module in it.

    Args:
        fn: takes the way to a module, as `"_layers_0"`, and the module.
        value: a module, or a tree that may hold some: of dicts, lists, tuples and of types that are registered for state
            dicts. Other values stay as they are.
        suffix: the way to `value` itself.
    """
    if isinstance(value, ModuleBase):
        return fn(suffix, value)
    if isinstance(value, (dict, FrozenDict)):
        changed: Any = {key: map_modules(fn, inner, f"{suffix}_{key}") for key, inner in value.items()}
        return FrozenDict(changed) if isinstance(value, FrozenDict) else changed
    if isinstance(value, tuple) and hasattr(value, "_fields"):
        named = zip(value._fields, value, strict=True)
        return type(value)(*[map_modules(fn, inner, f"{suffix}_{name}") for name, inner in named])
    if isinstance(value, (list, tuple)):
        mapped = [map_modules(fn, inner, f"{suffix}_{i}") for i, inner in enumerate(value)]
        return mapped if isinstance(value, list) else tuple(mapped)
    if is_serializable(value) and not isinstance(value, type):
        state = to_state_dict(value)
        if isinstance(state, dict) and any(True for _ in modules_in(state)):
            return from_state_dict(value, map_modules(fn, state, suffix))
    return value


def modules_in(value: Any) -> list[ModuleBase]:
    """The modules in a value, in their order; not those in modules."""
    found: list[ModuleBase] = []

    def note(_: str, module: ModuleBase) -> ModuleBase:
        found.append(module)
        return module

    if isinstance(value, (ModuleBase, dict, FrozenDict, list, tuple)) or is_serializable(value):
        map_modules(note, value)
    return found
