"""Errors of NumPy-style functions: shapes that do not broadcast, axes that do not exist, values that are no arrays."""
from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from perspicax.core.array import Array
from perspicax.diagnose.errors import PerspicaxError, ReportedError
from perspicax.diagnose.report import Fix, Report
from perspicax.diagnose.source import operand_name
from perspicax.transform.errors import with_article


def ordinal(index: int) -> str:
    """`1st` for 0, `2nd` for 1, …"""
    return {0: "1st", 1: "2nd", 2: "3rd"}.get(index, f"{index + 1}th")


class BroadcastError(PerspicaxError, TypeError, ValueError):  # JAX raises one for equal ranks, the other for unequal
    """Operands were combined whose shapes do not broadcast."""

    operation: str
    avals: tuple[Any, ...]
    aside: int = 0

    @classmethod
    def of(cls, operation: str, avals: Sequence[Any], aside: int = 0) -> BroadcastError:
        """The error of an operation on operands of these types; an axis `aside`, counted from the right, may differ."""
        return cls(operation=operation, avals=tuple(avals), aside=aside)

    @property
    def axis(self) -> int:
        """The last axis, counted from the right, along which the sizes disagree."""
        rank = max([len(a.shape) for a in self.avals])
        for i in range(1, rank + 1):
            if -i != self.aside and len({a.shape[-i] for a in self.avals if len(a.shape) >= i} - {1}) > 1:
                return -i
        return -1

    @property
    def report(self) -> Report:
        from perspicax.numpy.shape_reports import broadcast_report  # here and below: only a printed error needs it

        return broadcast_report(self, self.operation, self.avals, self.axis)


class RankPromotionError(PerspicaxError, ValueError):
    """Operands of different rank were broadcast, and `jax_numpy_rank_promotion` forbids it."""

    operation: str
    left: str
    right: str

    @property
    def report(self) -> Report:
        return Report(says=f"`{self.operation}` broadcasts operands of different rank: {self.left} and {self.right}.",
                      why="`jax_numpy_rank_promotion` asks to be told of this",
                      fixes=(Fix("give the smaller one its axes", code="x[None, :]"),
                             Fix('allow it', code='jax.config.update("jax_numpy_rank_promotion", "allow")')))


class MatmulShapeError(PerspicaxError, TypeError, ValueError):  # JAX raises ValueError for scalars, TypeError for sizes
    """Operands of a matrix product do not fit."""

    operation: str
    avals: tuple[Any, ...]
    axes: tuple[int, int] | None = None
    batch: bool = False

    @property
    def report(self) -> Report:
        from perspicax.numpy.shape_reports import matmul_report

        return matmul_report(self, self.operation, self.avals, self.axes, self.batch)


class AxisError(PerspicaxError, ValueError, IndexError, TypeError):  # JAX wavers between these, by function
    """An axis was named that the array does not have, or not once."""

    function: str
    axis: Any
    ndim: int
    kind: str = "range"

    @property
    def report(self) -> Report:
        f, axis, n = self.function, self.axis, self.ndim
        if self.kind == "repeated":
            return Report(says=f"`{f}` was given an axis twice: {axis}.", why="each axis may be named once")
        if self.kind == "type":
            from perspicax.diagnose.grouping import array_list  # only a printed error needs it

            given = axis.aval.str_short() if isinstance(axis, Array) else repr(axis)
            return Report(says=f"`{f}` was given {given} as an axis.", why="an axis is an integer",
                          fixes=array_list(self.position) if isinstance(axis, Array) else ())
        if self.kind == "permutation":
            return Report(says=f"`{f}` was given the axes {axis} for an array of {n} {'axis' if n == 1 else 'axes'}.",
                          why=f"each of 0 … {n - 1} must be named once")
        if self.kind == "count":
            return Report(says=f"`{f}` was given {axis}.", why="there must be as many destinations as sources")
        from perspicax.numpy.shape_reports import axis_report

        return axis_report(self, f, axis, n)


class ReshapeError(PerspicaxError, TypeError):
    """An array cannot have the shape that was asked for."""

    type_text: str
    shape: tuple[Any, ...]
    size: int
    kind: str = "size"

    @property
    def report(self) -> Report:
        says = f"{self.type_text} cannot be reshaped to {self.shape}."
        if self.kind == "unknown":
            return Report(says=says, why="at most one size may be -1, which stands for what is left")
        if self.kind == "negative":
            return Report(says=says, why="sizes are at least 0; one of them may be -1, which stands for what is left")
        if self.kind == "type":
            return Report(says=says, why="a shape is a sequence of integers")
        from perspicax.numpy.shape_reports import reshape_report

        return reshape_report(self, self.type_text, self.shape, self.size)


class ShapeMismatchError(ReportedError, TypeError, ValueError):  # JAX raises one or the other, by function
    """Arrays that are put together do not fit, or an array does not have the axes that a function needs."""


