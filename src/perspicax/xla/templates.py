"""Texts of equations that were emitted before, with the names left open.

Models repeat their equations. What an emission rule writes depends on the primitive, its parameters, the types of its
operands and the options alone, unless it looks at the module; so the text is written once and afterwards only filled in:
the names of operands, results and constants, and the location.
"""
from __future__ import annotations

import operator
import re
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from perspicax.core.jaxpr import JaxprEqn
    from perspicax.xla.emit import Builder, Module, Value

MAX_TEMPLATES = 4096

LOCATION = ' loc("@")'  # what a recorder writes in its place
_SLOT = re.compile(r'(%\w+| loc\("@"\))')
_CHANGELESS = frozenset(("platform", "num_partitions", "state"))  # of a module: they are part of the key

# The key's first member is the primitive, which keeps nothing else alive; parameters that hold jaxprs never come here,
# since their rules look at the module.
_templates: dict[tuple, Template] = {}
_LOOKS = "looks at the module"  # marks, in `extra`, primitives whose texts cannot be kept


class Template:
    """The text of one equation. Slots are indices into operands, then constants, then new names, then the location."""

    __slots__ = ("constants", "native", "new", "parts", "results", "single", "slots")

    def __init__(self, parts: list[str], slots: Sequence[int], new: int, constants: list[tuple], results: list[tuple],
                 native: frozenset[str]) -> None:
        self.parts, self.new, self.constants, self.results, self.native = parts, new, constants, results, native
        self.single = results[0][0] if len(results) == 1 and not results[0][1] else -1  # the slot of the only result
        # every operation has a location and a name: two slots at least
        self.slots: Callable[[list], tuple] | None = operator.itemgetter(*slots) if slots else None

    def emit(self, b: Builder, names: list[str]) -> list[str]:
        """Write the equation into `b`; `names` are those of its operands (used up), the result those of its results."""
        if self.constants:
            names += [b.constant_of(text, aval).name for text, aval in self.constants]
        shared = b.shared
        at = shared[0]
        if self.new == 1:
            shared[0] = at + 1
            names.append(f"%{at + 1}")
        else:
            shared[0] = at + self.new
            names += [f"%{i}" for i in range(at + 1, at + self.new + 1)]
        names.append(b.loc)
        if self.slots is not None:
            parts = self.parts.copy()
            parts[1::2] = self.slots(names)
            b.lines.append("".join(parts))
        if self.native:
            b.module.native |= self.native
        if self.single >= 0:
            return [names[self.single]]
        return [names[slot] + suffix for slot, suffix in self.results]


class WatchedModule:
    """Stands for a module while a rule is recorded, and notes whether the rule looks at more than may be in a key."""

    __slots__ = ("_module", "native", "touched")

    def __init__(self, module: Module) -> None:
        self._module = module
        self.native: set[str] = set()
        self.touched = False

    def __getattr__(self, name: str) -> Any:
        if name not in _CHANGELESS:
            self.touched = True
        return getattr(self._module, name)


def key_of(eqn: JaxprEqn, avals: tuple, out: tuple, module: Any) -> tuple | None:
    """What the text of an equation depends on; `None` where it may depend on more."""
    if eqn.effects or module.symbolic or _LOOKS in eqn.primitive.extra:
        return None
    return (eqn.primitive, eqn.values, module.platform, module.num_partitions, module.state, avals, out)


def find(key: tuple | None) -> Template | None:
    """The template of an equation, if there is one."""
    try:
        return _templates.get(key)  # type: ignore[arg-type]
    except TypeError:  # a parameter that cannot be hashed
        return None


def make(recorder: Builder, watched: WatchedModule, operands: Sequence[Value], constants: dict[tuple, Value],
         results: Sequence[Value]) -> Template:
    """The template of what a rule wrote into `recorder`, whose names are its own."""
    new = recorder.shared[0]
    named = [*[v.name for v in operands], *[v.name for v in constants.values()], *[f"%{i + 1}" for i in range(new)], LOCATION]
    slots = {name: i for i, name in enumerate(named)}
    parts, found = [""], []
    for i, piece in enumerate(_SLOT.split("".join(recorder.lines))):
        slot = slots.get(piece) if i % 2 else None
        if slot is None:  # text, or what only looks like a name
            parts[-1] += piece
        else:
            found.append(slot)
            parts += [piece, ""]
    outs = []
    for r in results:
        base, mark, index = r.name.partition("#")
        outs.append((slots[base], mark + index))
    return Template(parts, found, new, list(constants), outs, frozenset(watched.native))


def keep(key: tuple, template: Template, watched: WatchedModule) -> None:
    """Remember a template, when it may be used again."""
    if watched.touched:
        key[0].extra[_LOOKS] = True
        return
    if any(isinstance(v, float | complex | np.inexact) and v == 0 for v in key[1]):
        return  # 0.0 and -0.0 are one key, and two texts
    if len(_templates) >= MAX_TEMPLATES:
        _templates.clear()
    try:
        _templates[key] = template
    except TypeError:  # a parameter that cannot be hashed
        key[0].extra[_LOOKS] = True


def clear() -> None:
    """Forget all templates."""
    _templates.clear()


__all__ = ["LOCATION", "Template", "WatchedModule", "clear", "find", "keep", "key_of", "make"]
