"""What can go wrong with attributes of arrays."""
from __future__ import annotations

from typing import Any

from perspicax.diagnose.errors import PerspicaxError
from perspicax.diagnose.report import Fix, Report


class ArrayAttributeError(PerspicaxError, AttributeError):
    """An array was asked for an attribute that it does not have.

    Attributes:
        attribute: its name.
        type_text: the type of the array.
        place: whether arrays have it, but none that is traced.
    """

    attribute: str
    type_text: str = ""
    place: bool = False

    def __init__(self, *args: Any, **fields: Any) -> None:
        super().__init__(*args, **fields)
        AttributeError.__init__(self)
        self.name = fields.get("attribute", "")  # else Python notes it, and with it the array, which would count as leaked

    @property
    def report(self) -> Report:
        of = f"a {self.type_text}" if self.type_text else "an array"
        if self.place:
            return Report(
                says=f"`{self.attribute}` is asked of {of} that is being traced.",
                why="a traced value is a placeholder: it has a shape and a dtype, but is in no memory and on no device yet",
                fixes=(Fix("ask the arguments before the call, or the result after it"),))
        from difflib import get_close_matches  # here: for weight

        from perspicax.core.array import Array

        near = get_close_matches(self.attribute, [n for n in dir(Array) if not n.startswith("_")], 2, 0.7)
        return Report(
            says=f"Arrays have no attribute `{self.attribute}`.",
            why=f"it was asked of {of}; the attributes of an array are those of JAX's, which has most of NumPy's, but none "
                "that change the array",
            fixes=tuple(Fix("the name is nearly that of an attribute", code=f".{n}") for n in near))
