"""What a module remembers about its own construction, and what this thread remembers about running modules."""
from __future__ import annotations

import enum
import threading
from collections.abc import Callable
from typing import Any

__all__ = ["ModuleBase", "ModuleState", "SetupState", "running", "unspecified_parent"]


class ModuleBase:
    """The base of `Module`, by which files that `Module` itself stands on know one."""

    if False:  # for readers and type checkers: what every module has
        scope: Any
        parent: Any
        name: Any
        _state: Any
        _id: Any


class _Unspecified:
    """The default of `parent`: the module whose method is running."""

    def __repr__(self) -> str:
        return "<the module whose method is running>"

    def __copy__(self) -> _Unspecified:
        return self

    def __deepcopy__(self, memo: dict[int, Any]) -> _Unspecified:
        return self

    def __reduce__(self) -> str:
        return "unspecified_parent"


unspecified_parent = _Unspecified()


class SetupState(enum.Enum):
    """How far a module's `setup` is."""

    NEW = 0
    """It has not run."""
    TRANSFORMED = 1
    """It has run outside of a transformation, and runs again inside, where the names are taken already."""
    DONE = 2
    """It has run."""


class ModuleState:
    """The mutable part of a module, which no copy shares.

    Attributes:
        in_compact_method: whether a compact method is running.
        in_setup: whether `setup` is running.
        setup_called: how far `setup` is.
        is_initialized: whether the module is constructed; from then on it is frozen.
        autoname_cursor: how many submodules of each class have been named.
        children: the submodules by name, and the collections of the variables by name.
    """

    __slots__ = ("autoname_cursor", "children", "in_compact_method", "in_setup", "is_initialized", "setup_called")

    def __init__(self) -> None:
        self.in_compact_method = False
        self.in_setup = False
        self.setup_called = SetupState.NEW
        self.is_initialized = False
        self.autoname_cursor: dict[str, int] = {}
        self.children: dict[str, Any] = {}

    def reset(self) -> None:
        """Forget what holds during one compact method or one `setup`."""
        self.in_compact_method = False
        self.in_setup = False
        self.autoname_cursor = {}

    def export(self) -> ModuleState:
        """The state of a counterpart of the module inside a transformation."""
        made = ModuleState()
        made.in_compact_method = self.in_compact_method
        made.in_setup = self.in_setup
        made.setup_called = SetupState.NEW if self.setup_called is SetupState.NEW else SetupState.TRANSFORMED
        made.is_initialized = self.is_initialized
        made.autoname_cursor = dict(self.autoname_cursor)
        return made

    def export_again(self) -> ModuleState:
        """A second copy of an exported state, for a function that is traced twice."""
        made = self.export()
        made.setup_called = self.setup_called
        return made

    def reimport(self, inner: ModuleState) -> None:
        """Go on where the counterpart has stopped."""
        self.in_compact_method = inner.in_compact_method
        self.in_setup = inner.in_setup
        self.is_initialized = inner.is_initialized
        self.autoname_cursor = dict(inner.autoname_cursor)


class _Running(threading.local):
    """The modules whose methods are running in this thread, and who watches them.

    Attributes:
        modules: the modules, the innermost last; `None` stands below them.
        captures: for each `apply` that is running, which results to keep as intermediates.
        interceptors: functions around every method, the outermost first.
        named_calls: what `override_named_call` has chosen; `None` means the configuration.
    """

    def __init__(self) -> None:
        self.modules: list[Any] = [None]
        self.captures: list[Callable[[Any, str], bool] | bool | None] = []
        self.interceptors: list[Callable[..., Any]] = []
        self.named_calls: bool | None = None


running = _Running()
