"""What is said of `out_sharding=`, by which an operation is told how its result lies over explicit axes of a mesh."""
from __future__ import annotations

from typing import Any, NoReturn

from perspicax.diagnose.errors import PerspicaxError
from perspicax.diagnose.report import Fix, Report

__all__ = ["OutShardingError", "refuse_out_sharding"]


class OutShardingError(PerspicaxError, TypeError, ValueError, NotImplementedError):  # JAX raises the one or the other
    """An operation was told how its result lies by something that does not say it.

    Attributes:
        function: the operation.
        value: what was given, as it shows.
    """

    function: str
    value: str

    @property
    def report(self) -> Report:
        return Report(says=f"`{self.function}` was given out_sharding={self.value}, which is neither a NamedSharding nor a "
                           "PartitionSpec.",
                      why="it names the explicit axes of a mesh that split the result",
                      fixes=(Fix("in terms of the mesh that is set", code="out_sharding=jax.P('x')"),
                             Fix("put the result onto a device", code="jax.device_put(result, device)")))


def refuse_out_sharding(function: str, out_sharding: Any) -> NoReturn:
    """Raise the report of an `out_sharding` that is none."""
    raise OutShardingError(function=function, value=repr(out_sharding)[:80])
