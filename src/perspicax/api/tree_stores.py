"""Saved trees on remote storage, or whatever else tensorstore has an address for (`gs://`, `s3://`, `memory://`).

Nothing can be renamed there. The description is removed first, and written last: while it is not there, there is no saved tree.
"""
from __future__ import annotations

import os
import re
from typing import Any

from perspicax.api.array_file_errors import ArrayFileError, NoSavedTreeError, SaveFolderError
from perspicax.api.array_files import first_words, tensorstore, tensorstore_context

__all__ = ["StoreFolder", "address_of"]

ANSWER_SECONDS = 120.0
"""How long a storage may take to tell what it holds, or a description of a tree; arrays may take as long as they want."""
_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*)://")


def address_of(directory: str | os.PathLike[str]) -> str | None:
    """The address that a folder is given by, if it is no path of the file system."""
    text = os.fspath(directory)
    found = _SCHEME.match(text) if isinstance(text, str) else None
    return None if found is None or found[1] == "file" else text


class StoreFolder:
    """A folder at an address of tensorstore's.

    Attributes:
        path: the address, without a slash at its end.

    Raises:
        ArrayFileError: tensorstore knows no such address.
        MissingPackageError: tensorstore is not installed.
    """

    __slots__ = ("_store", "path")

    def __init__(self, address: str) -> None:
        self.path = address.rstrip("/")
        try:
            self._store: dict[str, Any] = tensorstore().KvStore.Spec(f"{self.path}/").to_json()
        except ValueError as error:
            raise ArrayFileError(kind="remote", path=address, detail=first_words(error)) from error

    def __str__(self) -> str:
        return self.path

    def base(self, inner: str) -> dict[str, Any]:
        """Where a folder within it is, as tensorstore wants to be told."""
        return {**self._store, "path": f"{self._store.get('path', '')}{inner}/"}

    def lies_in(self, store: dict[str, Any]) -> bool:
        """Whether a key-value store is within this folder."""
        rest = {key: value for key, value in store.items() if key != "path"}
        return rest == {key: value for key, value in self._store.items() if key != "path"} and \
            str(store.get("path", "")).startswith(str(self._store.get("path", "")))

    def context(self) -> Any:
        """Limits, connections and `memory://` as everywhere; nothing is remembered of what has been replaced since."""
        return tensorstore().Context({"cache_pool": {}}, tensorstore_context())

    def prepare(self, overwrite: bool, ours: set[str], description: str) -> None:
        """Empty it, once it is sure that a save may take its place; the description goes first.

        Raises:
            SaveFolderError: something else is there, or anything, and `overwrite` is false.
        """
        store = self._open()
        names = {key.decode(errors="replace").partition("/")[0] for key in self._tried("write", store.list(), ANSWER_SECONDS)}
        if names and not overwrite:
            raise SaveFolderError(path=self.path, kind="exists")
        if names - ours:
            raise SaveFolderError(path=self.path, kind="foreign", found=tuple(sorted(names - ours)))
        self._tried("write", store.write(description, None))
        self._tried("write", store.delete_range(tensorstore().KvStore.KeyRange()))

    def holds(self, inner: str, name: str) -> bool:
        """Whether there is a file in a folder within it."""
        return bool(self._tried("write", self._open().read(f"{inner}/{name}"), ANSWER_SECONDS).state == "value")

    def write(self, name: str, data: bytes) -> None:
        """Make a file in it."""
        self._tried("write", self._open().write(name, data))

    def read(self, name: str) -> bytes:
        """A file in it.

        Raises:
            NoSavedTreeError: there is none of this name.
        """
        found = self._tried("read", self._open().read(name), ANSWER_SECONDS)
        if found.state != "value":
            raise NoSavedTreeError(path=self.path, kind="description")
        return bytes(found.value)

    def _open(self) -> Any:
        try:
            return tensorstore().KvStore.open(self._store, context=self.context()).result()
        except (ValueError, OSError) as error:
            raise ArrayFileError(kind="remote", path=self.path, detail=first_words(error)) from error

    def _tried(self, kind: str, future: Any, seconds: float | None = None) -> Any:
        try:
            return future.result(timeout=seconds)
        except TimeoutError as error:
            raise ArrayFileError(kind="no answer", path=self.path, detail=f"{seconds:g} s") from error
        except (ValueError, OSError) as error:
            raise ArrayFileError(kind=f"folder {kind}", path=self.path, detail=first_words(error)) from error
