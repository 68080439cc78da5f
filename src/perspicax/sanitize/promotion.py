"""The sanitizer `precision`, of promotion: one number that makes a whole array of low precision a wider one.

It stays quiet where the user says that it is meant: the expression converts an operand, or its result goes into a conversion.
"""
from __future__ import annotations

import ast
import sys
from types import FrameType
from typing import Any

from perspicax.core.config import sanitize
from perspicax.diagnose.expression import Expression, located
from perspicax.diagnose.frames import INTERNAL, USER, kind_of
from perspicax.diagnose.place import Position
from perspicax.diagnose.report import Edit, Fix, Label
from perspicax.diagnose.source import imported_as, operands_at
from perspicax.sanitize.names import parse
from perspicax.sanitize.precision_findings import DtypePromotion
from perspicax.sanitize.reading import ancestors, called
from perspicax.sanitize.telling import found

CONVERSIONS = frozenset({"astype", "asarray", "array", "convert_element_type", "float16", "bfloat16", "float32", "float64"})


def watch(a: Any, b: Any, dtype: Any) -> None:
    """Look at two operands of which a number decides the dtype of the result."""
    if "precision" not in parse(sanitize.value):
        return
    frame: FrameType | None = sys._getframe(1)
    while frame is not None and kind_of(frame.f_code.co_filename) == INTERNAL:
        frame = frame.f_back
    if frame is None or kind_of(frame.f_code.co_filename) != USER:  # a package that computes so knows what it does
        return
    position = Position(frame.f_code, frame.f_lasti)
    expression = located(position)
    if expression is None or _meant(expression):
        return
    operands = operands_at(position)
    first = len(a.shape) > 0
    array, number = (a, b) if first else (b, a)
    names = ([operands[0], operands[1]] if first else [operands[1], operands[0]]) if len(operands) == 2 else []
    found(DtypePromotion(
        array=names[0].text if names else "", number=names[1].text if names else "", array_type=array.str_short(),
        number_type=number.str_short(), got=dtype.name, fixes=_fixes(names, dtype, position), position=position,
        labels=tuple([Label(o.span, t.str_short()) for o, t in zip(names, (array, number))])))


def _fixes(names: list[Expression], dtype: Any, position: Position) -> tuple[Fix, ...]:
    if not names:
        return (Fix("give the number the dtype of the array, by `astype`"),)
    jnp = imported_as(position, "numpy", "jnp")
    array, number = names
    return (Fix("give the number the dtype of the array",
                edits=(Edit(number.span, f"{jnp}.asarray({number.text}, {array.grouped}.dtype)"),)),
            Fix(f"if {dtype.name} is meant, say so",
                edits=(Edit(array.span, f"{array.grouped}.astype({jnp}.{dtype.name})"),)))


def _meant(expression: Expression) -> bool:
    """Whether dtypes are converted in sight."""
    return any(called(node) in CONVERSIONS for node in (*ast.walk(expression.node), *ancestors(expression)))
