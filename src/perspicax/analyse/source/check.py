"""The problems of one program, by all rules."""
from __future__ import annotations

from perspicax.analyse.source.linen import Linen
from perspicax.analyse.source.modules import problems_of_classes
from perspicax.analyse.source.program import Program
from perspicax.analyse.source.rules import RULES, Problem
from perspicax.diagnose.place import Span

__all__ = ["problems_of"]


def problems_of(filename: str, text: str) -> list[Problem]:
    """What is wrong with a program, as far as it can be told from its source; nothing of it is run or imported.

    Args:
        filename: its name, for the places.
        text: its source.

    Returns:
        The problems, in the order of their lines; without those that a `# px: ignore` silences.
    """
    try:
        program = Program(filename, text)
    except (SyntaxError, ValueError) as error:  # a null byte is a ValueError
        line, column = getattr(error, "lineno", None) or 1, getattr(error, "offset", None)
        span = Span(filename, line, None if column is None else max(column - 1, 0), line, column)
        return [Problem(RULES["syntax"], span, f"this is not Python: {getattr(error, 'msg', error)}.")]
    if not any(word in text for word in ("jax", "flax", "perspicax")):
        return []
    found = [*Linen(program).read(), *problems_of_classes(program)]
    found = [p for p in found if not program.silences(p.span, p.rule.id)]
    return sorted(found, key=lambda p: (p.span.line, p.span.column or 0, p.rule.id))
