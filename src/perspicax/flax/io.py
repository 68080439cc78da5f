"""Files by paths of any kind: `flax.io`."""
from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from enum import Enum
from typing import IO, Any

from perspicax.diagnose import public
from perspicax.diagnose.optional import optional
from perspicax.flax.file_errors import BackendModeError
from perspicax.flax.storage import scheme_of, storage_of

__all__ = [
    "BackendMode", "GFile", "copy", "exists", "getsize", "gfile", "glob", "io_mode", "isdir", "listdir", "makedirs",
    "override_mode", "remove", "rename", "rmtree", "set_mode",
]


class BackendMode(Enum):
    """What serves the functions of this module.

    `DEFAULT`: Python for paths of this machine, fsspec for others. `TF`: `tensorflow.io.gfile`.
    """

    DEFAULT = 0
    TF = 1


io_mode: BackendMode = BackendMode.DEFAULT
gfile: Any = None
"""`tensorflow.io.gfile`, once the mode was set to `TF`."""


def _text(path: str | os.PathLike[str]) -> str:
    return os.fspath(path)


@public
def set_mode(override: BackendMode) -> None:
    """Set the mode for all that follows.

    Raises:
        BackendModeError: it is no `BackendMode`.
        MissingPackageError: it is `TF`, and TensorFlow is not installed.

    Differs: Flax 0.12.8 accepts anything here and fails at the next use.
    """
    global io_mode, gfile
    if not isinstance(override, BackendMode):
        raise BackendModeError(mode=override)
    if override is BackendMode.TF and gfile is None:
        gfile = optional("tensorflow.io.gfile", extra="tensorflow", needed_for="`BackendMode.TF` of `flax.io`")
    io_mode = override


@contextmanager
def override_mode(override: BackendMode) -> Iterator[None]:
    """Another mode, inside of a `with` block."""
    before = io_mode
    set_mode(override)
    try:
        yield
    finally:
        set_mode(before)


class _TensorFlow:
    """`tensorflow.io.gfile`, with the names that storages have here."""

    def open(self, path: str, mode: str) -> IO[Any]:
        return gfile.GFile(path, mode)

    def getsize(self, path: str) -> int:
        return int(gfile.stat(path).length)

    def copy(self, src: str, dst: str, overwrite: bool) -> None:
        gfile.copy(src, dst, overwrite=overwrite)

    def rename(self, src: str, dst: str, overwrite: bool) -> None:
        gfile.rename(src, dst, overwrite=overwrite)

    def __getattr__(self, name: str) -> Any:
        return getattr(gfile, name)  # the others have the same names and arguments there


def _at(path: str) -> Any:
    return _TensorFlow() if io_mode is BackendMode.TF else storage_of(path)


@public
def GFile(name: str | os.PathLike[str], mode: str = "r") -> IO[Any]:
    """Open a file, as `open` does.

    Args:
        name: its path; `gs://`, `s3://` and others through fsspec.
        mode: as for `open`.
    """
    return _at(_text(name)).open(_text(name), mode)


@public
def exists(path: str | os.PathLike[str]) -> bool:
    """Whether there is a file or folder."""
    return _at(_text(path)).exists(_text(path))


@public
def isdir(path: str | os.PathLike[str]) -> bool:
    """Whether there is a folder."""
    return _at(_text(path)).isdir(_text(path))


@public
def listdir(path: str | os.PathLike[str]) -> list[str]:
    """The names in a folder, in no order.

    Raises:
        FileNotFoundError: there is no such folder.
    """
    return _at(_text(path)).listdir(_text(path))


@public
def glob(pattern: str | os.PathLike[str]) -> list[str]:
    """The paths that match a pattern with `*`, `?` and `[...]`, in no order."""
    return _at(_text(pattern)).glob(_text(pattern))


@public
def getsize(path: str | os.PathLike[str]) -> int:
    """How many bytes a file has.

    Raises:
        FileNotFoundError: there is no such file.
    """
    return _at(_text(path)).getsize(_text(path))


@public
def makedirs(path: str | os.PathLike[str]) -> None:
    """Make a folder and those above it, where they are missing."""
    _at(_text(path)).makedirs(_text(path))


def _with_both(src: str | os.PathLike[str], dst: str | os.PathLike[str]) -> Any:
    """The system that has both files."""
    if io_mode is BackendMode.DEFAULT and scheme_of(_text(src)) != scheme_of(_text(dst)):
        raise BackendModeError(mode=(_text(src), _text(dst)))
    return _at(_text(src))


@public
def copy(src: str | os.PathLike[str], dst: str | os.PathLike[str], overwrite: bool = False) -> None:
    """Copy a file.

    Raises:
        AlreadyExistsError: `dst` is there, and `overwrite` is false.
        FileNotFoundError: there is no `src`.
    """
    _with_both(src, dst).copy(_text(src), _text(dst), overwrite)


@public
def rename(src: str | os.PathLike[str], dst: str | os.PathLike[str], overwrite: bool = False) -> None:
    """Give a file or folder another name; on this machine in one step.

    Raises:
        AlreadyExistsError: `dst` is there, and `overwrite` is false.
        FileNotFoundError: there is no `src`.
    """
    _with_both(src, dst).rename(_text(src), _text(dst), overwrite)


@public
def remove(path: str | os.PathLike[str]) -> None:
    """Remove a file.

    Raises:
        FileNotFoundError: there is none.
        OSError: it is a folder.
    """
    _at(_text(path)).remove(_text(path))


@public
def rmtree(path: str | os.PathLike[str]) -> None:
    """Remove a folder and all in it.

    Raises:
        FileNotFoundError: there is none.
        OSError: it is a file.
    """
    _at(_text(path)).rmtree(_text(path))
