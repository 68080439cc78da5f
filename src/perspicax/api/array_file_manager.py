"""Saves of arrays that go on while the program does, by all processes together."""
from __future__ import annotations

import abc
import itertools
import threading
from collections.abc import Callable, Sequence
from typing import Any

from perspicax.api.array_file_errors import ArrayFileError, CommitError
from perspicax.api.array_files import get_tensorstore_spec, read_arrays, start_write
from perspicax.diagnose.boundary import public_methods
from perspicax.diagnose.errors import PerspicaxError
from perspicax.xla import client
from perspicax.xla.processes import membership

__all__ = ["AsyncManager", "GlobalAsyncCheckpointManager", "GlobalAsyncCheckpointManagerBase", "fault_of"]

_numbers = itertools.count()


class GlobalAsyncCheckpointManagerBase(abc.ABC):
    """What saves and restores arrays over several processes; users may write their own."""

    @abc.abstractmethod
    def check_for_errors(self) -> None:
        """Raise what went wrong in the background, if it has ended already."""

    @abc.abstractmethod
    def wait_until_finished(self) -> None:
        """Wait until the last save is complete."""

    @abc.abstractmethod
    def serialize(self, arrays: Any, tensorstore_specs: Any, *, on_commit_callback: Callable[[], None]) -> None:
        """Begin to save arrays."""

    @abc.abstractmethod
    def deserialize(self, shardings: Sequence[Any], tensorstore_specs: Sequence[Any],
                    global_shapes: Sequence[Any] | None = None, dtypes: Sequence[Any] | None = None) -> Any:
        """Arrays from disk."""


@public_methods("check_for_errors", "wait_until_finished")
class AsyncManager:
    """Waits in a thread until all processes have written their parts; then process 0 commits.

    Args:
        timeout_secs: how many seconds the processes wait for each other.
    """

    def __init__(self, timeout_secs: float = 300) -> None:
        self._timeout = timeout_secs
        self._futures: list[Any] = []
        self._thread: threading.Thread | None = None
        self._error: BaseException | None = None
        self._number = next(_numbers)  # managers are made in the same order in all processes
        self._name = f"the arrays of manager {self._number} are saved"
        if client.process_count() > 1:
            membership.member("Saving arrays of several processes")

    def _add_futures(self, futures: Sequence[Any]) -> None:
        self._futures.extend(futures)

    def _start_async_commit(self, on_commit_callback: Callable[[], None] | None) -> None:
        futures, self._futures = self._futures, []
        self._thread = threading.Thread(target=self._commit, args=(futures, on_commit_callback), name="array-files")
        self._thread.start()

    def _commit(self, futures: list[Any], on_commit_callback: Callable[[], None] | None) -> None:
        try:
            fault = fault_of(lambda: [future.result() for future in futures])
            self.meet(f"{self._name}: written", fault)
            done = on_commit_callback if client.process_index() == 0 else None
            fault = fault_of(done) if done is not None else None
            self.meet(f"{self._name}: committed", fault)
        except BaseException as error:
            self._error = error  # raised where the program asks

    def meet(self, place: str, fault: BaseException | None) -> None:
        """Wait for all processes, and tell each other what went wrong."""
        if client.process_count() == 1:
            if fault is not None:
                raise fault
            return
        says = "" if fault is None else fault.report.says if isinstance(fault, PerspicaxError) else \
            f"{type(fault).__name__}: {str(fault).splitlines()[0] if str(fault) else ''}"
        notes = membership.member("Saving arrays").link.barrier(place, self._timeout, note=says[:500])
        if fault is not None:
            raise fault
        for process, reason in sorted(notes.items()):
            raise CommitError(process=process, reason=reason.rstrip("."))

    def check_for_errors(self) -> None:
        """Raise what went wrong in the background, if it has ended already.

        Raises:
            CommitError: another process could not write its part.
            ProcessesMissingError: a process did not come in time.
            ProcessLostError: a process is gone.
        """
        error, self._error = self._error, None
        if error is not None:
            raise error

    def wait_until_finished(self) -> None:
        """Wait until the last save is complete in all processes.

        Raises:
            CommitError, ProcessesMissingError, ProcessLostError: see `check_for_errors`.
        """
        thread, self._thread = self._thread, None
        if thread is not None:
            thread.join()
        self.check_for_errors()


