"""Shapes drawn one below the other."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from perspicax.diagnose.render.text import cells

__all__ = ["draw_shapes"]


def draw_shapes(rows: Sequence[tuple[str, str, Sequence[object]]], mark_axis: int | Iterable[int] | None = None) -> str:
    """Shapes one below the other, aligned at the right axis by axis, with a mark below the axes that disagree.

    Args:
        rows: (name, dtype, shape) of each array.
        mark_axis: axis or axes to mark, counted from the right as negative numbers; None marks those that do not
            broadcast.

    Returns:
        The drawing, each line indented by two spaces so that it is shown as it is.

    >>> print(draw_shapes([("hidden", "float32", (8, 32)), ("bias", "float32", (8,))]))
      hidden  float32[8, 32]
      bias    float32[    8]
                         ^^
    """
    rank = max((len(shape) for _, _, shape in rows), default=0)
    table = [[""] * (rank - len(shape)) + [str(size) for size in shape] for _, _, shape in rows]
    widths = [max(cells(row[axis]) for row in table) for axis in range(rank)]
    if mark_axis is None:
        marked = {axis - rank for axis in range(rank) if len({row[axis] for row in table} - {"", "1"}) > 1}
    else:
        marked = {mark_axis} if isinstance(mark_axis, int) else set(mark_axis)
    names, dtypes = (max((cells(text) for text in column), default=0) for column in (
        [name for name, _, _ in rows], [dtype for _, dtype, _ in rows]))
    lines = []
    for (name, dtype, shape), sizes in zip(rows, table):
        missing = rank - len(shape)
        body = "".join(
            size.rjust(width) + ("" if axis == rank - 1 else ", " if axis >= missing else "  ")
            for axis, (size, width) in enumerate(zip(sizes, widths)))
        lines.append(f"  {name}{' ' * (names - cells(name))}  {dtype:>{dtypes}}[{body}]")
    if marked:
        carets = "  ".join(("^" if axis - rank in marked else " ") * width for axis, width in enumerate(widths))
        lines.append(" " * (names + dtypes + 5) + carets.rstrip())
    return "\n".join(lines)
