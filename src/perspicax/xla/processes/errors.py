"""Errors of programs that run as several processes."""
from __future__ import annotations

from perspicax.diagnose.errors import PerspicaxError
from perspicax.diagnose.report import Fix, Report
from perspicax.xla.errors import JaxRuntimeError

__all__ = [
    "BarrierNamesError", "CoordinatorError", "DistributedStateError", "ProcessConflictError", "ProcessLostError",
    "ProcessSettingError", "ProcessesApartError", "ProcessesMissingError",
]


class DistributedStateError(PerspicaxError, RuntimeError):
    """`jax.distributed` was used at a time when it cannot be.

    Attributes:
        kind: "twice" (it runs already), "late" (the devices have been started), "missing" (it does not run).
        doing: what needs it, where it does not run.
    """

    kind: str
    doing: str = ""

    @property
    def report(self) -> Report:
        begin = Fix("begin with it, right after the import", code="import jax\n\njax.distributed.initialize(...)")
        match self.kind:
            case "twice":
                return Report(says="`jax.distributed.initialize` was called again.",
                              why="this process has joined the others already",
                              fixes=(Fix("leave the second call out, or ask first",
                                         code="if not jax.distributed.is_initialized():\n"
                                              "    jax.distributed.initialize(...)"),))
            case "late":
                return Report(says="`jax.distributed.initialize` was called after the devices were started.",
                              why="they are started once, by the first thing that needs one (making an array, a call of a "
                                  "jitted function, `jax.devices()`), and then for this process alone", fixes=(begin,))
        return Report(says=f"{self.doing} needs `jax.distributed`, which was not initialized.",
                      why="processes find and hear each other through it", fixes=(begin,))


class ProcessSettingError(PerspicaxError, ValueError, TypeError):
    """A setting of `jax.distributed.initialize` is missing, and nothing tells it, or it cannot be.

    Attributes:
        name: the parameter.
        given: what was given; empty if nothing was.
        method: how the run was started, where that is known (`slurm`, …).
        why: what does not fit.
    """

    name: str
    given: str = ""
    method: str = ""
    why: str = ""

    @property
    def report(self) -> Report:
        example = Fix("say it", code='jax.distributed.initialize(coordinator_address="10.0.0.1:1234", num_processes=2, '
                                     "process_id=0)")
        if self.given:
            return Report(says=f"`jax.distributed.initialize` cannot take `{self.name}={self.given}`.", why=self.why,
                          fixes=(example,) if self.name != "cluster_detection_method" else ())
        by = f"{self.method} does not tell it" if self.method else \
            "no sign of Slurm, Open MPI or Kubernetes was found in the environment, which would tell it"
        return Report(says=f"`jax.distributed.initialize` does not know `{self.name}`.", why=self.why or by, fixes=(example,))


class BarrierNamesError(PerspicaxError, AssertionError):
    """All processes wait for each other, but at different barriers.

    Attributes:
        me: the process that tells it.
        places: for each process the name of the barrier where it waits.
    """

    me: int
    places: dict[int, str]

    @property
    def report(self) -> Report:
        places = "; ".join(f"process {p} at {name!r}" for p, name in sorted(self.places.items())[:8])
        return Report(says=f"The processes wait at different barriers: {places}.",
                      why="a barrier opens when all processes have come to the one of that name",
                      fixes=(Fix("let all processes take the same way, and give each barrier one name"),))


class CoordinatorError(PerspicaxError, RuntimeError):
    """Process 0 cannot listen at the coordinator's address, or another process does not reach it.

    Attributes:
        address: the address.
        process: the process that tries.
        reason: what the system says.
        waited: for how many seconds it was tried; 0 for process 0 itself.
    """

    address: str
    process: int
    reason: str
    waited: float = 0

    @property
    def report(self) -> Report:
        if self.process == 0:
            return Report(says=f"Process 0 cannot listen at {self.address}: {self.reason}.",
                          why="process 0 is the coordinator: the others meet there",
                          fixes=(Fix("take another port; 0 is not one, since the others must know it"),
                                 Fix("give an address of this machine",
                                     code='jax.distributed.initialize(..., coordinator_bind_address="0.0.0.0:1234")')))
        return Report(says=f"Process {self.process} did not reach the coordinator at {self.address} within "
                           f"{self.waited:g} s: {self.reason}.",
                      why="process 0 listens there as soon as it calls `jax.distributed.initialize`",
                      fixes=(Fix("see that process 0 runs, and that this address leads to it from here"),
                             Fix("wait longer", code="jax.distributed.initialize(..., initialization_timeout=900)")))


