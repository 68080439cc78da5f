"""Errors of settings that come too late (the client has been made with the old ones), and of processes not there."""
from __future__ import annotations

from typing import Any

from perspicax.diagnose.errors import PerspicaxError
from perspicax.diagnose.report import Fix, Report

__all__ = ["ClientStartedError", "ProcessIndexError"]


class ClientStartedError(PerspicaxError, RuntimeError):
    """An option was changed that is read when the devices are started, and they have been started.

    Attributes:
        option: its name.
        value: what it should become.
        count: how many devices there are.
    """

    option: str
    value: str
    count: int

    @property
    def report(self) -> Report:
        return Report(
            says=f"`{self.option}` cannot become {self.value} now: the devices have been started, and there "
                 f"{'is 1' if self.count == 1 else f'are {self.count}'}.",
            why="they are started once, by the first thing that needs one: making an array, a call of a jitted function, "
                "`jax.devices()`",
            fixes=(Fix("set it before anything of that kind, right after the import",
                       code=f'import jax\n\njax.config.update("{self.option}", {self.value})'),
                   Fix("set it from outside of the program", code=f"{self.option.upper()}={self.value} python …")))


class ProcessIndexError(PerspicaxError, ValueError):
    """A process was asked for by an index that no process has.

    Attributes:
        index: the index.
        count: how many processes there are.
    """

    index: Any
    count: int

    @property
    def report(self) -> Report:
        return Report(says=f"There is no process {self.index!r}.",
                      why=f"there {'is 1 process' if self.count == 1 else f'are {self.count} processes'}, with indices from 0")
