"""Errors of values that processes exchange, and of the grids that devices are arranged in."""
from __future__ import annotations

from typing import Any

from perspicax.diagnose.errors import PerspicaxError
from perspicax.diagnose.report import Fix, Report

__all__ = [
    "DeviceGridError", "LiveDevicesError", "LocalSpecError", "ProcessFailureError", "ProcessesDifferError", "SourceError",
    "StagedPartError",
]


class ProcessesDifferError(PerspicaxError, AssertionError):
    """Processes have different values where all should have the same.

    Attributes:
        paths: where in the tree, with this process's value and that of process 0.
        me: this process.
        message: what the caller says of it.
        other: the one it is compared with.
        placed: whether they were to become one array.
    """

    paths: tuple[tuple[str, str, str], ...]
    me: int
    message: str = ""
    other: int = 0
    placed: bool = False

    @property
    def report(self) -> Report:
        shown = "; ".join(f"{path or 'the value'} is {mine} here and {theirs} there" for path, mine, theirs in self.paths[:6])
        more = f"; {len(self.paths) - 6} more differ" if len(self.paths) > 6 else ""
        lead = f"{self.message.rstrip('.')}. " if self.message else ""
        return Report(says=f"{lead}Process {self.me} has other values than process {self.other}: {shown}{more}.",
                      why="each device takes its piece from its own process, and the pieces would be of different arrays"
                          if self.placed else "all processes must have the same here",
                      fixes=(Fix("take those of process 0", code="multihost_utils.broadcast_one_to_all(values)"),
                             *((Fix("where each process has its own part",
                                    code="jax.make_array_from_process_local_data(sharding, part)"),) if self.placed else ())))


class SourceError(PerspicaxError, ValueError):
    """A broadcast has no source, or several.

    Attributes:
        sources: the processes that say they are it.
    """

    sources: tuple[int, ...]

    @property
    def report(self) -> Report:
        who = "no process says" if not self.sources else f"processes {', '.join(map(str, self.sources))} all say"
        return Report(says=f"`broadcast_one_to_all` needs one source: {who} `is_source=True`.",
                      why="the values of one process go to all others",
                      fixes=(Fix(code="broadcast_one_to_all(values, is_source=jax.process_index() == 0)"),))


class LiveDevicesError(PerspicaxError, ValueError):
    """The devices given to `live_devices` are none, or none of them is of this process.

    Attributes:
        count: how many were given.
        me: this process.
    """

    count: int
    me: int

    @property
    def report(self) -> Report:
        given = f"{self.count} devices, none of which is of this process ({self.me})" if self.count else "no devices"
        return Report(says=f"`live_devices` was given {given}.",
                      why="the processes of the devices agree on which live: those that call it are among them",
                      fixes=(Fix("ask for those of all processes", code="live_devices(jax.devices())"),))


class ProcessFailureError(PerspicaxError):
    """A block of `live_devices` was not completed by all processes that began it.

    Attributes:
        failed_devices: the devices of processes that died.
        reasons: for each of these processes how that was noticed.
        raised: for each process that lives, but whose block ended with an error, that error.
    """

    failed_devices: frozenset[Any] = frozenset()
    reasons: dict[int, str] = {}
    raised: dict[int, str] = {}

    def __init__(self, failed_devices: Any = (), **fields: Any) -> None:
        super().__init__(failed_devices=frozenset(failed_devices), **fields)

    @property
    def report(self) -> Report:
        gone = "; ".join([f"process {p} is gone: {reason}" for p, reason in sorted(self.reasons.items())])
        erred = "; ".join([f"in process {p} it ended with {text}" for p, text in sorted(self.raised.items())])
        what = "; ".join(filter(None, (gone, erred))) or f"{len(self.failed_devices)} devices failed"
        again = Fix("do it again, with the devices that are left", code="with live_devices(jax.devices()) as devices:\n    ...")
        return Report(says=f"A block of `live_devices` was not completed by all processes: {what.rstrip('.')}.",
                      why="all processes complete such a block, or all of them get an error",
                      fixes=(again,) if self.failed_devices else (Fix("look at the log of that process for its error"), again))


class LocalSpecError(PerspicaxError, ValueError):
    """An array of one process cannot become a part of a global one.

    Attributes:
        kind: "none" (no specification), "cube" (the devices of a process form no block of the mesh).
        mesh: how the mesh shows.
    """

    kind: str
    mesh: str = ""

    @property
    def report(self) -> Report:
        if self.kind == "none":
            return Report(says="`None` stands where a PartitionSpec is needed.",
                          why="it says which axes of the mesh split the array",
                          fixes=(Fix("for a whole copy on each device", code="jax.sharding.PartitionSpec()"),))
        return Report(says=f"The devices of this process form no block of {self.mesh}.",
                      why="only then is the part of an array that it has an array, too",
                      fixes=(Fix("give each device its part", code="jax.make_array_from_callback(shape, sharding, get_part)"),))


class StagedPartError(PerspicaxError, ValueError):
    """A program was to be compiled in which a process has its own part of an array over several processes.

    Attributes:
        program: the function that is compiled.
        type_text: the type of the part.
        mesh: the devices, as they show.
    """

    program: str
    type_text: str
    mesh: str

    @property
    def report(self) -> Report:
        return Report(says=f"`{self.program}` is compiled, and in it {self.type_text} is one process's part of an array over "
                           f"the devices of several, {self.mesh}.",
                      why="all processes run one program, whose arrays are whole; `pmap` over the devices of several "
                          "processes, and `host_local_array_to_global_array`, give each process its own part",
                      fixes=(Fix("call what `pmap` made outside of `jit`: it is compiled already"),
                             Fix("within `jit`, write it for whole arrays", code="jax.shard_map(f, mesh=mesh, in_specs=..., "
                                                                                 "out_specs=...)")))


class DeviceGridError(PerspicaxError, ValueError):
    """Devices cannot be arranged in the grid that was asked for.

    Attributes:
        kind: "size" (too many or few devices), "groups" (the same of groups of devices), "attribute" (the devices do not
            say which group they are in), "blocks" (the devices of a process would form no block).
        shape: the shape asked for.
        count: how many devices or groups there are.
        other: the attribute that the devices lack.
    """

    kind: str
    shape: tuple[Any, ...]
    count: int
    other: Any = None

    @property
    def report(self) -> Report:
        match self.kind:
            case "size":
                return Report(says=f"{self.count} devices do not fill a mesh of shape {self.shape}.",
                              why="the product of the shape must be the number of devices",
                              fixes=(Fix("arrange some of them", code=f"create_device_mesh({self.shape}, "
                                                                      "devices=jax.devices()[:n])"),))
            case "groups":
                return Report(says=f"{self.count} {'group' if self.count == 1 else 'groups'} of devices do not fill "
                                   f"`dcn_mesh_shape={self.shape}`.",
                              why="the product of that shape must be the number of groups that a slower network connects")
            case "attribute":
                return Report(says=f"The devices have no attribute `{self.other}`.",
                              why="it says which devices a fast network connects",
                              fixes=(Fix("take those of a process as connected", code="process_is_granule=True"),))
        return Report(says=f"In a mesh of shape {self.shape}, the devices of a process form no block.",
                      why="`contiguous_submeshes=True` asks for that", fixes=(Fix(code="contiguous_submeshes=False"),))
