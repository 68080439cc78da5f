"""An iterator that is one step ahead: `flax.training.prefetch_iterator`."""
from __future__ import annotations

import threading
from collections import deque
from collections.abc import Iterable, Iterator
from typing import Any

__all__ = ["PrefetchIterator"]


class PrefetchIterator:
    """Takes items of an iterator in a thread, before they are asked for.

    Args:
        data_iter: the iterator.
        buffer_size: how many items are kept ready.

    An error of the iterator is raised where its item would have come. `close` ends the thread; so does the iterator's end.
    """

    def __init__(self, data_iter: Iterable[Any], buffer_size: int = 1) -> None:
        self.buffer_size = buffer_size
        self._items: deque[Any] = deque()
        self._changed = threading.Condition()
        self._active = True
        self._ended = False
        self._error: BaseException | None = None
        self._thread = threading.Thread(target=self._fill, args=(iter(data_iter),), daemon=True)
        self._thread.start()

    def __iter__(self) -> Iterator[Any]:
        return self

    def __next__(self) -> Any:
        with self._changed:
            self._changed.wait_for(lambda: self._items or self._ended or not self._active)
            if self._items and self._active:
                item = self._items.popleft()
                self._changed.notify_all()
                return item
            error, self._error = self._error, None
        if error is not None:
            raise error
        raise StopIteration

    def close(self) -> None:
        """End the thread. What was taken already is dropped, and the iterator has ended."""
        with self._changed:
            self._active = False
            self._items.clear()
            self._changed.notify_all()
        if self._thread is not threading.current_thread():
            self._thread.join(timeout=1.0)  # an iterator that hangs is left to its thread, which ends with the process

    def _fill(self, source: Iterator[Any]) -> None:
        error: BaseException | None = None
        try:
            for item in source:
                with self._changed:
                    self._items.append(item)
                    self._changed.notify_all()
                    self._changed.wait_for(lambda: len(self._items) < self.buffer_size or not self._active)
                    if not self._active:
                        break
        except BaseException as raised:  # whatever it is, it belongs to who asks for the next item
            error = raised
        with self._changed:
            self._ended, self._error = True, error
            self._changed.notify_all()
