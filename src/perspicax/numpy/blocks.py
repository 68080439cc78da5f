"""Arrays put together from blocks."""
from __future__ import annotations

import ast
from typing import Any

from perspicax.core.array import Array
from perspicax.core.tracer import get_aval
from perspicax.diagnose.boundary import public
from perspicax.diagnose.errors import PerspicaxError
from perspicax.diagnose.expression import Expression, entry_at, entry_name
from perspicax.diagnose.report import Edit, Fix, Label, Report
from perspicax.lax import shape as lax_shape
from perspicax.numpy.construct import asarray
from perspicax.numpy.joining import concatenated
from perspicax.numpy.promote import array_like

Path = tuple[int, ...]


@public
def block(arrays: Any) -> Array:
    """An array of blocks, given as nested lists: innermost lists are joined along the last axis, and so on outwards.

    Args:
        arrays: nested lists of arrays, all of one depth.

    Raises:
        BlockError: there are tuples or empty lists among them, or they differ in depth.
        JoinError: blocks side by side do not fit.
    """
    depth = _depth(arrays, ())
    xs = _blocks(arrays, ())
    rank = max(depth, max([x.ndim for x in _leaves(xs)], default=0))
    return _joined(xs, depth, rank, (), _shapes(xs, rank))


def _depth(arrays: Any, path: Path) -> int:
    if isinstance(arrays, tuple):
        raise BlockError(kind="tuple", path=path)
    if not isinstance(arrays, list):
        return 0
    depths = [_depth(x, (*path, i)) for i, x in enumerate(arrays)]
    if not depths:
        raise BlockError(kind="empty", path=path)
    other = next((i for i, n in enumerate(depths) if n != depths[0]), None)
    if other is not None:
        raise BlockError(kind="depth", path=(*path, other), depths=(depths[0], depths[other]))
    return depths[0] + 1


def _blocks(arrays: Any, path: Path) -> Any:
    if isinstance(arrays, list):
        return [_blocks(x, (*path, i)) for i, x in enumerate(arrays)]
    return asarray(array_like(arrays, "block", 0, path))


def _leaves(xs: Any) -> list[Any]:
    return [leaf for x in xs for leaf in _leaves(x)] if isinstance(xs, list) else [xs]


def _shapes(xs: Any, rank: int) -> Any:
    if isinstance(xs, list):
        return tuple([_shapes(x, rank) for x in xs])
    return [*(1,) * (rank - xs.ndim), *xs.shape]


def _joined(xs: Any, depth: int, rank: int, path: Path, shapes: Any) -> Any:
    if not isinstance(xs, list):
        return lax_shape.broadcast_to_rank(xs, rank) if xs.ndim < rank else xs
    paths = tuple([(*path, i) for i in range(len(xs))])
    parts = [_joined(x, depth - 1, rank, at, shapes) for x, at in zip(xs, paths)]
    given = [get_aval(part if isinstance(x, list) else x) for x, part in zip(xs, parts)]
    return concatenated(parts, -depth, None, given, paths=paths, blocks=shapes)


class BlockError(PerspicaxError, ValueError):
    """The lists of `block` are not as they should be.

    Attributes:
        kind: "tuple" or "empty", what stands in place of a list with entries; "depth", where an entry has another depth.
        path: which entry.
        depths: of the first entry beside it, and its own.
    """

    kind: str
    path: Path
    depths: tuple[int, ...] = ()

    @property
    def report(self) -> Report:
        from perspicax.numpy.value_reports import argument_at  # only a printed error needs it

        argument = argument_at(self.position, 0, "arrays", {"block"})
        found = entry_at(argument, self.path)
        name = entry_name(argument, self.path)
        named = f"`{name}`" if 0 < len(name) <= 60 else "an entry"
        labels = () if found is None else (Label(found.span, {"tuple": "a tuple", "empty": "an empty list"}.get(
            self.kind, _lists(self.depths[-1]) if self.depths else "")),)
        if self.kind == "empty":
            return Report(says=f"`block` was given {named}, a list without entries.", labels=labels,
                          why="there is no array whose size and dtype it could have")
        if self.kind == "tuple":
            literal = found is not None and not isinstance(found.node, ast.Name)
            fix = Fix("make a list of it", edits=(Edit(found.span, _as_lists(found)),)) if found is not None and literal else \
                Fix("make a list of it", code=f"list({name or 'rows'})")
            return Report(says=f"`block` was given {named}, a tuple.", labels=labels,
                          why="blocks are given as lists in lists", fixes=(fix,))
        fixes: tuple[Fix, ...] = ()
        if found is not None and self.depths[0] > self.depths[1]:
            fixes = (Fix("put it into a list too", edits=(Edit(found.span, "[" * (more := self.depths[0] - self.depths[1])
                                                               + found.text + "]" * more),)),)
        first = entry_name(argument, (*self.path[:-1], 0))
        beside = f"`{first}`" if 0 < len(first) <= 60 else "the first entry beside it"
        return Report(says=f"`block` was given lists of different depth: {named} is {_lists(self.depths[1])}, "
                           f"{beside} {_lists(self.depths[0])}.", labels=labels,
                      why="all arrays stand at one depth of the lists", fixes=fixes)


def _as_lists(found: Expression) -> str:
    if isinstance(found.node, ast.Tuple | ast.List):
        return f"[{', '.join([_as_lists(found.at(x)) for x in found.node.elts])}]"
    return found.text


def _lists(depth: int) -> str:
    return ("an array", "a list of arrays")[depth] if depth < 2 else f"{depth} lists deep"


__all__ = ["BlockError", "block"]
