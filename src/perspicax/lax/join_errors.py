"""Errors of putting arrays together and cutting them: what the user calls them, shapes aligned, what would fit."""
from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence
from typing import Any

from perspicax.diagnose.errors import PerspicaxError
from perspicax.diagnose.expression import Expression, entry_at, entry_name
from perspicax.diagnose.report import Edit, Fix, Label, Report
from perspicax.diagnose.source import Operands, callee_at, operands_at

__all__ = ["JOINING", "JoinError", "SplitError", "joined_at"]

SPLITTING = frozenset(("array_split", "dsplit", "hsplit", "split", "vsplit"))
JOINING = frozenset(("append", "block", "column_stack", "concat", "concatenate", "dstack", "hstack", "stack", "vstack"))
"""Calls that put arrays together; all but `append` take them in a sequence."""
LONGEST_NAME = 40
MOST_ROWS = 6

Shape = tuple[int, ...]


class JoinError(PerspicaxError, TypeError, ValueError):  # JAX raises the one for ranks and for `lax`, the other for sizes
    """Arrays that are put together along an axis do not fit.

    Attributes:
        operation: what found it, `concatenate` or `stack`; the report names the function that the user called.
        avals: types of the arrays as they are joined.
        given: types of the arrays as they were given, where these are others (`vstack` makes rows of vectors).
        axis: along which they are joined; the new axis of `stack`.
        paths: for `block`, which entries of the nested lists they are.
        blocks: for `block`, the shapes of all arrays, as lists within tuples that are nested as the lists are.
    """

    operation: str
    avals: tuple[Any, ...]
    axis: int
    given: tuple[Any, ...] = ()
    paths: tuple[tuple[int, ...], ...] = ()
    blocks: Any = None

    @property
    def grown(self) -> bool:
        """Whether the arrays were given more axes before they were joined."""
        return any(a.shape != b.shape for a, b in zip(self.avals, self.given))

    @property
    def differing(self) -> int:
        """The first array that does not fit the first one."""
        first = self.avals[0].shape
        return next((i for i, a in enumerate(self.avals) if not _goes_with(self.operation, first, a.shape, self.axis)), 0)

    @property
    def axes(self) -> tuple[int, ...]:
        """Along which axes sizes differ that should not; none where the number of axes does."""
        shapes = [a.shape for a in self.avals]
        if len({len(s) for s in shapes}) > 1:
            return ()
        free = self.axis if self.operation == "concatenate" else None
        return tuple(k for k in range(len(shapes[0])) if k != free and len({s[k] for s in shapes}) > 1)

    @property
    def report(self) -> Report:
        i = self.differing
        call = operands_at(self.position) if self.position is not None else Operands()
        found = _blocks_at(call, self.paths) if self.paths else joined_at(call, len(self.avals))
        names = [_name(call, found, k, self.paths) for k in range(len(self.avals))]
        function = (callee_at(self.position) if self.position is not None else None) or self.operation
        if call.operation not in JOINING:  # the call is that of a function which joins arrays within
            function = f"`{self.operation}` in `{function}`" if "." in function else f"`{self.operation}`"
        else:
            function = f"`{function}`"
        given = self.given or self.avals
        labels = tuple([Label(found[k].span, given[k].str_short()) for k in (0, i)]) if found else ()
        shown = [0, *[k for k in range(1, len(names)) if k == i or len(names) <= MOST_ROWS]]
        rows = [(names[k], self.avals[k]) for k in shown]
        return Report(says=f"{function} cannot {self._doing(names[0], names[i])}: {self._difference(i)}.", labels=labels,
                      why=f"{self._rule()}:\n{_drawn(rows, self.axes)}",
                      fixes=tuple(_fixes(self, call, found, names))[:2])

    def _doing(self, first: str, other: str) -> str:
        verb = f"join {first} and {other} along axis {self.axis}" if self.operation == "concatenate" else \
            f"stack {first} and {other}"
        return verb if len(self.avals) == 2 else f"{verb} (of {len(self.avals)} arrays)"

    def _difference(self, i: int) -> str:
        a, b = self.avals[0].shape, self.avals[i].shape
        if len(a) != len(b):
            return f"the one has {_axes(len(a))}, the other {len(b) or 'none'}"
        k = next((k for k in self.axes if a[k] != b[k]), 0)
        return f"along axis {k} the one has size {a[k]}, the other {b[k]}"

    def _rule(self) -> str:
        if self.operation == "stack":
            return "arrays that are stacked have one shape"
        if self.grown:
            return f"arrays that are joined agree in every axis but axis {self.axis}; the function gives them " \
                   f"{_axes(len(self.avals[0].shape))} first"
        if not self.axes:
            return "arrays that are joined have the same number of axes"
        return f"arrays that are joined agree in every axis but axis {self.axis}"


