"""Errors of reductions, windows and sorting."""
from __future__ import annotations

from typing import Any

from perspicax.diagnose.errors import PerspicaxError
from perspicax.diagnose.report import Fix, Report
from perspicax.lax.errors import OperationError


class SortOperandsError(OperationError):
    """The arrays to be sorted together are none, or differ in shape."""

    avals: tuple[Any, ...]

    @property
    def report(self) -> Report:
        if not self.avals:
            return Report(says="`sort` was given no arrays.", why="it sorts one array or more")
        rows = "\n".join([f"    operand {i}: {a.str_short()}" for i, a in enumerate(self.avals[:8])])
        return Report(says=f"`sort` was given arrays of different shapes:\n{rows}",
                      why="all of them take the places that the keys take, so they have one shape")


class SortKeysError(PerspicaxError, ValueError):
    """`num_keys` of a sort does not fit the number of arrays."""

    num_keys: int
    count: int

    @property
    def report(self) -> Report:
        return Report(says=f"`sort` of {self.count} {'array' if self.count == 1 else 'arrays'} was asked for "
                           f"num_keys={self.num_keys}.", why=f"`num_keys` lies between 1 and {self.count}")


class TopKError(PerspicaxError, ValueError):
    """`top_k` was asked for more entries than there are, or for a negative number."""

    operand: Any
    k: int
    axis: int

    @property
    def report(self) -> Report:
        size = self.operand.shape[self.axis]
        return Report(says=f"`top_k` was asked for the {self.k} largest entries along axis {self.axis} of "
                           f"{self.operand.str_short()}.", why=f"k lies between 0 and the size of the axis, {size}")


class EmptyReductionError(PerspicaxError, ValueError):
    """The index of the largest or smallest entry was asked of an axis without entries."""

    operation: str
    operand: Any
    axes: tuple[int, ...]

    @property
    def report(self) -> Report:
        return Report(says=f"`{self.operation}` has no result for {self.operand.str_short()} along axis {self.axes[0]}, "
                           "which is empty.",
                      why="there is no entry whose index could be returned")


class ReductionAxesError(OperationError):
    """The axes of a reduction do not exist, or are given twice."""

    operation: str
    operand: Any
    axes: tuple[int, ...]

    @property
    def report(self) -> Report:
        rank = self.operand.ndim
        return Report(says=f"`{self.operation}` of {self.operand.str_short()} cannot go over the axes {self.axes}.",
                      why=f"axes count from 0 to {rank - 1}, each at most once" if rank else "a scalar has no axes")


class IndexDTypeError(PerspicaxError, TypeError):
    """`index_dtype` is no integer type."""

    operation: str
    dtype: str

    @property
    def report(self) -> Report:
        return Report(says=f"`{self.operation}` was asked for indices of dtype {self.dtype}.",
                      why="indices have an integer dtype")


class ReductionOperandsError(OperationError):
    """Operands, initial values and dimensions of a reduction do not fit each other.

    Attributes:
        operation: `reduce` or `reduce_window`.
        kind: `structure`, `shapes`, `initial`, `dtypes` or `none`.
        operands: types of the operands.
        initial: types of the initial values.
        structures: texts of the pytrees, where these differ.
    """

    operation: str
    kind: str
    operands: tuple[Any, ...] = ()
    initial: tuple[Any, ...] = ()
    structures: tuple[str, ...] = ()

    @property
    def report(self) -> Report:
        if self.kind == "none":
            return Report(says=f"`{self.operation}` was given no arrays.", why="it takes one operand or more")
        if self.kind == "structure":
            return Report(says=f"`{self.operation}` was given operands {self.structures[0]} and initial values "
                               f"{self.structures[1]} (each * an array).",
                          why="there is one initial value for each operand")
        rows = "\n".join([f"    operand {i}: {a.str_short()}, initial value {v.str_short()}"
                          for i, (a, v) in enumerate(zip(self.operands, self.initial))][:8])
        why = {"shapes": "the operands have one shape",
               "initial": "an initial value is a scalar: what the reduction of nothing gives",
               "dtypes": "an initial value has the dtype of its operand"}[self.kind]
        return Report(says=f"The operands of `{self.operation}` do not fit:\n{rows}", why=why)


class ReductionFunctionError(OperationError):
    """The function that a reduction combines entries with returns something of another type.

    Attributes:
        operation: `reduce` or `reduce_window`.
        function: its name.
        expected: what it has to return.
        got: what it returns.
    """

    operation: str
    function: str
    expected: str
    got: str

    @property
    def report(self) -> Report:
        return Report(says=f"The function `{self.function}` given to `{self.operation}` returns {self.got}, not "
                           f"{self.expected}.",
                      why="it combines two partial results into one of the same type: scalars, as many as operands")


class ReductionClosureError(PerspicaxError, NotImplementedError):
    """The function of a reduction uses a traced value from outside."""

    operation: str
    function: str

    @property
    def report(self) -> Report:
        return Report(says=f"The function `{self.function}` given to `{self.operation}` uses a traced value from outside "
                           "of it.",
                      why="XLA compiles it on its own: it sees its two arguments and constants, nothing else",
                      fixes=(Fix("combine with the value before or after the reduction, or use `lax.scan`, whose body may "
                                 "use anything"),))


class WindowError(OperationError):
    """The parameters of a window do not fit the operand.

    Attributes:
        operation: the primitive.
        operand: type of the operand.
        name: the parameter concerned.
        value: its value.
        kind: `length`, `positive` or `padding`.
    """

    operation: str
    operand: Any
    name: str
    value: Any
    kind: str

    @property
    def report(self) -> Report:
        why = {"length": f"`{self.name}` has one entry for each of the {self.operand.ndim} axes",
               "positive": f"`{self.name}` are integers from 1",
               "padding": "padding may not remove more entries than there are"}[self.kind]
        return Report(says=f"`{self.operation}` of {self.operand.str_short()} was given {self.name}={self.value}.", why=why)
