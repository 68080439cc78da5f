"""What is said of `out_sharding=`, by which an operation is told how its result lies on the devices."""
from __future__ import annotations

from typing import Any, NoReturn

from perspicax.diagnose.errors import PerspicaxError
from perspicax.diagnose.report import Fix, Report
from perspicax.xla import sharding as shardings

__all__ = ["OutShardingError", "refuse_out_sharding"]


class OutShardingError(PerspicaxError, TypeError, ValueError, NotImplementedError):  # JAX raises the one or the other
    """An operation was told how its result shall lie on the devices.

    Attributes:
        function: the operation.
        value: what was given, as it shows.
        named: whether it is a `NamedSharding` or a `PartitionSpec`, which alone may be given.
    """

    function: str
    value: str
    named: bool = False

    @property
    def report(self) -> Report:
        fix = Fix("place the result", code=f"jax.device_put({self.function}(...), sharding)")
        if not self.named:
            return Report(says=f"`{self.function}` was given out_sharding={self.value}, which is neither a NamedSharding nor "
                               "a PartitionSpec.",
                          why="it names the axes of a mesh of explicit axes along which the result is split", fixes=(fix,))
        return Report(says=f"`{self.function}` does not take `out_sharding` yet: {self.value}.",
                      why="it is about meshes of explicit axes, where the sharding is part of an array's type; they are not "
                          "there yet", fixes=(fix,))


def refuse_out_sharding(function: str, out_sharding: Any) -> NoReturn:
    """Raise the report of an `out_sharding` that is not `None`: it is not left aside in silence."""
    named = isinstance(out_sharding, (shardings.NamedSharding, shardings.PartitionSpec))
    raise OutShardingError(function=function, value=repr(out_sharding)[:80], named=named)
