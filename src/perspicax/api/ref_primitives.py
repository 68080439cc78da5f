"""What is done to references, as equations: `get`, `swap`, `addupdate`, `new_ref`, `empty_ref`, `freeze`, `free_ref`.

They are in jaxprs that are made to be looked at, and to be applied again; programs that run have none (`core/refs.py`).
"""
from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from perspicax.core.array import Array
from perspicax.core.effects import Effects, RefEffect
from perspicax.core.jaxpr import JaxprEqn
from perspicax.core.primitive import Missing, NotDifferentiable, NotLinear, Primitive
from perspicax.core.refs import AbstractRef
from perspicax.core.trace import stage_flat
from perspicax.core.tracer import Tracer
from perspicax.lax.compare import clamp
from perspicax.numpy.dynamic_slices import Slice
from perspicax.transform import trees as tree


class ReadEffect(RefEffect):
    """A reference is read."""


class WriteEffect(RefEffect):
    """A reference is written to."""


class AccumEffect(RefEffect):
    """Something is added to a reference."""


class InternalMutableArrayEffect(RefEffect):
    """A reference is made, or ends."""


_READ, _WRITE, _ADD, MAKES = (frozenset((e(),)) for e in (ReadEffect, WriteEffect, AccumEffect, InternalMutableArrayEffect))


# -- indices

class _Operand:
    """The place of an operand in an index."""

    def __repr__(self) -> str:
        return "*"


_OPERAND = _Operand()


class Span(tuple):
    """A slice of numbers; a `slice` itself cannot be a key."""

    __slots__ = ()

    def slice(self) -> slice:
        """The slice."""
        return slice(*self)


class Mask:
    """A known array of booleans in an index."""

    __slots__ = ("array", "key")

    def __init__(self, array: np.ndarray) -> None:
        self.array, self.key = array, (array.shape, array.tobytes())

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Mask) and self.key == other.key

    def __hash__(self) -> int:
        return hash(self.key)

    def __str__(self) -> str:
        return str(self.array.tolist())


class RefIndex:
    """An index but for the arrays in it, which are operands.

    Attributes:
        structure: of the index, a pytree.
        parts: its leaves: numbers, `...`, `None`, spans, masks, and marks where an operand stands.
    """

    __slots__ = ("parts", "structure")

    def __init__(self, parts: tuple, structure: Any) -> None:
        self.parts, self.structure = parts, structure

    @classmethod
    def of(cls, index: Any) -> tuple[RefIndex, list[Any]]:
        """The description of an index, and the arrays in it."""
        leaves, structure = tree.flatten(index, lambda x: x is None)
        parts: list[Any] = []
        operands = []
        for x in leaves:
            if isinstance(x, slice):
                parts.append(Span((x.start, x.stop, x.step)))
            elif isinstance(x, (Array, np.ndarray)) and not isinstance(x, Tracer) and x.dtype == bool:
                parts.append(Mask(np.asarray(x)))
            elif isinstance(x, (Array, np.ndarray)):
                parts.append(_OPERAND)
                operands.append(x)
            else:
                parts.append(int(x) if isinstance(x, np.integer) else x)
        return cls(tuple(parts), structure), operands

    def with_operands(self, operands: Sequence[Any]) -> Any:
        """The index."""
        rest = iter(operands)
        return self.structure.unflatten([next(rest) if p is _OPERAND else p.slice() if type(p) is Span
                                         else p.array if type(p) is Mask else p for p in self.parts])

    def text(self, names: Sequence[str]) -> str:
        """The index as it is written, with names of operands."""
        rest = iter(names)
        found = self.structure.unflatten([next(rest) if p is _OPERAND else _part_text(p) for p in self.parts])
        return ",".join([p if isinstance(p, str) else _part_text(p) for p in (found if isinstance(found, tuple) else (found,))])

    def _key(self) -> tuple:
        return tuple([(type(p), p) for p in self.parts]), self.structure

    def __eq__(self, other: object) -> bool:
        return isinstance(other, RefIndex) and self._key() == other._key()

    def __hash__(self) -> int:
        return hash(self._key())

    def __repr__(self) -> str:
        return f"[{self.text(['*'] * len(self.parts))}]"


def _part_text(part: Any) -> str:
    if type(part) is Span:
        start, stop, step = ["" if x is None else str(x) for x in part]
        return f"{start}:{stop}" + (f":{step}" if step else "")
    if isinstance(part, Slice):
        return f"{part.start}:{part.start}+{part.size}" + (f":{part.stride}" if part.stride != 1 else "")
    return "..." if part is ... else str(part)


