"""What an error says, as data; `render` makes text of it.

Named tuples, where the facts elsewhere are dataclasses: each of those costs the import of Perspicax over a millisecond.
"""

from __future__ import annotations

from typing import NamedTuple

from perspicax.diagnose.place import Place, Position, Span, resolve

__all__ = ["Edit", "Fix", "Label", "Place", "Position", "Report", "Span", "resolve"]


class Label(NamedTuple):
    """A short text at a place, e.g. the type of the operand that stands there.

    A label without text shows its line (the `def` above the primary place, say) and marks nothing.
    """

    span: Place
    text: str


class Edit(NamedTuple):
    """Text to put in place of a span, so that a tool can apply a fix."""

    span: Place
    replacement: str


class Fix(NamedTuple):
    """One proposal.

    Attributes:
        says: what to do, without a full stop; may be empty when the code speaks for itself.
        code: the line or lines to write, with the user's own names.
        edits: the same as edits; the first edited line is shown where there is no `code`.
        when: the condition under which this is the right fix, e.g. "when only one side may run".
    """

    says: str = ""
    code: str | tuple[str, ...] = ()
    edits: tuple[Edit, ...] = ()
    when: str = ""

    @property
    def lines(self) -> tuple[str, ...]:
        """The code as lines."""
        return tuple(self.code.splitlines()) if isinstance(self.code, str) else self.code


class Report(NamedTuple):
    """What happened, where, why, and what to do about it.

    Attributes:
        says: what happened, in the user's terms; stands alone as the last line of a traceback. Lines after the first
            may draw something (shapes, a list by path); an indented line is shown as it is, the others are wrapped.
        primary: where the user must look; None means the place where the error was made.
        labels: names, shapes and dtypes at places in the source.
        why: the rule that was broken; the same liberties as `says`.
        fixes: proposals, best first.
        notes: further facts, each a sentence.
        more: where to read on; an error class with a page in the catalogue fills it in.
        verbatim: whether `says` is somebody else's text, which is shown as it is: programs look for parts of it.
    """

    says: str
    primary: Place = None
    labels: tuple[Label, ...] = ()
    why: str = ""
    fixes: tuple[Fix, ...] = ()
    notes: tuple[str, ...] = ()
    more: str = ""
    verbatim: bool = False

    def to_json(self, name: str | None = None) -> str:
        """As one JSON object; its keys are told in `render/json.py`.

        Args:
            name: the error's class name, where it shall be in it.
        """
        from perspicax.diagnose.render.json import render_json  # to the right of this file, and rarely wanted

        return render_json(self, name)

    def _repr_html_(self) -> str:
        """What a notebook shows."""
        from perspicax.diagnose.render.html import render_html

        return render_html(self)
