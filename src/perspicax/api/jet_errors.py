"""Errors of `jet`."""
from __future__ import annotations

from perspicax.diagnose.errors import PerspicaxError
from perspicax.diagnose.report import Fix, Report

__all__ = ["JetSeriesError"]


class JetSeriesError(PerspicaxError, ValueError, TypeError):
    """The coefficients that `jet` was given do not fit the arguments.

    Attributes:
        function: the name of the function.
        kind: `sequence` (`primals` or `series` is none), `count` (not one series for each argument), `lengths` (the series
            have different lengths), `pytree` (an argument or a coefficient is no array), `integer` (an argument that
            holds integers has coefficients) or `type` (a coefficient has another shape or dtype than its argument).
        name: which: an argument, or a coefficient, as `series[0][1]`.
        expected: what was expected there.
        got: what was found.
    """

    function: str
    kind: str
    name: str
    expected: str = ""
    got: str = ""

    @property
    def report(self) -> Report:
        match self.kind:
            case "sequence":
                return Report(says=f"`{self.name}` of jet is a tuple or a list, not {self.got}.",
                              why="it has one entry for each argument of the function",
                              fixes=(Fix("for a function of one argument", code="jet(f, (x,), ((dx, ddx),))"),))
            case "count":
                return Report(says=f"`jet` got {self.got} for {self.expected}.",
                              why="each argument has a series of its own, which may be of zeros")
            case "lengths":
                return Report(says=f"The series of `jet` have different lengths: {self.got}.",
                              why="all of them belong to one polynomial, whose degree is their length",
                              fixes=(Fix("fill the shorter ones up with zeros"),))
            case "pytree":
                return Report(says=f"`{self.name}` of jet is {self.got}, not an array.",
                              why="each argument of the function is one array",
                              fixes=(Fix("give the leaves one by one, and put them together within the function",
                                         code="jet(lambda a, b: f({'a': a, 'b': b}), (a, b), (series_a, series_b))"),))
            case "integer":
                return Report(says=f"`{self.name}` of jet is {self.got}, which has no derivatives.",
                              why="a polynomial of integers takes values between integers",
                              fixes=(Fix("let the function close over it, or make it floating"),))
        return Report(says=f"`{self.name}` of jet is {self.got}, but its argument is {self.expected}.",
                      why="the coefficients of a polynomial are all of one type")
