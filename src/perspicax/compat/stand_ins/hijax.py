"""Stands for `jax.experimental.hijax`. NNX defines classes with it, which it uses if `nnx.use_hijax(True)` was said."""
from __future__ import annotations

from collections.abc import Callable
from typing import Any

from perspicax.compat.stand_ins.unmade import unmade_class, unmade_function
from perspicax.core.avals import AbstractValue
from perspicax.core.trace import Zero
from perspicax.interpreters.ad import instantiate_zeros, is_undefined_primal

__all__ = [
    "AbstractValue", "AvalMutableQDD", "AvalQDD", "HiPrimitive", "MutableHiType", "Zero", "aval_method", "aval_property",
    "control_flow_allowed_effects", "instantiate_zeros", "is_undefined_primal", "register_hitype",
]


class _Effects:
    """Kinds of effects, gathered."""

    def __init__(self) -> None:
        self.kinds: list[type] = []

    def add_type(self, kind: type) -> None:
        """Add a kind."""
        self.kinds.append(kind)


class HiPrimitive:
    """A primitive on values of a library's own types. One can be defined; binding it is not there yet."""

    def __init__(self, name: str) -> None:
        self.name = name

    bind = unmade_function("jax.experimental.hijax.HiPrimitive.bind")


class MutableHiType:
    """A type of a library's own with state."""


class aval_property(property):
    """A property of a type, which its values have as well."""


class aval_method:
    """A method of a type, which its values have as well."""

    def __init__(self, fun: Callable[..., Any]) -> None:
        self.fun = fun


control_flow_allowed_effects = _Effects()
AvalQDD = unmade_class("jax.experimental.hijax.AvalQDD")
AvalMutableQDD = unmade_class("jax.experimental.hijax.AvalMutableQDD")

hitypes: dict[type, Callable[[Any], Any]] = {}


def register_hitype(value_type: type, type_of: Callable[[Any], Any]) -> None:
    """Note the type of a library's own values; no array operation takes them yet."""
    hitypes[value_type] = type_of
