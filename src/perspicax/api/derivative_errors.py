"""Errors of the checks of derivatives."""
from __future__ import annotations

from perspicax.diagnose.errors import PerspicaxError
from perspicax.diagnose.report import Fix, Report

__all__ = ["DerivativeCheckError"]


class DerivativeCheckError(PerspicaxError, AssertionError):
    """A derivative does not agree with finite differences.

    Attributes:
        function: the function.
        check: what was compared: `JVP primal`, `JVP tangent`, `VJP primal` or `VJP cotangent projection`.
        message: what the caller said besides.
        rows: entries that differ most: where, what was found, what finite differences say.
        count, size: how many entries differ, of how many.
        atol, rtol: the tolerances.
        mismatch: instead of rows: how structures or shapes differ.
    """

    function: str
    check: str
    message: str
    rows: tuple[tuple[str, str, str], ...]
    count: int
    size: int
    atol: float
    rtol: float
    mismatch: str = ""

    @property
    def report(self) -> Report:
        against = "the function itself" if self.check.endswith("primal") else "finite differences"
        said = f" ({self.message})" if self.message else ""
        if self.mismatch:
            return Report(says=f"{self.check} of `{self.function}`{said} has another structure than {against}: "
                               f"{self.mismatch}.")
        head = f"{self.check} of `{self.function}`{said} differs from {against} in {self.count} of {self.size} entries:"
        wide = max([len(where) for where, _, _ in self.rows])
        lines = [f"    {where:<{wide}}  {found}, but expected {expected}" for where, found, expected in self.rows]
        return Report(says="\n".join([head, *lines]),
                      why=f"they may differ by {self.atol:g} + {self.rtol:g} × |expected|, in one random direction",
                      fixes=() if against == "the function itself" else
                      (Fix("look at the rules of custom derivatives that it uses"),
                       Fix("if the derivative is right, try another step, or wider tolerances",
                           code="check_grads(f, args, order, eps=1e-3, rtol=1e-2)")))
