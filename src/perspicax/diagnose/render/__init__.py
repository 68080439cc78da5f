"""The faces of a report: plain text, terminal, one line, JSON, HTML. Only here is known how wide a line is."""

from perspicax.diagnose.render.html import render_html
from perspicax.diagnose.render.json import as_data, render_json
from perspicax.diagnose.render.line import render_line
from perspicax.diagnose.render.plain import render_plain
from perspicax.diagnose.render.shapes import draw_shapes
from perspicax.diagnose.render.terminal import print_report, render_terminal
from perspicax.diagnose.render.text import ordinal, plural

__all__ = ["as_data", "draw_shapes", "ordinal", "plural", "print_report", "render_html", "render_json", "render_line",
           "render_plain", "render_terminal"]
