"""Memories in types: the memory that a result is in, by those of the operands.

A type tells the memory of an array that is not in that in which devices compute (`float32<host>[4]`). Type rules know nothing
of memories: `Primitive._typed` asks here, for all that runs no jaxprs.
"""
from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from perspicax.core.primitive import Primitive
from perspicax.diagnose.errors import PerspicaxError
from perspicax.diagnose.report import Fix, Report
from perspicax.lax.errors import operand_labels
from perspicax.lax.explicit_errors import operation_words

__all__ = ["MemorySpaceError", "memory_of_results"]


class MemorySpaceError(PerspicaxError, ValueError):
    """Arrays in different memories are operands of one operation.

    Attributes:
        operation: the operation.
        avals: the types of the operands.
    """

    operation: str
    avals: tuple[Any, ...]

    @property
    def report(self) -> Report:
        names, labels = operand_labels(self, tuple([a.str_short() for a in self.avals]))
        where = "; ".join([f"{n}, {a.str_short()}, is in that of the {'device' if a.memory is None else a.memory.name.lower()}"
                           for n, a in zip(names, self.avals) if a.shape])
        elsewhere = next((n.strip("`") for n, a in zip(names, self.avals) if a.memory is not None and n.startswith("`")), "x")
        return Report(says=f"The operands of `{operation_words(self)}` are in different memories.", labels=labels,
                      why=f"an operation works on arrays of one memory, and nothing is moved in silence: {where}",
                      fixes=(Fix("move it to the device", code=f"jax.device_put({elsewhere}, jax.memory.Space.Device)"),))


def memory_of_results(primitive: Primitive, avals: Sequence[Any]) -> Any:
    """The memory that the results of operands of these types are in; `None` for that in which devices compute.

    Scalars go with arrays, wherever these are; among themselves they meet on the device. What is indexed stays where it is.

    Raises:
        MemorySpaceError: arrays are in different memories.
    """
    if primitive.name == "gather" or primitive.name.startswith("scatter"):
        return avals[0].memory
    arrays = {a.memory for a in avals if a.shape}
    if len(arrays) > 1:
        raise MemorySpaceError(operation=primitive.name, avals=tuple(avals))
    found = arrays or {a.memory for a in avals}
    return next(iter(found)) if len(found) == 1 else None
