"""Errors of indexing: what the primitives and sanitizers report."""
from __future__ import annotations

from perspicax.diagnose.errors import PerspicaxError, ReportedError
from perspicax.diagnose.report import Fix, Label, Report
from perspicax.diagnose.source import operands_at


class OutOfBoundsError(PerspicaxError, IndexError):
    """An index lies outside the array; without the check it would be clamped, dropped or filled silently."""

    operation: str
    type_text: str
    axis: int
    index: int
    size: int
    window: int = 1
    outcome: str = ""

    @property
    def report(self) -> Report:
        found = operands_at(self.position) if self.position is not None else None
        named = found is not None and found.operation in ("getitem", "setitem") and len(found) == 2
        name = f"`{found[0].text}`" if found is not None and named else "the array"
        labels = (Label(found[0].span, self.type_text),) if found is not None and named else ()
        reach = f"entries {self.index} to {self.index + self.window - 1} are" if self.window > 1 else f"{self.index} is"
        last = self.size - self.window
        allowed = f"a start from 0 to {last}" if self.window > 1 else f"an index from {-self.size} to {last}"
        why = f"{name} is {self.type_text}: axis {self.axis} has {self.size} entries, so {allowed} is inside"
        if self.size == 0:
            why = f"{name} is {self.type_text}: axis {self.axis} has no entries"
        if self.outcome:
            why += f"; without this check {self.outcome}"
        return Report(says=f"Index {reach} out of bounds for axis {self.axis} of {name}, which has size {self.size}.",
                      labels=labels, why=why)


class SliceArgumentError(ReportedError, TypeError, ValueError):
    """The starts, limits, strides or sizes of a slice do not fit the array."""


class StaticIndexError(PerspicaxError, IndexError, ValueError):  # JAX raises ValueError for a negative one of a slice
    """An index that is known while tracing lies outside the array, or counts from the end where that is not allowed."""

    operation: str
    axis: int
    index: int
    size: int
    from_end: bool = True

    @property
    def report(self) -> Report:
        if not self.from_end:
            return Report(says=f"Index {self.index} of `{self.operation}` for axis {self.axis} is negative, and "
                               "`allow_negative_indices` is False.",
                          why="then an index does not count from the end",
                          fixes=(Fix("count from 0", code=str(self.index + self.size)),) if -self.size <= self.index else ())
        return Report(says=f"Index {self.index} of `{self.operation}` is out of bounds for axis {self.axis}, which has size "
                           f"{self.size}.",
                      why=f"an index runs from {-self.size} to {self.size - 1}" if self.size else "the axis has no entries")


class GatherDimensionsError(ReportedError, TypeError, ValueError):
    """The dimension numbers of a gather or scatter do not fit its operands."""


class GatherModeError(PerspicaxError, ValueError):
    """A mode was named that gather and scatter do not have."""

    mode: str

    @property
    def report(self) -> Report:
        return Report(says=f"{self.mode} is not a mode of indexing.",
                      why="what happens to an index outside the array is one of \"clip\" (the nearest entry), \"fill\" "
                          "(read a fill value), \"drop\" (leave out the update), \"promise_in_bounds\" (there is none) "
                          "and \"one_hot\"",
                      fixes=(Fix("read NaN (or the given `fill_value`) there", code='x.at[i].get(mode="fill")'),))


class ScatterGradientError(ReportedError, NotImplementedError):
    """A derivative of a scatter that does not exist, or that nobody has written."""
