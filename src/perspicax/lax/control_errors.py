"""Errors of loops and branches."""
from __future__ import annotations

from perspicax.diagnose.errors import PerspicaxError
from perspicax.diagnose.report import Fix, Report


class CarryTypeError(PerspicaxError, TypeError):
    """The body of a loop returns a carry of another type than it gets."""

    function: str
    kind: str
    got: str = ""
    expected: str = ""
    rows: tuple[tuple[str, str, str], ...] = ()

    @property
    def report(self) -> Report:
        f = self.function
        if self.kind == "pair":
            return Report(says=f"The body `{f}` of scan should return a pair (carry, y), but returned a {self.got}.",
                          why="scan hands the first entry to the next step and stacks the second",
                          fixes=(Fix("return both", code="return carry, None"),))
        if self.kind == "structure":
            return Report(says=f"The body `{f}` returns a carry of another structure than it gets.",
                          why=f"it gets {self.expected} (from the carry's first value), and returns {self.got}")
        lines = "\n".join(f"    {path} goes in as {a} and comes out as {b}" for path, a, b in self.rows[:10])
        fixes: tuple[Fix, ...] = ()
        _, a, b = self.rows[0]
        if a.split("[")[1] == b.split("[")[1]:
            dtype = b.split("[")[0]
            fixes = (Fix("start with the dtype that the body computes", code=f"jnp.asarray(init, jnp.{dtype})"),
                     Fix("or bring the result back to the dtype it came with", code=f".astype(jnp.{a.split('[')[0]})"))
        return Report(says=f"The carry of `{f}` changes its type in the loop:\n{lines}",
                      why="every step of a compiled loop works on the same types, so the carry must come out as it went in",
                      fixes=fixes)


class ScanLengthError(PerspicaxError, ValueError):
    """The number of steps of a scan is unknown or contradictory."""

    function: str
    kind: str
    rows: tuple[tuple[str, str], ...]
    length: int | None = None

    @property
    def report(self) -> Report:
        if self.kind == "unknown":
            return Report(says=f"scan of `{self.function}` does not know how many steps to take.",
                          why="`xs` holds no array, and `length` was not given", fixes=(Fix("say it", code="length=10"),))
        lines = [f"    {name}: {text}" for name, text in self.rows[:10]]
        if self.length is not None:
            lines.append(f"    length={self.length}")
        if self.kind == "scalar":
            return Report(says=f"scan of `{self.function}` cannot step over a scalar:\n" + "\n".join(lines),
                          why="each array in `xs` has a leading axis, one entry for each step")
        return Report(says=f"scan of `{self.function}` got leading axes of different sizes:\n" + "\n".join(lines),
                      why="each array in `xs` has one entry for each step")
