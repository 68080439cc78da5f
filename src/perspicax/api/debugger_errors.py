"""Errors of the debugger and of the display of shardings."""
from __future__ import annotations

from perspicax.diagnose.errors import PerspicaxError
from perspicax.diagnose.report import Fix, Report


class DebuggerQuit(PerspicaxError, RuntimeError):
    """The command `quit` was given to the debugger.

    Attributes:
        function: the function that was stopped in.
    """

    function: str

    @property
    def report(self) -> Report:
        where = f" in `{self.function}`" if self.function else ""
        return Report(says=f"The program was ended by `quit` in the debugger{where}.",
                      fixes=(Fix("to go on with the program instead", code="continue"),))


class DebuggerBackendError(PerspicaxError, ValueError):
    """A debugger was asked for that is not there.

    Attributes:
        backend: what was asked for.
    """

    backend: str

    @property
    def report(self) -> Report:
        return Report(says=f"`debug.breakpoint` has no backend {self.backend!r}.",
                      why="Perspicax has a debugger on the command line, `cli`",
                      fixes=(Fix("leave the choice open", code="jax.debug.breakpoint()"),))


class ShardingDisplayError(PerspicaxError, ValueError, NotImplementedError, AttributeError):
    """How an array is spread over devices cannot be shown.

    Attributes:
        kind: `rank` (neither one nor two axes), `uneven` (parts that are no grid) or `value` (no array).
        got: the shape, the sharding, or the class of the value.
    """

    kind: str
    got: str

    @property
    def report(self) -> Report:
        if self.kind == "rank":
            return Report(says=f"The sharding of an array of shape {self.got} cannot be drawn.",
                          why="a drawing has one or two axes",
                          fixes=(Fix("look at the sharding itself",
                                     code="jax.debug.inspect_array_sharding(x, callback=print)"),))
        if self.kind == "value":
            return Report(says=f"`inspect_array_sharding` was given a value of class {self.got}, which is no array.",
                          why="only arrays live on devices",
                          fixes=(Fix("make it one", code="jnp.asarray(x)"),))
        return Report(says=f"The parts of {self.got} do not form a grid, and cannot be drawn.",
                      fixes=(Fix("look at the parts", code="sharding.devices_indices_map(shape)"),))
