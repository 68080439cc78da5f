"""What the sanitizer `precision` finds."""
from __future__ import annotations

from perspicax.diagnose.report import Fix, Label, Report
from perspicax.sanitize.findings import Finding


class DtypeTruncation(Finding):
    """Values of 64 bits were cut down to 32, and changed.

    Attributes:
        name: the value, as the user wrote it.
        asked, got: the dtypes.
        example: a value before and after, as text.
        lost: what was lost, as a clause.
    """

    name: str
    asked: str
    got: str
    example: str = ""
    lost: str = ""

    @property
    def report(self) -> Report:
        value = f"`{self.name}`" if self.name else "A value"
        lost = f": {self.lost}" if self.lost else ""
        says = f"{value} is {self.asked}, but becomes {self.got}{lost}." if self.lost else \
            f"{value} was asked for {self.asked}, but gives {self.got}."
        return Report(
            says=says,
            why=f"64-bit types are off (`jax_enable_x64`), and every {self.asked} array becomes {self.got}"
                f"{f'; {self.example}' if self.example else ''}",
            fixes=(Fix("turn 64-bit types on, before the first array is made",
                       code='jax.config.update("jax_enable_x64", True)'),
                   Fix("bring the values into a range that 32 bits hold, before they become a JAX array: subtract an offset, "
                       "choose a larger unit")))


class IntegerOverflow(Finding):
    """Integer arithmetic left the range of its dtype, and wrapped around.

    Attributes:
        operation: the expression, as the user wrote it.
        dtype: of the result.
        exact: the true value, approximately, as text.
        got: what came out, as text.
        low, high: the range.
        function: the traced function that it happened in, if any.
        labels: the operands.
    """

    operation: str
    dtype: str
    exact: str
    got: str
    low: int
    high: int
    function: str = ""
    labels: tuple[Label, ...] = ()

    @property
    def report(self) -> Report:
        expression = f"`{self.operation}`" if self.operation else "An operation"
        during = f" while `{self.function}` runs" if self.function else ""
        return Report(
            says=f"{expression} overflows {self.dtype}{during}: it should be {self.exact}, but is {self.got}.",
            labels=self.labels,
            why=f"{self.dtype} holds {self.low} to {self.high}; beyond that, integers wrap around without a word",
            fixes=(Fix("compute with floating point", code="x = x.astype(jnp.float32)"),
                   Fix("use a wider type; 64 bits need", code='jax.config.update("jax_enable_x64", True)')))


class DtypePromotion(Finding):
    """A single number made an array of low precision a wider one.

    Attributes:
        array, number: the operands, as the user wrote them.
        array_type, number_type: their types.
        got: the dtype of the result.
        labels: the operands.
        fixes: what may help.
    """

    array: str
    number: str
    array_type: str
    number_type: str
    got: str
    labels: tuple[Label, ...] = ()
    fixes: tuple[Fix, ...] = ()

    @property
    def report(self) -> Report:
        array, number = f"`{self.array}`" if self.array else "an array", f"`{self.number}`" if self.number else "a number"
        return Report(
            says=f"{array[0].upper()}{array[1:]} is {self.array_type}, but the result is {self.got}, because {number} is "
                 f"{self.number_type}.", labels=self.labels, fixes=self.fixes,
            why="numbers of NumPy, and arrays without axes, have a dtype of their own, which counts like that of any array; "
                "only numbers of Python take the dtype of the array that they meet")


__all__ = ["DtypePromotion", "DtypeTruncation", "IntegerOverflow"]
