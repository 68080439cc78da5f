"""Errors of `odeint`."""
from __future__ import annotations

from perspicax.diagnose.errors import PerspicaxError
from perspicax.diagnose.report import Fix, Place, Report

__all__ = ["DerivativeStateError", "SolverTimesError", "SolverToleranceError"]


class DerivativeStateError(PerspicaxError, TypeError):
    """The derivative that `odeint` was given returns another number of entries than the state has; or the state is integers.

    Attributes:
        function: the name of the derivative.
        kind: `size` or `integers`.
        state: the types of the state's leaves.
        got: those of what the derivative returns, for `size`.
        definition: a place in it.
    """

    function: str
    kind: str
    state: tuple[str, ...]
    got: tuple[str, ...] = ()
    definition: Place = None

    @property
    def report(self) -> Report:
        name = "The derivative" if self.function == "<lambda>" else f"`{self.function}`"
        if self.kind == "integers":
            return Report(says=f"The state of `odeint` starts as {' and '.join(self.state)}, which holds integers.",
                          why="what changes continuously lies between integers as well",
                          fixes=(Fix("start with floating-point numbers", code="y0.astype(jnp.float32)"),))
        return Report(says=f"{name} returns {_listed(self.got)} for a state of {_listed(self.state)}.",
                      primary=self.definition,
                      why="the derivative with respect to the time has one entry for each of the state",
                      fixes=(Fix(f"return {_listed(self.state)}, like the first argument"),))


def _listed(types: tuple[str, ...]) -> str:
    return " and ".join(types) if types else "nothing"


class SolverTimesError(PerspicaxError, TypeError, IndexError):
    """The times at which `odeint` should give the solution are no vector of floating-point numbers.

    Attributes:
        got: the type of what it was given.
    """

    got: str

    @property
    def report(self) -> Report:
        return Report(says=f"The times of `odeint` are a vector of floating-point numbers, not {self.got}.",
                      why="the first is the time of `y0`; the solution is given there and at all others, in increasing order",
                      fixes=(Fix("make a vector of them", code="jnp.linspace(0., 10., 101)"),))


class SolverToleranceError(PerspicaxError, TypeError, ValueError):
    """A tolerance of `odeint` is no number that is known while the program is made.

    Attributes:
        option: `rtol`, `atol`, `mxstep` or `hmax`.
        got: how it shows.
        traced: whether it is a traced value.
    """

    option: str
    got: str
    traced: bool

    @property
    def report(self) -> Report:
        if not self.traced:
            return Report(says=f"`{self.option}` of `odeint` is a number, not {self.got}.")
        return Report(says=f"`{self.option}` of `odeint` is a traced {self.got}, whose value is not known yet.",
                      why="it becomes part of the compiled program, so it must be a number before that is made",
                      fixes=(Fix("make it a static argument of the function that is being traced"),))
