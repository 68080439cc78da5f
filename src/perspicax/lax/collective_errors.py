"""Errors of collectives: operations over a named axis."""
from __future__ import annotations

from typing import Any

from perspicax.diagnose.errors import PerspicaxError, ReportedError
from perspicax.diagnose.report import Fix, Report


class UnboundAxisError(PerspicaxError, NameError):
    """A collective names an axis that does not exist where it is called.

    Attributes:
        function: the collective.
        axis: the name.
        known: the names that exist there, innermost first.
    """

    function: str
    axis: Any
    known: tuple[Any, ...] = ()

    @property
    def report(self) -> Report:
        axis, known = self.axis, self.known
        why = "an axis has a name inside of a function that `vmap` maps with `axis_name`, and nowhere else"
        if known:
            why = f"the named axes here are {', '.join(map(repr, known))}" if len(known) > 1 else \
                f"the one named axis here is {known[0]!r}"
        fixes = tuple([Fix("did you mean" if i == 0 else "or", code=repr(name)) for i, name in enumerate(self._near())])
        if not fixes and isinstance(axis, str):
            fixes = (Fix("name the axis where the function is mapped", code=f"jax.vmap(f, axis_name={axis!r})"),)
        return Report(says=f"`{self.function}` was given the axis {axis!r}, which does not exist here.", why=why, fixes=fixes)

    def _near(self) -> list[Any]:
        from difflib import get_close_matches  # only a printed error needs it

        found = get_close_matches(self.axis, [n for n in self.known if isinstance(n, str)], 3, 0.4) \
            if isinstance(self.axis, str) else []
        return found or list(self.known[:1] if len(self.known) == 1 else ())


class CollectiveError(ReportedError, ValueError, AssertionError):  # JAX raises one or the other
    """The shapes, axes or permutations given to a collective do not fit the named axis."""


class CollectiveNotThereYet(PerspicaxError, NotImplementedError):
    """A collective was asked for something that it does not do over an axis of `vmap`."""

    function: str
    option: str

    @property
    def report(self) -> Report:
        return Report(says=f"`{self.function}` does not serve {self.option} over an axis of `vmap` yet.",
                      why="collectives work over one whole axis of `vmap` at a time; several devices are not there yet")