def _axes(n: int) -> str:
    return f"{n} {'axis' if n == 1 else 'axes'}" if n else "none (it is a scalar)"


def _goes_with(operation: str, first: Shape, other: Shape, axis: int) -> bool:
    if operation == "stack":
        return first == other
    return len(first) == len(other) and all(m == n for k, (m, n) in enumerate(zip(first, other)) if k != axis)


def _fits(operation: str, shapes: Sequence[Shape], axis: int) -> bool:
    return axis < len(shapes[0]) and all(_goes_with(operation, shapes[0], s, axis) for s in shapes)


def joined_at(call: Operands, count: int) -> list[Expression]:
    """The arrays of a call that puts arrays together, as the user wrote them; none where that cannot be told."""
    if call.operation not in JOINING or not call:
        return []
    found = list(call)
    node = found[0].node
    if isinstance(node, ast.List | ast.Tuple) and call.operation != "append":
        found = [] if any(isinstance(x, ast.Starred) for x in node.elts) else [found[0].at(x) for x in node.elts]
    elif call.operation != "append":
        return []
    return found[:count] if len(found) >= count else []


def _blocks_at(call: Operands, paths: Sequence[tuple[int, ...]]) -> list[Expression]:
    found = [entry_at(call[0], path) for path in paths] if call.operation == "block" and call else []
    return [] if None in found else found  # type: ignore[return-value]


def _name(call: Operands, found: Sequence[Expression], index: int, paths: Sequence[tuple[int, ...]] = ()) -> str:
    text = found[index].text if found else ""
    if paths:
        text = entry_name(call[0], paths[index]) if call.operation == "block" and call else ""
    elif not found and call and call.operation in JOINING and isinstance(call[0].node, ast.Name):
        text = f"{call[0].text}[{index}]"
    if text and len(text) <= LONGEST_NAME and "\n" not in text:
        return f"`{text}`"
    return f"array {index}"


def _drawn(rows: Sequence[tuple[str, Any]], marked: Sequence[int]) -> str:
    """Shapes one below the other, aligned from the left, with a mark below the axes that should agree."""
    names = [name.strip("`") for name, _ in rows]
    dtypes = [aval.str_short().split("[")[0] for _, aval in rows]
    sizes = [[str(n) for n in aval.shape] for _, aval in rows]
    widths = [max(len(row[k]) for row in sizes if k < len(row)) for k in range(max(map(len, sizes)))]
    wide, dtype_wide = max(map(len, names)), max(map(len, dtypes))
    lines = [f"  {name:<{wide}}  {dtype:>{dtype_wide}}[{', '.join([n.rjust(w) for n, w in zip(row, widths)])}]"
             for name, dtype, row in zip(names, dtypes, sizes)]
    if marked:
        carets = "  ".join([("^" * w if k in marked else " " * w) for k, w in enumerate(widths)])
        lines.append(" " * (wide + dtype_wide + 5) + carets.rstrip())
    return "\n".join(lines)


# -- what would fit: each proposal is tried on the shapes

def _fixes(error: JoinError, call: Operands, found: Sequence[Expression], names: Sequence[str]) -> Iterator[Fix]:
    if error.grown:
        return
    shapes = [a.shape for a in error.avals]
    yield from _other_axis(error, call, shapes)
    if not found:
        return
    i, axis = error.differing, error.axis
    for changes in (i, 0):
        for suffix, says, shape in _changed(shapes[changes], shapes[0 if changes == i else i], axis):
            tried = [shape if k == changes else s for k, s in enumerate(shapes)]
            if _fits(error.operation, tried, axis) and (not error.paths or _block_fits(error, changes, shape)):
                yield Fix(says.format(names[changes]), edits=(Edit(found[changes].span, found[changes].grouped + suffix),))


def _block_fits(error: JoinError, index: int, shape: Shape) -> bool:
    """Whether all blocks fit when an array among those that were joined has another shape."""
    path = error.paths[index]

    def joined(blocks: Any, at: tuple[int, ...]) -> Shape | None:
        if isinstance(blocks, list):
            return shape if at == path else tuple(blocks)
        parts = [joined(part, (*at, i)) for i, part in enumerate(blocks)]
        known = [part for part in parts if part is not None]
        axis = error.axis + len(at) - len(path) + 1  # outer lists are joined along axes further left
        if len(known) < len(parts) or not _fits("concatenate", known, axis):
            return None
        return *known[0][:axis], sum([part[axis] for part in known]), *known[0][axis + 1:]

    here = error.blocks
    for i in path:
        here = here[i]
    return isinstance(here, list) and joined(error.blocks, ()) is not None


