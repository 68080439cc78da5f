"""A report as a piece of HTML, with its own colours, for notebooks and pages."""
from __future__ import annotations

from html import escape

from perspicax.diagnose.render.layout import layout
from perspicax.diagnose.render.plain import PLAIN_WIDTH
from perspicax.diagnose.render.text import Line
from perspicax.diagnose.report import Report

__all__ = ["render_html"]

_STYLES = {
    "name": "color:#c62828;font-weight:bold", "says": "font-weight:bold", "arrow": "color:#1565c0", "gutter": "color:#1565c0",
    "caret": "color:#c62828;font-weight:bold", "label": "color:#c62828", "key": "color:#00838f;font-weight:bold",
    "fix": "color:#2e7d32", "quiet": "opacity:0.6",
}


def render_html(report: Report, name: str | None = None, width: int = PLAIN_WIDTH) -> str:
    """A report as one `<pre>` element.

    Args:
        report: what to show.
        name: the error's class name, written before the first sentence.
        width: where to wrap, in characters.
    """
    lines = "\n".join(_line(line) for line in layout(report, name, width))
    return f'<pre class="perspicax-report" style="line-height:1.3;white-space:pre-wrap">{lines}</pre>'


def _line(line: Line) -> str:
    pieces = []
    for piece in line:
        style = _STYLES.get(piece.role, "")
        text = escape(piece.text)
        pieces.append(f'<span class="{piece.role}" style="{style}">{text}</span>' if style and piece.text.strip() else text)
    return "".join(pieces).rstrip()
