"""Errors of arrays on disk."""
from __future__ import annotations

from perspicax.diagnose.errors import PerspicaxError
from perspicax.diagnose.report import Fix, Report

__all__ = ["ArrayFileError", "CommitError"]


class ArrayFileError(PerspicaxError, ValueError):
    """An array cannot be written to disk, or read from it, as asked.

    Attributes:
        kind: "bucket" or "database" (the path lacks a part), "array" (it is none), "keys", "sharding" (it is none), "rank",
            "lengths" (of the arguments), "read", "write".
        path: where the array is, or would be.
        detail: what was given (of an object its class), or what tensorstore says.
    """

    kind: str
    path: str
    detail: str = ""

    @property
    def report(self) -> Report:
        match self.kind:
            case "bucket":
                return Report(says=f"{self.path!r} names no bucket and path.", why="a remote path is `gs://bucket/path`")
            case "database":
                return Report(says=f"{self.path!r} lacks a folder or a name.",
                              why="with `ocdbt=True`, the last part of the path is the array's name in the database that the "
                                  "folder before it holds")
            case "array":
                return Report(says=f"An object of class `{self.detail}` was to be saved as an array over devices.",
                              why="how it is spread over devices and processes says who writes which part",
                              fixes=(Fix("put it on a device", code="jax.device_put(x)"),))
            case "keys":
                return Report(says=f"A {self.detail} cannot be saved: random keys are no numbers.",
                              why="a file holds the numbers that keys consist of",
                              fixes=(Fix("save these", code="jax.random.key_data(keys)"),
                                     Fix("and make keys of them again", code="jax.random.wrap_key_data(data)")))
            case "sharding":
                return Report(says=f"An object of class `{self.detail}` stands where a sharding is needed, for the array at "
                                   f"{self.path!r}.", why="it says on which devices the array shall be")
            case "rank":
                return Report(says=f"The array at {self.path!r} has another number of axes than asked for: {self.detail}.",
                              why="a shape may be larger or smaller than that on disk, but not of other axes")
            case "lengths":
                return Report(says=f"There are {self.detail}.", why="there is one for each array")
        doing = "read" if self.kind == "read" else "written"
        return Report(says=f"The array at {self.path!r} cannot be {doing}: {self.detail}.")


class CommitError(PerspicaxError, RuntimeError):
    """Arrays of several processes were not saved, since a process could not write its part.

    Attributes:
        process: the process.
        reason: what went wrong there.
    """

    process: int
    reason: str

    @property
    def report(self) -> Report:
        return Report(says=f"The arrays were not saved: process {self.process} could not write its part: {self.reason}.",
                      why="a save counts only when all processes have written theirs; what was saved before is as it was")