def _other_axis(error: JoinError, call: Operands, shapes: Sequence[Shape]) -> Iterator[Fix]:
    """The one axis along which they could be joined."""
    if error.operation != "concatenate" or call.operation not in ("concatenate", "concat", "append"):
        return
    possible = [k for k in range(len(shapes[0])) if _fits("concatenate", shapes, k)]
    if len(possible) != 1:
        return
    keyword = call.keyword("axis") or call.keyword("dimension")
    places = [x for x in call[1:] if x.text == str(error.axis)] if call.operation != "append" else []
    given = keyword or (places[0] if places else None)
    if given is not None:
        yield Fix(f"join them along axis {possible[0]}", edits=(Edit(given.span, str(possible[0])),))
    else:
        yield Fix(f"join them along axis {possible[0]}", code=f"axis={possible[0]}")


def _changed(shape: Shape, other: Shape, axis: int) -> Iterator[tuple[str, str, Shape]]:
    """Ways to change one array, with what they say and the shape that they give."""
    if len(shape) == 2:
        yield ".T", "transpose {}", shape[::-1]
    if len(shape) == len(other) - 1:
        for k in dict.fromkeys((axis, *range(len(other)))):
            if k <= len(shape):
                index = ", ".join([*[":"] * k, "None"])
                yield f"[{index}]", "give {} an axis of size 1", (*shape[:k], 1, *shape[k:])
    if len(shape) == len(other) + 1 and 1 in shape:
        k = shape.index(1)
        yield f".squeeze({k})", "take the axis of size 1 from {}", (*shape[:k], *shape[k + 1:])


class SplitError(PerspicaxError, ValueError, TypeError):  # JAX raises ValueError
    """An array cannot be cut into the pieces that were asked for.

    Attributes:
        operation: what found it, `split` or one like it.
        aval: type of the array.
        axis: along which it is cut.
        pieces: how many equal pieces, or the size of each.
    """

    operation: str
    aval: Any
    axis: int
    pieces: int | tuple[int, ...]

    @property
    def report(self) -> Report:
        call = operands_at(self.position) if self.position is not None else Operands()
        own = call.operation in SPLITTING and bool(call)
        function = (callee_at(self.position) if self.position is not None and own else None) or self.operation
        name = f"`{call[0].text}`" if own and len(call[0].text) <= LONGEST_NAME and "\n" not in call[0].text else "the array"
        size, text = self.aval.shape[self.axis], self.aval.str_short()
        labels = (Label(call[0].span, text),) if own else ()
        along = f"axis {self.axis} of {name}, which has size {size},"
        if isinstance(self.pieces, tuple):
            return Report(says=f"`{function}` cannot cut {along} into pieces of sizes {', '.join(map(str, self.pieces))}.",
                          labels=labels, why=f"the sizes of the pieces sum to {sum(self.pieces)}" if min(self.pieces, default=0)
                          >= 0 else "a size is at least 0")
        if self.pieces < 1:
            return Report(says=f"`{function}` was asked for {self.pieces} pieces of {name}.", labels=labels,
                          why="there is at least one")
        return Report(says=f"`{function}` cannot cut {along} into {self.pieces} equal pieces.", labels=labels,
                      why=f"{size} is not a multiple of {self.pieces}{_divisors(size)}",
                      fixes=tuple(self._fixes(call, function, own)))

    def _fixes(self, call: Operands, function: str, own: bool) -> Iterator[Fix]:
        module, dot, last = function.rpartition(".")
        if last == "split" and own:
            parts = [x.text for x in call] + [f"{k}={v.text}" for k, v in call.keywords.items()]
            yield Fix("let the last pieces be smaller", code=f"{module}{dot}array_split({', '.join(parts)})")
        elif last != "array_split":
            yield Fix("let the last pieces be smaller", code=f"jnp.array_split(x, {self.pieces}, axis={self.axis})")


def _divisors(size: int) -> str:
    found = [str(n) for n in range(2, min(size, 1000)) if size % n == 0][:8]
    return f"; it can be cut into {', '.join(found)} equal pieces" if found else ""
