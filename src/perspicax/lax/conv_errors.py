"""Errors of convolutions and windows."""
from __future__ import annotations

from typing import Any

from perspicax.diagnose.errors import PerspicaxError
from perspicax.diagnose.report import Fix, Report
from perspicax.lax.errors import OperationError
from perspicax.lax.product_errors import operand_labels


class ConvolutionDimensionError(PerspicaxError, TypeError, ValueError):
    """The dimension numbers of a convolution do not fit.

    Attributes:
        given: as they were given.
        kind: `rank`, `form`, `length`, `letters`, `repeated` or `spatial`; `default` where there is none.
        lhs_shape: shape of the left operand.
        rhs_shape: shape of the kernel.
    """

    given: Any
    kind: str
    lhs_shape: tuple[int, ...]
    rhs_shape: tuple[int, ...]

    @property
    def report(self) -> Report:
        if self.kind == "rank":
            return Report(says=f"A convolution was given arrays with {len(self.lhs_shape)} and {len(self.rhs_shape)} "
                               f"axes: shapes {self.lhs_shape} and {self.rhs_shape}.",
                          why="the kernel has as many axes as the array: two for features, the others spatial")
        if self.kind == "default":
            return Report(says=f"A transposed convolution over {len(self.lhs_shape) - 2} spatial axes needs "
                               "`dimension_numbers`.", why="there are defaults for 1, 2 and 3 spatial axes")
        rules = {
            "form": "they are None, a lax.ConvDimensionNumbers, or three strings such as ('NHWC', 'HWIO', 'NHWC')",
            "length": f"each string has one letter for each of the {len(self.lhs_shape)} axes",
            "letters": "the first and the third hold N (batch) and C (feature) once, the second O and I (output and "
                       "input feature) once",
            "repeated": "each letter stands once in a string",
            "spatial": "besides N, C, O and I the three strings hold the same letters: those of the spatial axes",
        }
        return Report(says=f"{self.given!r} does not tell the axes of a convolution.", why=rules[self.kind])


class PaddingError(PerspicaxError, ValueError, TypeError, RuntimeError):
    """The padding of a convolution or window is none.

    Attributes:
        given: what was given.
        kind: `name`, `form`, `ranks`, or `dilated` for a named padding where only numbers will do.
    """

    given: str
    kind: str

    @property
    def report(self) -> Report:
        if self.kind == "dilated":
            return Report(says=f"The padding {self.given} has no meaning for an operand with `lhs_dilation`.",
                          why="a transposed convolution can be padded to the same size in several ways",
                          fixes=(Fix("say how much to pad as (low, high) for each spatial axis, or use "
                                     "`lax.conv_transpose`, which knows the names"),))
        if self.kind == "ranks":
            return Report(says=f"Sizes, window and strides have different lengths: {self.given}.",
                          why="each has one entry for each axis")
        why = ("a padding has one of the names 'VALID', 'SAME' and 'SAME_LOWER', or is a sequence of (low, high) for "
               "each axis")
        return Report(says=f"{self.given} is not a padding.", why=why)


SPATIAL = {1: "W", 2: "HW", 3: "DHW"}


class ConvolutionShapeError(OperationError):
    """The operands or parameters of a convolution do not fit each other.

    Attributes:
        lhs: type of the left operand.
        rhs: type of the kernel.
        dimension_numbers: which axis is which.
        kind: `features`, `groups`, `output groups`, `batch groups`, `both groups`, `count`, `length`, `positive` or
            `padding`.
        name: the parameter concerned.
        value: its value.
        feature_group_count: as given.
        batch_group_count: as given.
    """

    lhs: Any
    rhs: Any
    dimension_numbers: Any
    kind: str
    name: str = ""
    value: Any = None
    feature_group_count: int = 1
    batch_group_count: int = 1

    def _named(self, aval: Any, spec: Any, letters: str) -> str:
        parts = [str(n) for n in aval.shape]
        for axis, letter in zip(spec, letters):
            parts[axis] = f"{letter}={parts[axis]}"
        return f"{aval.str_short().split('[')[0]}[{', '.join(parts)}]"

    @property
    def report(self) -> Report:
        types = (self.lhs.str_short(), self.rhs.str_short())
        names, labels = operand_labels(self, types)
        numbers = self.dimension_numbers
        drawn = "\n".join([f"    {n}: {text}" for n, text in zip(names, (
            self._named(self.lhs, numbers.lhs_spec, "NC"), self._named(self.rhs, numbers.rhs_spec, "OI")))])
        batch, features = (self.lhs.shape[numbers.lhs_spec[i]] for i in (0, 1))
        outputs, inputs = (self.rhs.shape[numbers.rhs_spec[i]] for i in (0, 1))
        groups = self.feature_group_count
        of_groups = f" divided by feature_group_count={groups}" if groups > 1 else ""
        rules = {
            "features": f"the kernel's input features (I={inputs}) must be the array's features (C={features})"
                        f"{of_groups}; N is the batch, O the kernel's output features, and `dimension_numbers` say "
                        "where they stand",
            "groups": f"feature_group_count={groups} divides the features (C={features})",
            "output groups": f"{self.name}={self.value} divides the kernel's output features (O={outputs})",
            "batch groups": f"batch_group_count={self.batch_group_count} divides the batch (N={batch})",
            "both groups": f"feature_group_count={groups} and batch_group_count={self.batch_group_count} cannot both "
                           "be more than 1",
            "count": f"`{self.name}` is an integer from 1, not {self.value}",
            "length": f"`{self.name}` has one entry for each of the {len(numbers.lhs_spec) - 2} spatial axes, not "
                      f"{self.value}",
            "positive": f"`{self.name}` are integers from 1, not {self.value}",
            "padding": f"the padding {self.value} removes more entries than there are",
        }
        return Report(says=f"{names[0]} cannot be convolved with {names[1]}.\n{drawn}", labels=labels,
                      why=rules[self.kind], fixes=self._layouts() if self.kind == "features" else ())

    def _layouts(self) -> tuple[Fix, ...]:
        """The other common layout, where the features would agree in it: they stand last, in the kernel last but one."""
        spatial = len(self.lhs.shape) - 2
        numbers = self.dimension_numbers
        if spatial not in SPATIAL or self.lhs.shape[-1] != self.rhs.shape[-2] * self.feature_group_count or (
                numbers.lhs_spec[1] == spatial + 1):
            return ()
        letters = SPATIAL[spatial]
        layouts = f'("N{letters}C", "{letters}IO", "N{letters}C")'
        return (Fix("say so, if the features stand last", code=f"dimension_numbers={layouts}"),)
