"""Errors of files and checkpoints."""
from __future__ import annotations

from typing import Any

from perspicax.diagnose.errors import PerspicaxError, ReportedError
from perspicax.diagnose.report import Fix, Report
from perspicax.flax.error_base import FlaxError, near_fixes

__all__ = [
    "AlreadyExistsError", "BackendModeError", "CheckpointNotFoundError", "CheckpointOptionError", "InvalidCheckpointError",
    "MPACheckpointingRequiredError", "MPARestoreDataCorruptedError", "MPARestoreTargetRequiredError",
    "StorageSchemeError",
]


class BackendModeError(PerspicaxError, ValueError, TypeError):
    """`flax.io` was asked to work in a mode that there is not, or between two storages.

    Attributes:
        mode: the mode; or the two paths.
    """

    mode: Any

    @property
    def report(self) -> Report:
        if isinstance(self.mode, tuple):
            return Report(says=f"{self.mode[0]!r} and {self.mode[1]!r} are on two different storages.",
                          why="a storage copies and renames its own files alone",
                          fixes=(Fix("read one and write the other",
                                     code="with GFile(source, 'rb') as a, GFile(destination, 'wb') as b:\n"
                                          "    b.write(a.read())"),))
        return Report(says=f"{self.mode!r} is no mode of `flax.io`.",
                      why="the modes are `BackendMode.DEFAULT` (Python and fsspec) and `BackendMode.TF` (TensorFlow)",
                      fixes=(Fix(code="set_mode(BackendMode.DEFAULT)"),))


class CheckpointNotFoundError(PerspicaxError, ValueError):
    """The checkpoint of a certain step was to be restored, and is not there.

    Attributes:
        path: where it would be.
        step: the step.
        there: the steps that are there.
    """

    path: str
    step: Any
    there: tuple[Any, ...] = ()

    @property
    def report(self) -> Report:
        found = ", ".join(map(str, self.there[-12:]))
        return Report(says=f"There is no checkpoint of step {self.step}: {self.path!r} is not there.",
                      why=f"the steps in the folder are {found}" if found else "the folder has no checkpoint with this prefix",
                      fixes=(Fix(f"restore step {self.there[-1]}, which is the latest",
                                 code="restore_checkpoint(folder, target)"),) if found else ())


class CheckpointOptionError(ReportedError, ValueError, TypeError):
    """A checkpoint was to be saved or restored in a way that there is not."""


class StorageSchemeError(PerspicaxError, ValueError):
    """A path begins with the scheme of a storage that there is not.

    Attributes:
        scheme: what stands before `://`.
        known: the schemes that there are.
    """

    scheme: str
    known: tuple[str, ...]

    @property
    def report(self) -> Report:
        return Report(says=f"`{self.scheme}://` is no storage that is known here.",
                      why=f"paths with a scheme are opened by fsspec, which knows {', '.join(self.known)}",
                      fixes=(*near_fixes(self.scheme, self.known),
                             Fix("let fsspec know a storage of your own",
                                 code=f"fsspec.register_implementation({self.scheme!r}, MyFileSystem)")))


class AlreadyExistsError(FlaxError):
    """A file was to be written where there is one.

    Attributes:
        path: the file.
    """

    path: Any

    def __init__(self, path: Any, **facts: Any) -> None:
        super().__init__(path=path, **facts)

    @property
    def report(self) -> Report:
        return Report(says=f"There is a file already at {str(self.path)!r}.",
                      why="a copy does not replace what is there unless it is told to",
                      fixes=(Fix("replace it", code="copy(source, destination, overwrite=True)"),
                             Fix("write to another path")))


class InvalidCheckpointError(FlaxError):
    """A checkpoint was to be saved in a folder that has one of the same or a later step.

    Attributes:
        path: the checkpoint that is there, or was to be written.
        step: the step of the one that was to be written.
        latest: the latest one that is there, where it is known.
    """

    path: Any
    step: Any
    latest: Any = None

    def __init__(self, path: Any, step: Any, **facts: Any) -> None:
        super().__init__(path=path, step=step, **facts)

    @property
    def report(self) -> Report:
        there = str(self.latest or self.path)
        same = there == str(self.path)
        return Report(
            says=f"The checkpoint of step {self.step} cannot be saved: {there!r} is there, of "
                 f"{'the same' if same else 'a later'} step.",
            why="the latest checkpoint is the one with the highest step, so an older step beside it would never be restored",
            fixes=(Fix("remove those that are as late, and write",
                       code=f"save_checkpoint(..., step={self.step}, overwrite=True)"),
                   Fix("save into another folder")))


class MPACheckpointingRequiredError(FlaxError):
    """A checkpoint holds arrays of several processes, and nothing was given that saves or restores those.

    Attributes:
        path: the checkpoint.
        step: its step.
    """

    path: Any
    step: Any

    def __init__(self, path: Any, step: Any, **facts: Any) -> None:
        super().__init__(path=path, step=step, **facts)

    @property
    def report(self) -> Report:
        return Report(
            says=f"The checkpoint of step {self.step} at {str(self.path)!r} holds arrays of several processes, and "
                 "`gda_manager` is missing.",
            why="no process has the whole of such an array: a manager lets each write and read its own part",
            fixes=(Fix(code="save_checkpoint_multiprocess(..., gda_manager=GlobalAsyncCheckpointManager())"),))


class MPARestoreTargetRequiredError(FlaxError):
    """Arrays of several processes were to be restored without a target that says how they are spread.

    Attributes:
        path: the checkpoint.
        step: its step.
        key: the array, where it is known.
    """

    path: Any
    step: Any
    key: Any = None

    def __init__(self, path: Any, step: Any, key: Any = None, **facts: Any) -> None:
        super().__init__(path=path, step=step, key=key, **facts)

    @property
    def report(self) -> Report:
        which = f"the array {str(self.key)!r}" if self.key else "an array of several processes"
        return Report(
            says=f"The checkpoint of step {self.step} at {str(self.path)!r} has {which}, for which the target has no array.",
            why="how an array is spread over devices comes from the array at its place in `target`",
            fixes=(Fix("pass a target with arrays of several processes at these places",
                       code="restore_checkpoint(path, target=state)"),
                   Fix("restore the others alone", code="restore_checkpoint(..., allow_partial_mpa_restoration=True)")))


class MPARestoreDataCorruptedError(FlaxError):
    """A checkpoint of several processes has no sign that it was saved completely.

    Attributes:
        step: its step.
        path: the checkpoint.
    """

    step: Any
    path: Any

    def __init__(self, step: Any, path: Any, **facts: Any) -> None:
        super().__init__(step=step, path=path, **facts)

    @property
    def report(self) -> Report:
        return Report(
            says=f"The arrays of step {self.step} at {str(self.path)!r} were not saved completely: there is no "
                 "`commit_success.txt`.",
            why="that file is written last, when every process has written its part",
            fixes=(Fix("restore an earlier step", code=f"restore_checkpoint(path, target=state, step={_before(self.step)})"),))


def _before(step: Any) -> str:
    return str(step - 1) if isinstance(step, int) and step > 0 else "..."
