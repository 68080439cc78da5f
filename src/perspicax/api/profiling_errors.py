"""The error of the profiler."""
from __future__ import annotations

from perspicax.diagnose.errors import PerspicaxError
from perspicax.diagnose.report import Fix, Report


class ProfilerError(PerspicaxError, RuntimeError, ValueError, TypeError):  # JAX: traces the first, servers the second
    """The profiler cannot do this now, or not with this.

    Attributes:
        kind: `running` (a trace is being recorded), `idle` (none is), `server` (there is one), `no server`, `options` (no
            `ProfileOptions`), `folder` (no path), `port` (no number) or `subprocess` (it does not answer).
        what: where the trace goes, or the server listens; or what was given.
    """

    kind: str
    what: str = ""

    @property
    def report(self) -> Report:
        match self.kind:
            case "running":
                return Report(says=f"A trace is being recorded already, for {self.what!r}.",
                              why="a process records one at a time",
                              fixes=(Fix("end it first", code="jax.profiler.stop_trace()"),))
            case "idle":
                return Report(says="No trace is being recorded that could be stopped.",
                              fixes=(Fix("record what runs within a block", code="with jax.profiler.trace(log_dir): ..."),))
            case "server":
                return Report(says=f"A profiler server listens already, on port {self.what}.", why="a process has one at most",
                              fixes=(Fix("end it first", code="jax.profiler.stop_server()"),))
            case "no server":
                return Report(says="No profiler server is running that could be stopped.",
                              fixes=(Fix("start one", code="jax.profiler.start_server(9999)"),))
            case "port":
                return Report(says=f"The port of a profiler server is of class {self.what}.", why="it is an integer")
            case "subprocess":
                return Report(says=f"No profiler server answers on port {self.what} of this machine.",
                              why="traces of another process are asked from the server that runs in it",
                              fixes=(Fix("start it there first", code=f"jax.profiler.start_server({self.what})"),))
            case "options":
                return Report(says=f"`profiler_options` is of class {self.what}.",
                              fixes=(Fix("make them", code="options = jax.profiler.ProfileOptions()"),))
        return Report(says=f"`log_dir` is of class {self.what}, which is no path.",
                      why="a trace is written into a folder when it ends")
