"""Saves that go on while the training does."""
from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor

from perspicax.diagnose.boundary import public_methods

__all__ = ["AsyncManager"]


@public_methods("save_async", "wait_previous_save")
class AsyncManager:
    """Runs saves in a thread, one after the other.

    Args:
        max_workers: how many threads there are.

    Pass it to `save_checkpoint(..., async_manager=manager)`. A save that failed raises its error at the next save, or when
    it is waited for. At the end of the program Python waits for the save that goes on.
    """

    def __init__(self, max_workers: int = 1) -> None:
        self.executor = ThreadPoolExecutor(max_workers=max_workers, thread_name_prefix="checkpoint")
        self.save_future: Future[object] | None = None

    def wait_previous_save(self) -> None:
        """Wait until the last save is complete.

        Raises:
            Exception: the save's own error, if it failed.
        """
        future, self.save_future = self.save_future, None
        if future is not None:
            future.result()

    def save_async(self, task: Callable[[], object]) -> None:
        """Run a save when the one before it is complete."""
        self.wait_previous_save()
        self.save_future = self.executor.submit(task)
