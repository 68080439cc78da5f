"""Programs that go on when processes are lost: `jax.experimental.multihost_utils.live_devices`."""
from __future__ import annotations

from collections.abc import Sequence
from types import TracebackType
from typing import Any

from perspicax.api.process_errors import LiveDevicesError, ProcessFailureError
from perspicax.api.wrapping import public
from perspicax.diagnose.boundary import public_methods
from perspicax.diagnose.errors import PerspicaxError
from perspicax.xla.processes import membership
from perspicax.xla.processes.errors import ProcessLostError

__all__ = ["live_devices"]

LONGEST = 10.0**8  # seconds; the wait ends when a process that is waited for is lost


@public
def live_devices(devices: Sequence[Any]) -> _LiveDevices:
    """A block of code on the devices whose processes live.

        try:
            with live_devices(jax.devices()) as devices:
                ...
        except ProcessFailureError as error:
            ...                             # error.failed_devices
        else:
            ...                             # all processes have completed the block

    Entering, it waits until those processes of `devices` that live have come here, too; all get the same devices. Leaving, it
    waits for them again: all have completed the block, or all get an error.

    Args:
        devices: those that are asked for; some of them are of this process.

    Returns:
        A context manager, which gives the list of those that live.

    Raises:
        LiveDevicesError: none of the devices is of this process.
        DistributedStateError: `jax.distributed.initialize` was not called.
        ProcessFailureError: on leaving: a process was lost meanwhile, or its block ended with an error.
        ProcessLostError: process 0 is gone: without it the processes cannot agree.
        BarrierNamesError: all processes wait, but not all of them here.

    Differs: an error in one process is told to the others, as JAX's documentation has it (JAX 0.10.2 lets them pass). Nothing
    need be configured.
    """
    us = membership.member("`live_devices`")
    mine = list(devices)
    if not any(d.process_index == us.process for d in mine):
        raise LiveDevicesError(count=len(mine), me=us.process)
    return _LiveDevices(us, mine)


@public_methods("__enter__", "__exit__")
class _LiveDevices:
    """The context manager that `live_devices` makes."""

    def __init__(self, us: membership.Membership, devices: list[Any]) -> None:
        self._us, self._devices = us, devices
        self._live: list[int] = []
        self._name = f"live_devices of processes {sorted({d.process_index for d in devices})}"

    def __enter__(self) -> list[Any]:
        link = self._us.link
        asked = sorted({d.process_index for d in self._devices})
        self._live, _ = link.gather(f"{self._name}: the beginning", LONGEST, asked)
        link.forgive(set(asked) - set(self._live))
        link.prepared += 1
        return [d for d in self._devices if d.process_index in self._live]

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, where: TracebackType | None) -> None:
        link = self._us.link
        link.prepared -= 1
        note = "" if error is None else _told(error)
        try:
            # one that ends (by SystemExit, say) waits for nobody
            here, notes = link.gather(f"{self._name}: the end", LONGEST, self._live, note=note,
                                      wait=error is None or isinstance(error, Exception))
        except ProcessLostError as loss:
            here, notes = [p for p in self._live if p != loss.process], {}
        failed = set(self._live) - set(here)
        link.forgive(failed - {0})  # without process 0 nothing more can be agreed on
        raised = {p: text for p, text in notes.items() if p in here and p != self._us.process}
        if failed or (raised and error is None):
            raise ProcessFailureError(
                [d for d in self._devices if d.process_index in failed], raised={} if failed else raised,
                reasons={p: link.reason(p) for p in failed}) from error


def _told(error: BaseException) -> str:
    """An error in a line, for other processes."""
    text = error.report.says if isinstance(error, PerspicaxError) else next(iter(str(error).splitlines()), "")
    return f"{type(error).__name__}: {text}"[:500]
