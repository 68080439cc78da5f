"""Pull-backs that add cotangents to references, and leave out what is not wanted: `VJP.with_refs`, `jax.ad`."""
from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from perspicax.core.ref_errors import RefValueError
from perspicax.core.refs import RefCell
from perspicax.core.tracer import get_aval
from perspicax.diagnose.boundary import public
from perspicax.transform import trees as tree
from perspicax.transform.errors import AccumulatorError
from perspicax.transform.hooks import add_tangents, as_traced

__all__ = ["AccumulatingVJP", "DidntWant", "DontWant", "GradRef", "GradValue"]


@dataclass(frozen=True)
class GradValue:
    """Given to `with_refs`: the cotangent is returned."""


@dataclass(frozen=True)
class DontWant:
    """Given to `with_refs`: the cotangent is not wanted."""


@dataclass(frozen=True)
class DidntWant:
    """Stands in a pull-back's result for a cotangent that was not wanted."""


@dataclass(frozen=True)
class GradRef:
    """Stands in a pull-back's result for a cotangent that was added to a reference."""


class AccumulatingVJP:
    """A pull-back with a place for each cotangent of its arguments."""

    __slots__ = ("places", "pull_back", "shape")

    def __init__(self, pull_back: Callable[..., list[Any]], shape: Any, given: tuple[Any, ...]) -> None:
        self.pull_back, self.shape = pull_back, shape
        leaves, found = tree.flatten((given, {}))
        if found != shape.in_tree:
            raise AccumulatorError(function=shape.name, kind="tree", expected=shape.in_tree.children()[0],
                                   got=found.children()[0])
        self.places = [_place(x, i, shape) for i, x in enumerate(leaves)]

    def __repr__(self) -> str:
        return f"<pull-back of `{self.shape.name}` that accumulates>"

    @public
    def __call__(self, ct: Any, *rest: Any) -> Any:
        """Cotangents of the arguments: returned, added to references, or left out, as `with_refs` was told."""
        found = self.pull_back(ct, *rest)
        return self.shape.in_tree.unflatten([_settle(place, ct) for place, ct in zip(self.places, found)])[0]


def _place(x: Any, index: int, shape: Any) -> Any:
    """What is done with one cotangent: a reference, or one of the two marks."""
    if isinstance(x, RefCell):
        return x
    if isinstance(x, DontWant):
        return DontWant
    if isinstance(x, GradValue) or x is GradValue:  # JAX takes this class as well as its instance
        return GradValue
    raise AccumulatorError(function=shape.name, kind="leaf", expected=shape.in_tree, got=type(x).__name__, index=index)


def _settle(place: Any, ct: Any) -> Any:
    if place is DontWant:
        return DidntWant()
    if place is GradValue:
        return ct
    before: Any = place.read()
    there, given = get_aval(before), get_aval(ct)
    for kind in ("dtype", "shape"):
        if getattr(there, kind) != getattr(given, kind):
            raise RefValueError(kind=kind, operation="addupdate", expected=there.str_short(), got=given.str_short())
    place.write(add_tangents(before, as_traced(ct)))
    return GradRef()
