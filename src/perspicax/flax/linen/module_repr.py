"""How modules are shown."""
from __future__ import annotations

import dataclasses
from typing import Any

from perspicax.flax.linen.module_state import ModuleBase

__all__ = ["module_repr"]


def module_repr(module: Any, indent: int = 4) -> str:
    """A module's class, its fields and, if it is bound, its submodules.

    Args:
        module: the module.
        indent: by how much what is inside moves to the right.
    """
    fields = {each.name: _shown(getattr(module, each.name, None)) for each in dataclasses.fields(module)
              if each.repr and each.name not in ("parent", "name")}
    children = {name: module_repr(child, indent) for name, child in module._state.children.items()
                if isinstance(child, ModuleBase)}
    name = type(module).__name__
    lines = []
    if fields:
        lines += ["# attributes", *[f"{key} = {text}" for key, text in fields.items()]]
    if children:
        lines += ["# children", *[f"{key} = {text}" for key, text in children.items()]]
    if not lines:
        return f"{name}()"
    inner = "\n".join(lines).replace("\n", "\n" + " " * indent)
    return f"{name}(\n{' ' * indent}{inner}\n)"


def _shown(value: Any) -> str:
    if callable(value) and not isinstance(value, ModuleBase) and hasattr(value, "__name__"):
        return str(value.__name__)
    return repr(value)
