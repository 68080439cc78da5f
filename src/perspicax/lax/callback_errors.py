"""Errors of calls back to Python."""
from __future__ import annotations

from perspicax.diagnose.errors import PerspicaxError
from perspicax.diagnose.report import Fix, Report


class CallbackResultError(PerspicaxError, TypeError, ValueError):
    """A callback returned something else than was announced, or cannot be transformed."""

    function: str
    kind: str
    expected: str
    got: str

    @property
    def report(self) -> Report:
        f = self.function
        if self.kind == "derivative":
            return Report(says=f"The callback `{f}` cannot be differentiated.",
                          why="it is a Python function that the transformation does not see into",
                          fixes=(Fix("give the function around it a derivative", code="@jax.custom_jvp"),
                                 Fix("keep gradients away from it", code="jax.lax.stop_gradient(x)")))
        if self.kind == "vmap":
            return Report(says=f"The callback `{f}` is under vmap, but `vmap_method` does not say how to call it.",
                          why="Python functions differ in whether they take a whole batch",
                          fixes=(Fix("once for each entry", code='vmap_method="sequential"'),
                                 Fix("once with a leading batch axis", code='vmap_method="expand_dims"')))
        what = "structure" if self.kind == "structure" else "type"
        return Report(says=f"The callback `{f}` returned a value of another {what} than announced: {self.got} instead of "
                           f"{self.expected}.", why="the compiled program has room for exactly what was announced")