def within(index: Any, shape: tuple[int, ...], known: bool = False) -> Any:
    """`index`, whose traced numbers are brought inside of the axes, as when entries are read.

    Only where it has numbers and slices without steps alone: writes at arrays of indices skip what lies outside.

    Args:
        index: of a reference.
        shape: of its value.
        known: whether arrays in it that have values stand for traced ones.
    """
    kind = Array if known else Tracer
    parts = index if isinstance(index, tuple) else (index,)
    if not any(isinstance(p, kind) for p in parts) or not all(_is_plain(p) for p in parts):
        return index
    axes = [i for i, p in enumerate(parts) if p is Ellipsis]
    skipped = len(shape) - len(parts) + 1
    sizes = [shape[i if not axes or i <= axes[0] else i + skipped - 1] for i in range(len(parts))]
    return tuple([_clamped(p, size) if isinstance(p, kind) else p for p, size in zip(parts, sizes)])


def _clamped(index: Any, size: int) -> Any:
    limits = np.iinfo(index.dtype)
    return clamp(index.dtype.type(max(-size, limits.min)), index, index.dtype.type(min(max(size - 1, 0), limits.max)))


def _is_plain(part: Any) -> bool:
    if isinstance(part, slice):
        return part.step in (None, 1)
    return part is Ellipsis or (isinstance(part, (int, np.integer, Array)) and not isinstance(part, bool)
                                and np.shape(part) == () and np.issubdtype(np.result_type(part), np.integer))


def _entry_type(ref: AbstractRef, operands: Sequence[Any], index: RefIndex) -> Any:
    """The type of the entries at an index."""
    return stage_flat(lambda x, *rest: [x[index.with_operands(rest)]], [ref.inner_aval, *operands]).out_avals[0]


# -- text: `b:f32[] <- a[0]`

def _get_text(eqn: JaxprEqn, atom: Callable, typed: Callable) -> str:
    ref, *rest = [atom(a) for a in eqn.invars]
    return f"{typed(eqn.outvars[0])} <- {ref}[{eqn.params['index'].text(rest)}]"


def _swap_text(eqn: JaxprEqn, atom: Callable, typed: Callable) -> str:
    ref, value, *rest = [atom(a) for a in eqn.invars]
    place = f"{ref}[{eqn.params['index'].text(rest)}]"
    before = typed(eqn.outvars[0])
    return f"{place} <- {value}" if before.startswith("_:") else f"{before}, {place} <- {place}, {value}"


def _add_text(eqn: JaxprEqn, atom: Callable, typed: Callable) -> str:
    ref, value, *rest = [atom(a) for a in eqn.invars]
    return f"{ref}[{eqn.params['index'].text(rest)}] += {value}"


# -- the primitives

def of_references(name: str, params: Sequence[str], type_rule: Callable[..., Any], perform: Callable[..., Any],
                   effects: Effects, text: Callable[..., str] | None = None, multiple_results: bool = False) -> Primitive:
    why = "a jaxpr with references is applied (`eval_jaxpr`) to references before it is transformed or compiled"
    made = Primitive(name, params=params, type_rule=type_rule, jvp=NotDifferentiable(why), transpose=NotLinear(why),
                     batch=Missing(why), emit=Missing(why), multiple_results=multiple_results, effects=lambda **_: effects,
                     evaluate=perform, stage=lambda trace, args, params: perform(*args, **params), source="what `jax.Ref` does")
    made.extra["perform"] = perform
    if text is not None:
        made.extra["text"] = text
    return made


def _at(ref: Any, operands: Sequence[Any], index: RefIndex) -> Any:
    """The index in an equation that is applied; its operands were traced, and are not refused now for what they are."""
    found = index.with_operands(operands)
    return within(found, ref.shape, known=True) if operands else found


def _read(ref: Any, *operands: Any, index: RefIndex) -> Any:
    return ref[_at(ref, operands, index)]


def _swapped(ref: Any, x: Any, *operands: Any, index: RefIndex) -> Any:
    return ref.swap(_at(ref, operands, index), x)


def _added(ref: Any, x: Any, *operands: Any, index: RefIndex) -> list:
    ref.addupdate(x, _at(ref, operands, index))
    return []


def _frozen(ref: Any) -> Any:
    value = ref[...]
    ref.finish("freeze")
    return value


def _freed(ref: Any) -> list:
    ref.read()
    ref.finish("free_ref")
    return []


get_p = of_references("get", ("index",), lambda ref, *rest, index: _entry_type(ref, rest, index), _read, _READ, _get_text)
swap_p = of_references(
    "swap", ("index",), lambda ref, x, *rest, index: _entry_type(ref, rest, index), _swapped, _WRITE, _swap_text)
addupdate_p = of_references("addupdate", ("index",), lambda *avals, index: [], _added, _ADD, _add_text, multiple_results=True)
freeze_p = of_references("freeze", (), lambda ref: ref.inner_aval, _frozen, MAKES)
free_ref_p = of_references("free_ref", (), lambda ref: [], _freed, MAKES, multiple_results=True)

__all__ = ["MAKES", "AccumEffect", "InternalMutableArrayEffect", "ReadEffect", "RefIndex", "WriteEffect", "addupdate_p",
           "free_ref_p", "freeze_p", "get_p", "of_references", "swap_p", "within"]
