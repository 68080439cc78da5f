"""How accurate a transcendental function shall be: what users ask for, and how StableHLO writes it."""
from __future__ import annotations

import enum
from dataclasses import dataclass
from typing import Any

from perspicax.diagnose.boundary import public_methods
from perspicax.diagnose.errors import PerspicaxError
from perspicax.diagnose.report import Report


class AccuracyError(PerspicaxError, ValueError, NotImplementedError):
    """An accuracy was asked for that means nothing."""

    given: str
    why: str

    @property
    def report(self) -> Report:
        return Report(says=f"{self.given} is not an accuracy.", why=self.why)


class AccuracyMode(enum.Enum):
    """The best implementation that there is, or the usual one."""

    HIGHEST = 1
    DEFAULT = 2


@public_methods("__init__")
@dataclass(frozen=True)
class Tolerance:
    """The error that a result may have: absolute, relative, or in units of the last place.

    Args:
        atol: absolute error.
        rtol: relative error.
        ulps: units of the last place.

    Raises:
        AccuracyError: one of them is negative, or all are 0.
    """

    atol: float = 0.0
    rtol: float = 0.0
    ulps: int = 0

    def __post_init__(self) -> None:
        shown = f"Tolerance(atol={self.atol}, rtol={self.rtol}, ulps={self.ulps})"
        if self.atol < 0 or self.rtol < 0 or self.ulps < 0:
            raise AccuracyError(given=shown, why="an error is not negative")
        if not (self.atol or self.rtol or self.ulps):
            raise AccuracyError(given=shown, why="one of `atol`, `rtol` and `ulps` is above 0")


Accuracy = Tolerance | AccuracyMode | None


def accuracy_text(accuracy: Accuracy = None) -> str:
    """The attribute of an operation of StableHLO; empty for the usual accuracy.

    Raises:
        AccuracyError: it is neither an AccuracyMode nor a Tolerance.
    """
    match accuracy:
        case None | AccuracyMode.DEFAULT:
            return ""
        case AccuracyMode.HIGHEST:
            return _text("mode = #stablehlo.result_accuracy_mode<HIGHEST>")
        case Tolerance(atol, rtol, ulps):
            return _text(f"atol = {float(atol):e}, rtol = {float(rtol):e}, ulps = {int(ulps)}, "
                         "mode = #stablehlo.result_accuracy_mode<TOLERANCE>")
        case _:
            raise _unknown(accuracy)


def checked(accuracy: Any) -> dict[str, Any]:
    """The parameter of a primitive for what the user asked.

    Raises:
        AccuracyError: it is neither an AccuracyMode nor a Tolerance.
    """
    if not isinstance(accuracy, (AccuracyMode, Tolerance)):
        raise _unknown(accuracy)
    return {"accuracy": accuracy}


def _unknown(accuracy: Any) -> AccuracyError:
    return AccuracyError(given=repr(accuracy), why="an accuracy is an `AccuracyMode`, a `Tolerance`, or None")


def _text(body: str) -> str:
    return f"result_accuracy = #stablehlo.result_accuracy<{body}>"