class ProcessConflictError(PerspicaxError, RuntimeError):
    """A process came to the coordinator with an index or a number of processes that does not fit the others.

    Attributes:
        fault: "twice", "range" or "count".
        process: its index.
        count: how many processes it speaks of.
        expected: how many process 0 speaks of.
    """

    fault: str
    process: int
    count: int
    expected: int

    @property
    def report(self) -> Report:
        why = {"twice": f"there is a process {self.process} already",
               "range": f"with {self.count} processes, the indices are 0 to {self.count - 1}",
               "count": f"it was told of {self.count} processes, and process 0 of {self.expected}"}[self.fault]
        return Report(says=f"Process {self.process} of {self.count} cannot join.", why=why,
                      fixes=(Fix("give each process its own index, and all the same number",
                                 code=f"jax.distributed.initialize(address, num_processes={self.expected}, process_id=...)"),))


class ProcessesMissingError(JaxRuntimeError):
    """Some processes did not come, to the start or to a barrier, within the time for it.

    Attributes:
        barrier: its name; empty for the start.
        missing: the processes that did not come.
        waited: how many seconds.
        count: how many processes there are.
        me: the process that tells it.
    """

    status: str = "DEADLINE_EXCEEDED"
    detail: str = ""
    barrier: str
    missing: tuple[int, ...]
    waited: float
    count: int
    me: int

    @property
    def report(self) -> Report:
        if self.me in self.missing and len(self.missing) == 1 and self.barrier:
            return Report(says=f"This process ({self.me}) came to the barrier {self.barrier!r} when it was over.",
                          why=f"the others had waited for {self.waited:g} s, and were told that it is missing")
        who = "a process" if not self.missing else _processes(self.missing)
        where = f"the barrier {self.barrier!r}" if self.barrier else "the start"
        fixes = (Fix("look at the log of each of them for an earlier error"), Fix(
            "start all of them, each with its own `process_id`" if not self.barrier
            else "let every process take this way: a barrier within an `if` that only some enter is never complete"))
        longer = "initialization_timeout" if not self.barrier else "the time limit of this barrier"
        return Report(says=f"{who[0].upper()}{who[1:]} did not come to {where} within {self.waited:g} s.",
                      why=f"all {self.count} processes must come before one goes on; {longer} says how long to wait",
                      fixes=fixes)


class ProcessLostError(JaxRuntimeError):
    """A process of this program died, or cannot be heard any more.

    Attributes:
        process: its index.
        reason: how that was noticed.
        during: what this process was doing, as a clause; empty if that is not known.
    """

    status: str = "UNAVAILABLE"
    detail: str = ""
    process: int
    reason: str
    during: str = ""

    @property
    def report(self) -> Report:
        return Report(says=f"Process {self.process} is gone: {self.reason}.",
                      why="all processes of a program take part in its computations; what needs this one cannot go on"
                          + (f": {self.during}" if self.during else ""),
                      fixes=(Fix(f"look at the log of process {self.process} for the cause"),
                             Fix("start all processes again, from the last checkpoint")))


class ProcessesApartError(JaxRuntimeError):
    """Processes wait for each other at different places of the program.

    Attributes:
        me: the process that tells it.
        places: for each process that is known to wait, where it does.
        waited: how many seconds; 0 where XLA has given up.
    """

    status: str = "DEADLINE_EXCEEDED"
    detail: str = ""
    me: int
    places: dict[int, str]
    waited: float = 0

    @property
    def report(self) -> Report:
        places = "; ".join([f"process {p} at {where}" for p, where in sorted(self.places.items())[:8]])
        why = ("all processes run the same computations, in the same order, on arrays over the devices of all; each waits "
               "until all have come")
        fixes = (Fix("let all processes take one way; the others do not compute what stands within `if jax.process_index() == "
                     "0:`",
                     code="value = f(x)                      # in all processes\n"
                          "if jax.process_index() == 0:\n    print(value)"),)
        if self.waited:
            return Report(says=f"The processes have waited for {self.waited:g} s, at different places: {places}.",
                          why=f"{why}; if these places belong together, this is no mistake, and they will go on", fixes=fixes)
        others = {p: where for p, where in self.places.items() if p != self.me}
        where = "; ".join([f"process {p} is at {where}" for p, where in sorted(others.items())[:8]])
        return Report(says=f"Process {self.me} waited in vain for the others in a computation over the devices of all"
                           + (f": {where}." if where else "."), why=why, fixes=fixes)


def _processes(indices: tuple[int, ...]) -> str:
    """`process 3`, `processes 1, 2 and 5`; of many the first ones."""
    if len(indices) == 1:
        return f"process {indices[0]}"
    shown = [str(i) for i in indices[:8]]
    if len(indices) > 8:
        return f"processes {', '.join(shown)} and {len(indices) - 8} more"
    return f"processes {', '.join(shown[:-1])} and {shown[-1]}"