class NotArrayLikeError(PerspicaxError, TypeError, ValueError):  # JAX raises ValueError for None alone
    """A function of arrays was given something else.

    Attributes:
        function: its name.
        index: which argument.
        value_type: the class of what was given.
        mixed: whether it is a tuple of which some elements are no arrays: several results, say.
        path: which entry of the argument, where that is a sequence, or lists in lists.
    """

    function: str
    index: int
    value_type: str
    mixed: bool = False
    path: tuple[int, ...] = ()

    @property
    def report(self) -> Report:
        from perspicax.numpy.value_reports import entry_report, operand_labels, tuple_fixes  # only a printed error needs it

        fixes: tuple[Fix, ...] = ()
        names = {self.function.rpartition(".")[2]}
        if self.path:
            return entry_report(self, self.function, self.index, self.value_type, self.path)
        if self.value_type in ("list", "tuple"):
            fixes = tuple_fixes(self.position, self.index, names) if self.value_type == "tuple" else ()
            if not self.mixed:
                text = operand_name(self.position, self.index, of=names) if self.position else None
                fixes += (Fix("make an array of it first", code=f"jnp.asarray({text or 'x'})"),)
        given = "None" if self.value_type == "NoneType" else with_article(self.value_type)
        return Report(says=f"`{self.function}` was given {given} as its {ordinal(self.index)} argument.",
                      labels=operand_labels(self.position, self.index, names, given),
                      why="it takes arrays, NumPy arrays and numbers; a list would be converted element by element at "
                          "every call" if fixes and not self.mixed else "it takes arrays, NumPy arrays and numbers",
                      fixes=fixes)


class NotConvertibleError(PerspicaxError, TypeError, ValueError):  # JAX raises ValueError for None and ragged lists
    """No array can be made of a value."""

    function: str
    value: str
    value_type: str
    kind: str = "type"

    @property
    def report(self) -> Report:
        says = f"`{self.function}` cannot make an array of {self.value}."
        if self.kind == "none":
            return Report(says=says, why="None is no number; NaN stands for a missing floating-point value",
                          fixes=(Fix("use NaN where a value is missing", code="jnp.nan"),))
        if self.kind == "deep":
            return Report(says=says, why="it contains itself, or is nested hundreds of levels deep; an array has at most a few "
                                         "dozen axes")
        if self.kind == "ragged":
            return Report(says=says, why="the lists in it differ in length or depth; an array has the same number of "
                                         "entries along each axis everywhere")
        return Report(says=says, why=f"{with_article(self.value_type)} is no number and has no numbers in it")


class UfuncDtypeError(PerspicaxError, TypeError, ValueError):  # JAX raises one or the other, by function
    """A function is not defined for a dtype."""

    function: str
    type_text: str
    kind: str = ""

    @property
    def report(self) -> Report:
        why = {"negative exponent": "an integer to a negative power is no integer; make the base floating first",
               "keys": "a key is no number: it has no order, no sum and no truth value. Numbers are drawn with it, "
                       "`jax.random.uniform(key)`; its words are `jax.random.key_data(key)`",
               "": f"`{self.function}` has no meaning for this dtype"}.get(self.kind, self.kind)
        return Report(says=f"`{self.function}` is not defined for {self.type_text}.", why=why)


class ReductionError(ReportedError, ValueError):
    """A reduction has no value: there are no elements, or the mask may leave none."""


class NoValuesError(ReductionError, TypeError, IndexError):  # JAX raises one of these, by function
    """A result was asked for that lies between values, and there are none."""


class ArgumentValueError(ReportedError, ValueError):
    """An argument has a value that the function does not take."""


class ArgumentKindError(ReportedError, TypeError):
    """An argument is of a type that the function does not take."""


class UnsupportedArgumentError(PerspicaxError, NotImplementedError):
    """An argument has a value that is not served: it has no meaning for arrays that never change, or is not there yet."""

    function: str
    argument: str
    why: str = "arrays never change: results are returned, not written into an argument"

    @property
    def report(self) -> Report:
        return Report(says=f"`{self.function}` does not support the argument `{self.argument}`.", why=self.why)


class EinsumError(PerspicaxError, ValueError, TypeError):
    """The subscripts of `einsum` do not fit its operands.

    Attributes:
        kind: `form`, `none` (no operands), `count`, `rank`, `term`, `unknown` or `twice` (axes of the result), `size`.
        subscripts: as they were given.
        value: what it is about: a term, a letter, a class.
        index: which operand.
        found, expected: the numbers that should agree.
        first: for `size`, the operand that has the axis first.
        avals: types of the operands, where they are known.
    """

    kind: str
    subscripts: str = ""
    value: Any = None
    index: int = 0
    found: int = 0
    expected: int = 0
    first: int = 0
    avals: tuple[Any, ...] = ()

    @property
    def report(self) -> Report:
        from perspicax.numpy.shape_reports import einsum_report

        return einsum_report(self, self.avals)


class BroadcastToError(PerspicaxError, ValueError, TypeError):
    """An array does not broadcast to the shape that was asked for.

    Attributes:
        function: what was called.
        aval: type of the array.
        shape: the shape.
    """

    function: str
    aval: Any
    shape: tuple[int, ...]

    @property
    def report(self) -> Report:
        from perspicax.numpy.shape_reports import broadcast_to_report

        return broadcast_to_report(self, self.function, self.aval, self.shape)
