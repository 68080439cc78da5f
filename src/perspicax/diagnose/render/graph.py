"""A small graph as SVG, for notebooks and pages: what things were made of, from the top down."""
from __future__ import annotations

from collections.abc import Sequence
from html import escape
from typing import NamedTuple

__all__ = ["Box", "render_graph"]

_CHARACTER, _LINE, _PADDING = 7.3, 16, 10  # sizes in pixels, of a monospaced font of 12
_GAP, _BETWEEN = 24, 34  # between boxes of a row, between rows


class Box(NamedTuple):
    """A node of a graph.

    Attributes:
        title: its first line.
        facts: its second line.
        operands: the positions, in the list of boxes, of those that it was made of.
    """

    title: str
    facts: str = ""
    operands: tuple[int, ...] = ()


def render_graph(boxes: Sequence[Box]) -> str:
    """One `<svg>` element; colours are those of the text around it.

    Args:
        boxes: the nodes of a graph without circles. What nothing is made of stands at the bottom, each thing above all that it
            went into.
    """
    rows = _rows(boxes)
    widths = [2 * _PADDING + _CHARACTER * max(len(box.title), len(box.facts)) for box in boxes]
    height = 2 * _LINE + _PADDING
    whole = max(sum(widths[i] for i in row) + _GAP * (len(row) - 1) for row in rows)
    corners: dict[int, tuple[float, float]] = {}
    for number, row in enumerate(rows):
        x = (whole - sum(widths[i] for i in row) - _GAP * (len(row) - 1)) / 2
        for i in row:
            corners[i] = x, number * (height + _BETWEEN)
            x += widths[i] + _GAP
    lines = [_edge(corners[o], widths[o], corners[i], widths[i], height) for i, box in enumerate(boxes) for o in box.operands]
    nodes = [_node(box, *corners[i], widths[i], height) for i, box in enumerate(boxes)]
    depth = len(rows) * (height + _BETWEEN) - _BETWEEN
    return (f'<svg xmlns="http://www.w3.org/2000/svg" class="perspicax-graph" role="img" width="{whole + 2:.0f}" '
            f'height="{depth + 2}" viewBox="-1 -1 {whole + 2:.0f} {depth + 2}" font-family="monospace" font-size="12" '
            f'fill="currentColor" stroke="none">{"".join(lines + nodes)}</svg>')


def _rows(boxes: Sequence[Box]) -> list[list[int]]:
    """The boxes of each row, from the top: each box above all that it went into."""
    below = [0] * len(boxes)
    for _ in boxes:
        before = list(below)
        for i, box in enumerate(boxes):
            for o in box.operands:
                below[o] = max(below[o], below[i] + 1)
        if below == before:
            break
    return [[i for i in range(len(boxes)) if below[i] == level] for level in range(max(below), -1, -1)]


def _edge(start: tuple[float, float], width: float, end: tuple[float, float], end_width: float, height: int) -> str:
    (x, y), (u, v) = (start[0] + width / 2, start[1] + height), (end[0] + end_width / 2, end[1])
    middle = (y + v) / 2
    return (f'<path d="M{x:.1f} {y:.1f} C{x:.1f} {middle:.1f} {u:.1f} {middle:.1f} {u:.1f} {v:.1f}" fill="none" '
            'stroke="currentColor" stroke-opacity="0.5"/>')


def _node(box: Box, x: float, y: float, width: float, height: int) -> str:
    lines = [(box.title, "1"), (box.facts, "0.65")]
    texts = [f'<text x="{x + _PADDING:.1f}" y="{y + _LINE * (i + 1) + 2:.1f}" fill-opacity="{opacity}">{escape(text)}</text>'
             for i, (text, opacity) in enumerate(lines) if text]
    return (f'<rect x="{x:.1f}" y="{y:.1f}" width="{width:.1f}" height="{height}" rx="5" fill="none" stroke="currentColor"/>'
            + "".join(texts))