def fault_of(call: Callable[[], Any]) -> BaseException | None:
    """What a call raises."""
    try:
        call()
    except Exception as error:
        return error
    return None


@public_methods("serialize", "serialize_with_paths", "deserialize", "deserialize_with_paths")
class GlobalAsyncCheckpointManager(AsyncManager, GlobalAsyncCheckpointManagerBase):
    """Saves arrays, also those over several processes, while the program goes on.

    Args:
        timeout_secs: how many seconds the processes wait for each other.

    Make it, and call its methods, in all processes in the same order. The values are those of the call, whatever happens to
    the arrays later. One save waits for the one before.
    """

    def serialize(self, arrays: Sequence[Any], tensorstore_specs: Sequence[Any], *,
                  on_commit_callback: Callable[[], None] | None = None, transaction: Any = None) -> None:
        """Begin to save arrays.

        Args:
            arrays: the arrays.
            tensorstore_specs: where, one for each.
            on_commit_callback: what process 0 calls when all processes have written all parts: it makes the save count.
            transaction: tensorstore's, which the parts are written in; it is committed before the callback.

        Raises:
            ArrayFileError: one is no array, or the lengths differ.
            MissingPackageError: tensorstore is not installed.
            CommitError, ProcessesMissingError, ProcessLostError: of the save before.
        """
        if len(arrays) != len(tensorstore_specs):
            raise ArrayFileError(kind="lengths", path="",
                                 detail=f"{len(arrays)} arrays for {len(tensorstore_specs)} specifications")
        self.wait_until_finished()
        futures: list[Any] = []

        def begin() -> None:
            writes = [write for x, spec in zip(arrays, tensorstore_specs)
                      for write in start_write(x, spec, transaction=transaction)]
            for write in writes:
                write.copy.result()
            futures.extend([transaction.commit_async()] if transaction is not None else [w.commit for w in writes])

        fault = fault_of(begin)
        if fault is not None and client.process_count() == 1:
            raise fault
        self._add_futures(futures if fault is None else [_Failed(fault)])
        self._start_async_commit(on_commit_callback)
        if fault is not None:
            self.wait_until_finished()  # the others hear of it there

    def serialize_with_paths(self, arrays: Sequence[Any], paths: Sequence[str], *,
                             on_commit_callback: Callable[[], None] | None = None, transaction: Any = None) -> None:
        """`serialize` to paths: a folder for each array, in zarr's format."""
        self.serialize(arrays, [get_tensorstore_spec(path) for path in paths], on_commit_callback=on_commit_callback,
                       transaction=transaction)

    def deserialize(self, shardings: Sequence[Any], tensorstore_specs: Sequence[Any],
                    global_shapes: Sequence[Any] | None = None, dtypes: Sequence[Any] | None = None,
                    concurrent_gb: int = 32) -> list[Any]:
        """Arrays from disk, on whichever devices and processes.

        Args:
            shardings: where each shall be.
            tensorstore_specs: where from.
            global_shapes: their shapes; larger than on disk for zeros beyond, smaller for a part. By default as on disk.
            dtypes: by default as on disk.
            concurrent_gb: how many gigabytes may be on their way.

        Raises:
            ArrayFileError: one cannot be read, or the lengths differ.
            MissingPackageError: tensorstore is not installed.
            CommitError, ProcessesMissingError, ProcessLostError: of the save before, which is waited for.
        """
        self.wait_until_finished()
        return read_arrays(shardings, tensorstore_specs, global_shapes, dtypes, concurrent_gb)

    def deserialize_with_paths(self, shardings: Sequence[Any], paths: Sequence[str],
                               global_shapes: Sequence[Any] | None = None, dtypes: Sequence[Any] | None = None,
                               concurrent_gb: int = 32) -> list[Any]:
        """`deserialize` from paths."""
        return self.deserialize(shardings, [get_tensorstore_spec(path) for path in paths], global_shapes, dtypes,
                                concurrent_gb)


class _Failed:
    """A write that failed before it began."""

    def __init__(self, error: BaseException) -> None:
        self._error = error

    def result(self) -> None:
        raise self._error
