"""Errors of equations solved by the user's own code."""
from __future__ import annotations

from perspicax.diagnose.errors import PerspicaxError
from perspicax.diagnose.report import Fix, Report
from perspicax.lax.control_report import structure_text


class SolverOutputError(PerspicaxError, TypeError, ValueError):  # JAX raises one for structures, the other for shapes
    """A function given to `custom_root` or `custom_linear_solve` returns something of another type than it must.

    Attributes:
        transform: which of the two.
        function: the parameter: `matvec`.
        like: what its result must be like: `b`.
        expected, got: the two, as text.
    """

    transform: str
    function: str
    like: str
    expected: str
    got: str

    @property
    def report(self) -> Report:
        return Report(says=f"`{self.function}` of {self.transform} returned {structure_text(self.got)}, but "
                           f"`{self.like}` is {structure_text(self.expected)}.",
                      why=f"its result has the structure and the shapes of `{self.like}`" + (
                          " (each * an array)" if "*" in self.got + self.expected else ""))


class TransposeSolveError(PerspicaxError, TypeError):
    """Reverse mode met a linear solve that does not say how to solve the transposed system."""

    @property
    def report(self) -> Report:
        return Report(says="Reverse-mode differentiation of custom_linear_solve needs `transpose_solve`, which was not given.",
                      why="the cotangent of `b` solves the transposed system",
                      fixes=(Fix("for a symmetric matrix", code="symmetric=True"),
                             Fix("else give the solver of the transposed system", code="transpose_solve=solve_transposed")))
