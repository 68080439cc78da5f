"""Where files are: this machine's file system, or another one by its scheme (`gs://`, `s3://`, `memory://`) through fsspec.

Writing is whole or not at all: a file appears under its name only when all of it, and the fact that it is there, would
outlive a loss of power. A process that is killed leaves at most a file whose name begins with `.tmp-`, which nothing reads
and the next writer of the folder removes.
"""
from __future__ import annotations

import glob as local_glob
import os
import re
import shutil
import socket
from collections.abc import Iterable
from itertools import count
from typing import IO, Any, Protocol

from perspicax.diagnose.optional import MissingPackageError, optional
from perspicax.flax.file_errors import AlreadyExistsError, StorageSchemeError

__all__ = ["LOCAL", "Storage", "is_temporary", "join", "scheme_of", "storage_of", "temporary_name"]

_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]+)://")
_TEMPORARY = ".tmp-"
_numbers = count()


def join(folder: str, name: str) -> str:
    """The path of a file in a folder, in the folder's own manner."""
    if not scheme_of(folder):
        return os.path.join(folder, name)
    inner = folder.rstrip("/")
    return f"{folder if inner.endswith(':') else inner + '/'}{name}"  # the top keeps its slashes: `memory://`


def temporary_name(name: str) -> str:
    """A name for what shall once be `name`, that says whose it is: of this machine and this process."""
    host = re.sub(r"[^A-Za-z0-9]", "_", socket.gethostname()) or "host"
    return f"{_TEMPORARY}{host}-{os.getpid()}-{next(_numbers)}-{name}"


def is_temporary(name: str) -> bool:
    """Whether a file's name is one that `temporary_name` makes."""
    return name.startswith(_TEMPORARY)


def _writer_is_gone(name: str) -> bool:
    """Whether the process that made a temporary file ran on this machine and has ended."""
    host = re.sub(r"[^A-Za-z0-9]", "_", socket.gethostname()) or "host"
    found = re.match(re.escape(_TEMPORARY) + r"(.*?)-(\d+)-\d+-", name)
    if found is None or found[1] != host or int(found[2]) == os.getpid():
        return False
    try:
        os.kill(int(found[2]), 0)
    except ProcessLookupError:
        return True
    except PermissionError:
        return False  # it is there, and somebody else's
    return False


class Storage(Protocol):
    """What reading and writing needs of a file system. Paths are as the user wrote them."""

    def open(self, path: str, mode: str) -> IO[Any]: ...
    def exists(self, path: str) -> bool: ...
    def isdir(self, path: str) -> bool: ...
    def listdir(self, path: str) -> list[str]: ...
    def glob(self, pattern: str) -> list[str]: ...
    def getsize(self, path: str) -> int: ...
    def makedirs(self, path: str) -> None: ...
    def copy(self, src: str, dst: str, overwrite: bool) -> None: ...
    def rename(self, src: str, dst: str, overwrite: bool) -> None: ...
    def remove(self, path: str) -> None: ...
    def rmtree(self, path: str) -> None: ...
    def write(self, path: str, pieces: Iterable[Any]) -> None:
        """Make or replace a file by one that is whole, and will stay."""
    def sweep(self, folder: str, prefix: str) -> None:
        """Remove what writers of `prefix...` left that were killed."""


class _Local:
    """The file system of this machine."""

    def open(self, path: str, mode: str) -> IO[Any]:
        return open(path, mode)

    def exists(self, path: str) -> bool:
        return os.path.exists(path)

    def isdir(self, path: str) -> bool:
        return os.path.isdir(path)

    def listdir(self, path: str) -> list[str]:
        return os.listdir(path)

    def glob(self, pattern: str) -> list[str]:
        return local_glob.glob(pattern)

    def getsize(self, path: str) -> int:
        return os.path.getsize(path)

    def makedirs(self, path: str) -> None:
        missing = []
        above = os.path.abspath(path)
        while not os.path.isdir(above) and os.path.dirname(above) != above:
            missing.append(above)
            above = os.path.dirname(above)
        os.makedirs(path, exist_ok=True)
        for made in missing:
            _flush_folder(os.path.dirname(made))

    def copy(self, src: str, dst: str, overwrite: bool) -> None:
        if os.path.exists(dst) and not overwrite:
            raise AlreadyExistsError(dst)
        shutil.copy(src, dst)

    def rename(self, src: str, dst: str, overwrite: bool) -> None:
        if os.path.exists(dst) and not overwrite:
            raise AlreadyExistsError(dst)
        os.replace(src, dst)

    def remove(self, path: str) -> None:
        os.remove(path)

    def rmtree(self, path: str) -> None:
        shutil.rmtree(path)

    def write(self, path: str, pieces: Iterable[Any]) -> None:
        folder, name = os.path.split(path)
        temporary = os.path.join(folder, temporary_name(name))
        try:
            with open(temporary, "wb", buffering=0) as file:
                for piece in pieces:
                    rest = memoryview(piece)
                    while rest:  # the system may take less than it is given, at most 2 GB
                        rest = rest[file.write(rest):]
                os.fsync(file.fileno())
            if os.path.isdir(path):  # a folder of Orbax's; a file cannot take its place in one step
                aside = os.path.join(folder, temporary_name(name))
                os.replace(path, aside)
                os.replace(temporary, path)
                shutil.rmtree(aside)
            else:
                os.replace(temporary, path)
        except BaseException:
            if os.path.exists(temporary):
                os.remove(temporary)
            raise
        _flush_folder(folder)

    def sweep(self, folder: str, prefix: str) -> None:
        for name in os.listdir(folder):
            if is_temporary(name) and name.split("-", 4)[-1].startswith(prefix) and _writer_is_gone(name):
                path = os.path.join(folder, name)
                try:
                    (shutil.rmtree if os.path.isdir(path) else os.remove)(path)
                except FileNotFoundError:
                    continue  # another writer of this folder sweeps, too


