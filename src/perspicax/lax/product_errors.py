"""Errors of matrix products and convolutions."""
from __future__ import annotations

from typing import Any

from perspicax.diagnose.errors import PerspicaxError
from perspicax.diagnose.report import Label, Report
from perspicax.diagnose.source import operands_at
from perspicax.lax.errors import OperationError

# Calls whose first two operands are those of the product. Another call (a layer, `einsum`) may have two arguments too,
# but they are not the operands.
PRODUCTS = frozenset(("batch_matmul", "conv", "conv_general_dilated", "conv_transpose", "conv_with_general_padding",
                      "convolve", "dot", "dot_general", "inner", "matmul", "tensordot", "vdot", "vecdot"))
LONGEST_NAME = 40


def operand_labels(error: PerspicaxError, types: tuple[str, str]) -> tuple[tuple[str, str], tuple[Label, ...]]:
    """What the user calls both operands of the product that failed, and labels with their types."""
    found = operands_at(error.position) if error.position is not None else None
    if found is None or found.operation not in PRODUCTS or len(found) < 2:
        return ("the 1st operand", "the 2nd operand"), ()
    names = [f"`{x.text}`" if len(x.text) <= LONGEST_NAME and "\n" not in x.text else f"the {ordinal} operand"
             for x, ordinal in zip(found, ("1st", "2nd"))]
    return (names[0], names[1]), tuple([Label(x.span, text) for x, text in zip(found, types)])


class PrecisionError(PerspicaxError, ValueError):
    """A precision was named that does not exist, or that the platform does not have.

    Attributes:
        given: what was given.
        kind: `name` when it names nothing, `platform` when the CPU has no such algorithm.
        names: what may be given instead.
    """

    given: str
    kind: str
    names: tuple[str, ...]

    @property
    def report(self) -> Report:
        listed = ", ".join(repr(n) for n in self.names)
        if self.kind == "platform":
            return Report(says=f"The CPU has no dot algorithm {self.given}.",
                          why=f"of the algorithms that may be named it has {listed}")
        return Report(says=f"{self.given} is not a precision.",
                      why="a precision is None, a lax.Precision, a pair of these (one for each operand), or one of the names "
                          f"{', '.join([repr(n) for n in self.names if n.islower()])}; or a lax.DotAlgorithmPreset or the name "
                          "of one")


class ProductTypeError(OperationError):
    """The operands of a product have dtypes that do not go together.

    Attributes:
        operation: the primitive.
        avals: types of the operands.
    """

    operation: str
    avals: tuple[Any, ...]

    @property
    def report(self) -> Report:
        types = (self.avals[0].str_short(), self.avals[1].str_short())
        names, labels = operand_labels(self, types)
        pairs = " and ".join(f"{n} is {t}" for n, t in zip(names, types))
        if self.operation == "conv_general_dilated":
            why = "`lax.conv_general_dilated` does not promote; convert one operand to the other's dtype"
        else:
            why = "neither dtype holds the values of the other; convert both to a dtype that does"
        return Report(says=f"`{self.operation}` cannot combine its operands: {pairs}.", labels=labels, why=why)


class PreferredTypeError(OperationError):
    """`preferred_element_type` is narrower than the dtype of the operands.

    Attributes:
        operation: the primitive.
        preferred: the dtype that was asked for.
        dtype: the dtype of the product.
    """

    operation: str
    preferred: str
    dtype: str

    @property
    def report(self) -> Report:
        return Report(says=f"`{self.operation}` of {self.dtype} operands was asked for a result of dtype {self.preferred}.",
                      why="the dtype in which sums are kept has at least the bits of the operands, unless these are "
                          "floating")


class DotShapeError(OperationError):
    """The axes that a matrix product pairs differ in size.

    Attributes:
        operation: what the user called.
        lhs: type of the left operand.
        rhs: type of the right operand.
        contracting: the paired axes that are summed, those of each operand.
        batch: the paired axes that are kept, those of each operand.
    """

    operation: str
    lhs: Any
    rhs: Any
    contracting: tuple[tuple[int, ...], tuple[int, ...]]
    batch: tuple[tuple[int, ...], tuple[int, ...]] = ((), ())

    @property
    def differing(self) -> tuple[tuple[int, int], ...]:
        """The pairs of axes whose sizes differ."""
        pairs = [*zip(*self.batch), *zip(*self.contracting)]
        return tuple((i, j) for i, j in pairs if self.lhs.shape[i] != self.rhs.shape[j])

    @property
    def report(self) -> Report:
        types = (self.lhs.str_short(), self.rhs.str_short())
        names, labels = operand_labels(self, types)
        rows = [(n, a) for n, a in zip(names, (self.lhs, self.rhs))]
        parts = [f"axis {i} of {names[0]} has size {self.lhs.shape[i]}, axis {j} of {names[1]} has size "
                 f"{self.rhs.shape[j]}" for i, j in self.differing]
        kept = ", and the axes that are kept for both" if self.batch[0] else ""
        return Report(
            says=f"`{self.operation}` cannot multiply {names[0]} and {names[1]}: their shapes do not fit.\n"
                 + draw_product(rows, self.contracting, self.batch),
            labels=labels, why=f"the axes that are summed over{kept} must agree in size: {'; '.join(parts)}")


