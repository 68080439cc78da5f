"""The error of `jax.monitoring`."""
from __future__ import annotations

from perspicax.diagnose.errors import PerspicaxError
from perspicax.diagnose.report import Report


class ListenerError(PerspicaxError, AssertionError, TypeError, ValueError):  # JAX asserts that what it removes is there
    """What should listen to events cannot be called, or what should stop was not listening.

    Attributes:
        kind: `function` or `unknown`.
        what: the class of what was given; or what it was to stop listening to.
    """

    kind: str
    what: str

    @property
    def report(self) -> Report:
        if self.kind == "function":
            return Report(says=f"A value of class {self.what} was registered to listen to events.",
                          why="a listener is called with each event")
        return Report(says=f"What was to be unregistered is no {self.what} listener.",
                      why="events, durations, spans of time and numbers have listeners of their own, and it was not registered "
                          "for these, or has been unregistered already")
