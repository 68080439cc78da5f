"""Saves that go on while the training does."""
from __future__ import annotations

import atexit
import os
import sys
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor

from perspicax.diagnose.boundary import public_methods
from perspicax.flax.error_base import short

__all__ = ["AsyncManager"]


class _Save:
    """What the end of the program needs to know of a save."""

    def __init__(self, path: str) -> None:
        self.path = path
        self.process = os.getpid()  # a forked process does not tell of its parent's saves
        self.fault = ""

    def ended(self, future: Future[object]) -> None:
        error = None if future.cancelled() else future.exception()
        if error is None:
            _unheard.discard(self)
        else:  # as text: the error's frames hold all that was to be written
            self.fault = f"{type(error).__name__}: {next(iter(str(error).splitlines()), '')}"


_unheard: set[_Save] = set()
"""Saves that go on, or failed without anybody having waited for them."""


@atexit.register  # runs when Python has waited for the threads of all executors
def _tell_of_failures() -> None:
    for save in list(_unheard):
        if save.fault and save.process == os.getpid() and sys.stderr is not None:
            where = f" to {short(save.path, 400)}" if save.path else ""
            print(f"Perspicax: a save in the background{where} failed, and nobody waited for it.\n  {save.fault}\n"
                  "  `manager.wait_previous_save()` at the end of the program raises such an error.", file=sys.stderr)


@public_methods("save_async", "wait_previous_save")
class AsyncManager:
    """Runs saves in a thread, one after the other.

    Args:
        max_workers: how many threads there are.

    Pass it to `save_checkpoint(..., async_manager=manager)`. A save that failed raises its error at the next save, or when
    it is waited for. At the end of the program Python waits for the save that goes on; one that failed, and that nobody
    waited for, is told on standard error.
    """

    def __init__(self, max_workers: int = 1) -> None:
        self.executor = ThreadPoolExecutor(max_workers=max_workers, thread_name_prefix="checkpoint")
        self.save_future: Future[object] | None = None
        self._save: _Save | None = None

    def wait_previous_save(self) -> None:
        """Wait until the last save is complete.

        Raises:
            Exception: the save's own error, if it failed.
        """
        future, self.save_future = self.save_future, None
        if future is None:
            return
        try:
            future.result()
        finally:
            if future.done() and self._save is not None:  # and not interrupted while it waited
                _unheard.discard(self._save)

    def save_async(self, task: Callable[[], object]) -> None:
        """Run a save when the one before it is complete.

        Args:
            task: the save. Its attribute `path`, if it has one, says in reports where it writes to.

        Raises:
            Exception: the error of the save before, if it failed.
        """
        self.wait_previous_save()
        self._save = _Save(str(getattr(task, "path", "")))
        _unheard.add(self._save)
        self.save_future = self.executor.submit(task)
        self.save_future.add_done_callback(self._save.ended)