def _flush_folder(folder: str) -> None:
    """Let a folder's entries outlive a loss of power, where the system can promise it."""
    if os.name != "posix":
        return  # Windows opens no folders
    descriptor = os.open(folder or ".", os.O_RDONLY)
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno not in (22, 95):  # EINVAL, ENOTSUP: a file system that has no such promise to give
            raise
    finally:
        os.close(descriptor)


class _Remote:
    """A file system of fsspec."""

    def __init__(self, scheme: str) -> None:
        paths = f"paths that begin with `{scheme}://`"
        fsspec = optional("fsspec", extra="remote", needed_for=paths)
        known = fsspec.available_protocols()
        if scheme not in known:
            raise StorageSchemeError(scheme=scheme, known=tuple(sorted(known)))
        try:
            self.system: Any = fsspec.filesystem(scheme)
        except ImportError as error:  # its words name a package; its cause knows the module that was not found
            package = getattr(error.__cause__, "name", None) or error.name
            if package is None:
                raise
            raise MissingPackageError(package=package, extra="", needed_for=paths) from None
        self.scheme = scheme

    def _inner(self, path: str) -> str:
        return self.system._strip_protocol(path)

    def _outer(self, path: str) -> str:
        return path if _SCHEME.match(path) else f"{self.scheme}://{path.lstrip('/')}"

    def open(self, path: str, mode: str) -> IO[Any]:
        return self.system.open(path, mode)

    def exists(self, path: str) -> bool:
        self.system.invalidate_cache()  # others write there, too
        return bool(self.system.exists(path))

    def isdir(self, path: str) -> bool:
        self.system.invalidate_cache()
        return bool(self.system.isdir(path))

    def listdir(self, path: str) -> list[str]:
        self.system.invalidate_cache()
        return [entry.rstrip("/").rpartition("/")[2] for entry in self.system.ls(path, detail=False)]

    def glob(self, pattern: str) -> list[str]:
        self.system.invalidate_cache()
        return [self._outer(path) for path in self.system.glob(pattern)]

    def getsize(self, path: str) -> int:
        return int(self.system.size(path))

    def makedirs(self, path: str) -> None:
        self.system.makedirs(path, exist_ok=True)

    def copy(self, src: str, dst: str, overwrite: bool) -> None:
        if self.exists(dst) and not overwrite:
            raise AlreadyExistsError(dst)
        self.system.copy(src, dst)

    def rename(self, src: str, dst: str, overwrite: bool) -> None:
        if self.exists(dst) and not overwrite:
            raise AlreadyExistsError(dst)
        self.system.mv(src, dst)

    def remove(self, path: str) -> None:
        self.system.rm_file(self._inner(path))

    def rmtree(self, path: str) -> None:
        self.system.rm(path, recursive=True)

    def write(self, path: str, pieces: Iterable[Any]) -> None:
        folder, _, name = path.rpartition("/")
        temporary = f"{folder}/{temporary_name(name)}"
        with self.system.open(temporary, "wb") as file:
            for piece in pieces:
                file.write(piece)
        if self.isdir(path):
            self.rmtree(path)
        self.system.mv(temporary, path)

    def sweep(self, folder: str, prefix: str) -> None:
        for name in self.listdir(folder):
            if is_temporary(name) and name.split("-", 4)[-1].startswith(prefix) and _writer_is_gone(name):
                try:
                    self.remove(join(folder, name))
                except FileNotFoundError:
                    continue


LOCAL = _Local()


def scheme_of(path: str) -> str:
    """The scheme of a path, `gs`; empty for this machine's."""
    found = _SCHEME.match(path)
    return "" if found is None or found[1] == "file" else found[1]


def storage_of(path: str) -> Storage:
    """The storage that a path is on.

    Raises:
        MissingPackageError: it is another one than this machine's, and fsspec (or its part for it) is not installed.
        StorageSchemeError: fsspec knows no such storage.
    """
    scheme = scheme_of(path)
    return _Remote(scheme) if scheme else LOCAL