def draw_product(rows: list, contracting: Any, batch: Any) -> str:
    """Two shapes, the axes that a product pairs one below the other, with a mark below those that differ.

    Args:
        rows: (name, aval) of both operands.
        contracting: axes of each operand that are summed.
        batch: axes of each operand that are kept for both.
    """
    (left, lhs), (right, rhs) = rows
    free = [[i for i in range(a.ndim) if i not in (*c, *b)] for a, c, b in zip((lhs, rhs), contracting, batch)]
    columns: list[tuple[int | None, int | None]] = [*zip(*batch), *[(i, None) for i in free[0]],
                                                    *zip(*contracting), *[(None, j) for j in free[1]]]
    orders: list[list[int]] = [[i for c in columns if (i := c[k]) is not None] for k in (0, 1)]
    if any(order != list(range(len(order))) for order in orders):  # they do not line up: one beside the other
        columns = [(i, None) for i in range(lhs.ndim)] + [(None, j) for j in range(rhs.ndim)]
    differ = {(i, j) for i, j in [*zip(*batch), *zip(*contracting)] if lhs.shape[i] != rhs.shape[j]}
    marked = {("l", i) for i, _ in differ} | {("r", j) for _, j in differ}
    cells = [["" if c[k] is None else str(a.shape[c[k]]) for c in columns] for k, a in ((0, lhs), (1, rhs))]
    widths = [max(map(len, pair)) for pair in zip(*cells)]
    carets = ["^" * w if ("l", i) in marked or ("r", j) in marked else " " * w
              for (i, j), w in zip(columns, widths)]
    width = max(len(left), len(right))
    dtypes = [a.str_short().split("[")[0] for a in (lhs, rhs)]
    dtype_width = max(map(len, dtypes))
    lines = [f"    {name:<{width}}  {dtype:>{dtype_width}}[{_row(row, widths)}]"
             for name, dtype, row in zip((left, right), dtypes, cells)]
    return "\n".join([*lines, " " * (width + dtype_width + 7) + "  ".join(carets).rstrip()])


def _row(cells: list[str], widths: list[int]) -> str:
    last = max((k for k, text in enumerate(cells) if text), default=-1)
    found = ""
    for k, (text, width) in enumerate(zip(cells[:last + 1], widths)):
        found += text.rjust(width) + ("" if k == last else ", " if text else "  ")
    return found


class DotDimensionError(OperationError):
    """The dimension numbers of a matrix product do not fit its operands.

    Attributes:
        lhs: type of the left operand.
        rhs: type of the right operand.
        dimension_numbers: as they were given.
        kind: `range`, `repeated`, `count`, `form`, or `dot` when `lax.dot` was given operands it has no default for.
        which: the operand concerned, `lhs` or `rhs`, where it is one.
    """

    lhs: Any
    rhs: Any
    dimension_numbers: Any
    kind: str
    which: str = ""

    @property
    def report(self) -> Report:
        types = (self.lhs.str_short(), self.rhs.str_short())
        names, labels = operand_labels(self, types)
        named = dict(zip(("lhs", "rhs"), zip(names, (self.lhs, self.rhs))))
        name, aval = named.get(self.which, ("", None))
        if self.kind == "dot":
            return Report(says=f"`dot` of {names[0]}, {types[0]}, and {names[1]}, {types[1]}, needs to be told which "
                               "axes to sum over.", labels=labels,
                          why="without `dimension_numbers` it multiplies vectors and matrices whose inner sizes agree")
        says = f"The dimension numbers {self.dimension_numbers} of `dot_general` do not fit "
        if self.kind == "range":
            says += f"{name}, {aval.str_short()}."
            why = f"its axes count from 0 to {aval.ndim - 1}; negative numbers are not taken" if aval.ndim else \
                "it has no axes"
        elif self.kind == "repeated":
            says += f"{name}."
            why = "each axis is contracted or a batch axis at most once"
        elif self.kind == "count":
            says += "each other."
            why = "the axes of the two operands are paired: there are as many of the left as of the right"
        else:
            says += "their form."
            why = "they are ((contracting axes of the left, of the right), (batch axes of the left, of the right))"
        return Report(says=says, labels=labels, why=why)


class BatchMatmulError(OperationError):
    """`batch_matmul` was given operands of different or too low rank."""

    lhs: Any
    rhs: Any

    @property
    def report(self) -> Report:
        types = (self.lhs.str_short(), self.rhs.str_short())
        names, labels = operand_labels(self, types)
        return Report(says=f"`batch_matmul` was given {names[0]}, {types[0]}, and {names[1]}, {types[1]}.",
                      labels=labels,
                      why="both have the same number of axes, at least 2: the batch axes, then those of a matrix")
