"""Importing without garbage collections, and without the frames of the import in what goes wrong."""
import gc
from types import TracebackType

from perspicax.diagnose.boundary import trim
from perspicax.diagnose.errors import PerspicaxError


class Quietly:
    """A context in which to import. While modules are made, a collection visits thousands of new objects and frees none.

    A PerspicaxError of the import (an environment variable that makes no sense) keeps the user's frames alone.
    """

    def __enter__(self) -> None:
        self.collecting = gc.isenabled()
        gc.disable()

    def __exit__(self, kind: type | None, error: BaseException | None, traceback: TracebackType | None) -> None:
        if self.collecting:
            gc.enable()
        if isinstance(error, PerspicaxError):
            trim(error)
