"""Errors of calls of foreign functions."""
from __future__ import annotations

from perspicax.diagnose.errors import PerspicaxError, ReportedError
from perspicax.diagnose.report import Fix, Report


class ForeignCallError(ReportedError, ValueError, TypeError):
    """A call of a foreign function, or its registration, was described in a way that cannot be followed."""


class ForeignTransformError(PerspicaxError, ValueError, NotImplementedError):  # JAX raises one for vmap, the other else
    """A foreign function is under a transformation that cannot see into it.

    Attributes:
        target: the name of the foreign function.
        kind: `derivative`, or `vmap` (no `vmap_method`).
    """

    target: str
    kind: str

    @property
    def report(self) -> Report:
        if self.kind == "derivative":
            return Report(says=f"The foreign function `{self.target}` cannot be differentiated.",
                          why="it is machine code that the transformation does not see into",
                          fixes=(Fix("give the function around it a derivative", code="@jax.custom_jvp"),
                                 Fix("keep gradients away from it", code="jax.lax.stop_gradient(x)")))
        return Report(says=f"The foreign function `{self.target}` is under vmap, but `vmap_method` does not say how to call "
                           "it.",
                      why="foreign functions differ in whether they take a whole batch",
                      fixes=(Fix("once for each entry", code='vmap_method="sequential"'),
                             Fix("once, where it takes leading batch axes", code='vmap_method="broadcast_all"')))
