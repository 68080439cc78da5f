"""Trees of arrays in folders: `jax.experimental.array_serialization.pytree_serialization`.

    pytreedef.json    which arrays there are, and how they belong together
    array_store/      one database (tensorstore's OCDBT) of all arrays, each in zarr's format under its number

A save is made in a folder beside, `NAME.saving`; complete, it takes the place of what was there, which waits for that as
`NAME.replaced`. So a process that is killed at any moment leaves a complete save, which `load` finds.
"""
from __future__ import annotations

import asyncio
import itertools
import os
import threading
from collections.abc import Callable, Generator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np

from perspicax.api.array_file_errors import ArrayFileError, NoSavedTreeError, SaveFolderError
from perspicax.api.array_file_manager import AsyncManager, fault_of
from perspicax.api.array_files import (
    first_words,
    get_tensorstore_spec,
    new_context,
    parts_of,
    path_of,
    read_arrays,
    start_open,
    tensorstore,
)
from perspicax.api.tree_file_format import read_description, write_description
from perspicax.api.tree_stores import StoreFolder, address_of
from perspicax.api.wrapping import public
from perspicax.core import dtypes, tree
from perspicax.core.tree_paths import keystr
from perspicax.core.tree_prefix import flatten_axes
from perspicax.diagnose.boundary import public_methods
from perspicax.transform.ahead import ShapeDtypeStruct
from perspicax.xla import client
from perspicax.xla.array import ArrayImpl

__all__ = ["PyTreeFuture", "load", "load_pytreedef", "nonblocking_load", "nonblocking_save", "save"]

STORE, DESCRIPTION = "array_store", "pytreedef.json"
_OURS = {STORE, DESCRIPTION, "archive.zip"}  # the last one JAX may make
_AT_ONCE_GB = 32
_SAVED = "load_pytreedef(directory)"  # what reports call the tree that is read

_numbers = itertools.count()
_worker = ThreadPoolExecutor(1, thread_name_prefix="tree-files")  # one thread: all processes save in the same order
_saving = threading.Lock()


@public_methods("result")
class PyTreeFuture(Future):
    """What comes of a save or load that goes on in the background; it can be awaited, too.

    Attributes:
        pytree: the types of the arrays, as a tree.
    """

    def __init__(self, pytree: Any) -> None:
        super().__init__()
        self.pytree = pytree
        self.set_running_or_notify_cancel()  # what has begun cannot be cancelled

    def result(self, timeout: float | None = None) -> Any:  # here for its traceback, which is the user's alone
        """Wait for the end.

        Args:
            timeout: the most seconds to wait; by default without limit.

        Raises:
            TimeoutError: it has not ended by then.
        """
        return super().result(timeout)

    def __await__(self) -> Generator[Any, None, Any]:
        return asyncio.wrap_future(self).__await__()

    def __repr__(self) -> str:
        return f"PyTreeFuture(done={self.done()}, pytree={self.pytree})"

    def _settle(self, call: Callable[[], Any]) -> None:
        try:
            found = call()
        except BaseException as error:
            self.set_exception(error)
        else:
            self.set_result(found)


def _is_none(x: Any) -> bool:
    return x is None


def _is_spec(x: Any) -> bool:
    return x is None or (isinstance(x, dict) and ("driver" in x or "kvstore" in x)) or hasattr(x, "to_json")


@dataclass(frozen=True)
class _Given:
    """A specification as a leaf, whatever it consists of."""

    spec: Any


def _specs_for(structure: Any, ts_specs: Any, name: str) -> list[Any]:
    given = tree.tree_map(_Given, ts_specs, is_leaf=_is_spec)
    return [found.spec for found in flatten_axes("ts_specs", structure, given, full_name=name)]


def _type_of(x: Any) -> Any:
    return ShapeDtypeStruct(x.shape, x.dtype) if isinstance(x, ArrayImpl) else x


def _folder(directory: str | os.PathLike[str]) -> str | StoreFolder:
    address = address_of(directory)
    if address is not None:
        return StoreFolder(address)
    text = os.fspath(directory)
    return os.path.realpath(text.removeprefix("file://") if isinstance(text, str) else text)


# -- saving

@dataclass(frozen=True)
class _Save:
    """What a save writes; the parts stay as they are, whatever becomes of the arrays."""

    path: str | StoreFolder
    overwrite: bool
    description: bytes
    arrays: tuple[tuple[int, ArrayImpl, Any], ...]  # number of the leaf, array, specification
    parts: tuple[list[tuple[Any, np.ndarray]], ...]
    together: AsyncManager | None
    number: int

    def run(self) -> None:
        """Write all, together with the other processes."""
        with _saving:
            made: Any = self.path if isinstance(self.path, StoreFolder) else f"{self.path}.saving"
            first = client.process_index() == 0
            self._step("begin", lambda: _prepare(self.path, made, self.overwrite) if first else None)
            context = _context_for(made)
            self._step("arrays", lambda: self._write(made, context))
            self._step("end", lambda: self._complete(made, context) if first else None)

    def _step(self, name: str, call: Callable[[], Any]) -> None:
        """Do something, and wait until all processes have done their part of it."""
        if self.together is None:
            call()
        else:
            self.together.meet(f"a tree is saved ({self.number}): {name}", fault_of(call))

    def _write(self, made: Any, context: Any) -> None:
        own = None if self.together is None else client.process_index()
        specs = [_spec_of(made, name, said, own, x) for i, x, given in self.arrays
                 for name, said in (_place_of(str(i), given, self.path),)]
        opening = [_tried(lambda: start_open(x, spec, context=context), spec) for (_, x, _), spec in zip(self.arrays, specs)]
        writes = []
        for spec, found, parts in zip(specs, opening, self.parts):
            opened = _tried(found.result, spec)
            writes += [(opened[index].write(part.astype(opened.dtype.numpy_dtype, copy=False)).commit, spec)
                       for index, part in parts]
        for write, spec in writes:
            _tried(write.result, spec)

    def _complete(self, made: Any, context: Any) -> None:
        if self.together is not None and self.arrays:
            parts = [f"{STORE}/process_{i}" for i in range(client.process_count())]
            _join(made, [part for part in parts if _holds_database(made, part)], context)
        if isinstance(self.path, StoreFolder):
            self.path.write(DESCRIPTION, self.description)
            return
        with open(f"{made}/{DESCRIPTION}", "wb") as file:
            file.write(self.description)
        if os.path.isdir(self.path):
            if os.listdir(self.path):
                os.rename(self.path, f"{self.path}.replaced")
            else:
                os.rmdir(self.path)
        os.rename(made, self.path)
        _remove(f"{self.path}.replaced")


def _tried(call: Callable[[], Any], spec: Any) -> Any:
    """What tensorstore gives."""
    try:
        return call()
    except (ValueError, OSError) as error:
        raise ArrayFileError(kind="write", path=path_of(spec), detail=first_words(error)) from error


def _said(given: Any) -> dict[str, Any]:
    return {} if given is None else given if isinstance(given, dict) else given.to_json()


def _place_of(name: str, given: Any, path: str | StoreFolder) -> tuple[str, dict[str, Any]]:
    """An array's name in the database, and the rest of what is said of it.

    Args:
        name: by default.
        given: a specification, or `None`. Its `kvstore` may lead to the database; the save is made beside it, first.
        path: the folder of the save.
    """
    said = _said(given)
    if "kvstore" not in said:
        return name, said
    store = tensorstore().KvStore.Spec(said["kvstore"]).to_json()
    if isinstance(path, StoreFolder):
        inner = store.get("base", store)
        if store["driver"] == "ocdbt" and inner == path.base(STORE):
            return store.get("path", name), {key: value for key, value in said.items() if key != "kvstore"}
        if path.lies_in(inner):
            raise ArrayFileError(kind="write", path=path_of({"kvstore": store}),
                                 detail="it would lie within the folder that the save replaces")
        return name, said
    where = os.path.realpath(path_of({"kvstore": store.get("base", store)}))
    if store["driver"] == "ocdbt" and where == f"{path}/{STORE}":
        return store.get("path", name), {key: value for key, value in said.items() if key != "kvstore"}
    if f"{where}/".startswith(f"{path}/"):
        raise ArrayFileError(kind="write", path=where, detail="it would lie within the folder that the save replaces")
    return name, said


def _spec_of(folder: str | StoreFolder, name: str, given: Any, process: int | None = None, array: Any = None) -> dict[str, Any]:
    """The specification of an array in the database of a saved tree, with what the user says of it."""
    said = _said(given)
    found = get_tensorstore_spec(f"/{STORE}/{name}", ocdbt=True, arr=array, driver=said.get("driver", "zarr3"))
    inner = STORE if process is None else f"{STORE}/process_{process}"
    found["kvstore"]["base"] = _base(folder, inner)
    return _merged(found, said)


def _base(folder: str | StoreFolder, inner: str) -> dict[str, Any]:
    return folder.base(inner) if isinstance(folder, StoreFolder) else {"driver": "file", "path": f"{folder}/{inner}/"}


def _context_for(folder: str | StoreFolder) -> Any:
    return folder.context() if isinstance(folder, StoreFolder) else new_context()


def _merged(found: dict[str, Any], said: dict[str, Any]) -> dict[str, Any]:
    both = [key for key in said if isinstance(said[key], dict) and isinstance(found.get(key), dict) and key != "kvstore"]
    return {**found, **said, **{key: _merged(found[key], said[key]) for key in both}}


def _database(folder: str | StoreFolder, inner: str, context: Any) -> Any:
    return tensorstore().KvStore.open({"driver": "ocdbt", "base": _base(folder, inner)}, context=context).result()


def _holds_database(folder: str | StoreFolder, inner: str) -> bool:
    if isinstance(folder, StoreFolder):
        return folder.holds(inner, "manifest.ocdbt")
    return os.path.isdir(f"{folder}/{inner}")


def _join(folder: str | StoreFolder, parts: list[str], context: Any) -> None:
    """Make the databases of all processes one, which refers to their files: nothing is copied."""
    transaction = tensorstore().Transaction()
    whole = _database(folder, STORE, context).with_transaction(transaction)
    for part in parts:
        _database(folder, part, context).experimental_copy_range_to(whole).result()
    transaction.commit_async().result()


def _prepare(path: str | StoreFolder, made: str, overwrite: bool) -> None:
    """Make an empty folder to save in, once it is sure that the save may take its place."""
    if isinstance(path, StoreFolder):
        path.prepare(overwrite, _OURS, DESCRIPTION)
        return
    replaced = f"{path}.replaced"
    if os.path.isdir(replaced) and not os.path.exists(path):
        os.rename(replaced, path)  # a process was killed between the two
    if not os.path.isdir(os.path.dirname(path)):
        raise NoSavedTreeError(path=path, kind="parent")
    if os.path.exists(path):
        if not os.path.isdir(path):
            raise SaveFolderError(path=path, kind="file")
        if not overwrite and os.listdir(path):
            raise SaveFolderError(path=path, kind="exists")
        _check_ours(path)
    _remove(replaced)
    _remove(made)
    os.mkdir(made)


def _check_ours(path: str) -> None:
    foreign = tuple(sorted(set(os.listdir(path)) - _OURS))
    if foreign:
        raise SaveFolderError(path=path, kind="foreign", found=foreign)


def _remove(path: str) -> None:
    """Take a saved tree away, and nothing else."""
    if not os.path.isdir(path):
        return
    _check_ours(path)
    import shutil  # for the one who removes something

    for name in os.listdir(path):
        inner = f"{path}/{name}"
        shutil.rmtree(inner) if os.path.isdir(inner) and not os.path.islink(inner) else os.remove(inner)
    os.rmdir(path)


def _planned(data: Any, directory: str | os.PathLike[str], overwrite: bool, ts_specs: Any) -> _Save:
    tensorstore()  # it tells at once that it is not installed
    together, number = AsyncManager() if client.process_count() > 1 else None, next(_numbers)
    leaves, structure = tree.tree_flatten(data, is_leaf=_is_none)
    _check_leaves(data)
    specs = _specs_for(structure, ts_specs, "data")
    arrays = tuple([(i, x, spec) for i, (x, spec) in enumerate(zip(leaves, specs)) if x is not None])
    return _Save(_folder(directory), overwrite, write_description(structure, leaves), arrays,
                 tuple([parts_of(x) for _, x, _ in arrays]), together, number)


def _check_leaves(data: Any) -> None:
    wrong = [(keystr(path), type(x).__name__) for path, x in tree.tree_flatten_with_path(data, is_leaf=_is_none)[0]
             if x is not None and not isinstance(x, ArrayImpl)]
    if wrong:
        raise ArrayFileError(kind="leaves", path="", leaves=tuple(wrong))


@public
def save(data: Any, directory: str | os.PathLike[str], *, overwrite: bool = True, ts_specs: Any = None) -> None:
    """Save a tree of arrays in a folder.

    Args:
        data: a pytree of arrays and `None`. Its classes are those known to `jax.export`, and those registered there by
            `register_pytree_node_serialization` or `register_namedtuple_serialization`.
        directory: the folder; it is made, or what was saved there before is replaced. Several processes name the same one. An
            address of a key-value store of tensorstore's will do, too: `gs://bucket/path`, `s3://bucket/path`.
        overwrite: whether something may be replaced.
        ts_specs: a specification of tensorstore's for each array, or a pytree prefix of them, which says what it wants
            otherwise than by default (zarr3, a chunk for each shard, compressed by zstd); `None` for the default.

    Raises:
        ArrayFileError: a leaf is no array, or one cannot be written.
        ExportError: a class in the tree is not registered, or a dict has keys that are no strings.
        NoSavedTreeError: the folder in which `directory` would be made does not exist.
        SaveFolderError: something is there that is not to be replaced.
        CommitError: another process could not write its part.
        ProcessLostError, ProcessesMissingError: another process is gone, or does not come.
        MissingPackageError: tensorstore is not installed.

    The format is JAX's: each reads what the other saves. Differs: in a file system, what was there before stays readable until
    the new one is complete; at an address it is gone once the save has begun, and there is nothing to load before its end.
    """
    planned = _planned(data, directory, overwrite, ts_specs)
    _worker.submit(int).result()  # the saves that were begun before
    planned.run()


@public
def nonblocking_save(data: Any, directory: str | os.PathLike[str], *, overwrite: bool = True,
                     ts_specs: Any = None) -> PyTreeFuture:
    """Save a tree of arrays in the background; arguments as `save` has them.

    The values are those of the call: the arrays may be donated or deleted meanwhile.

    Returns:
        A future, whose `result()` waits for the end and raises what `save` would; its `pytree` has the types of the arrays.
    """
    future = PyTreeFuture(tree.tree_map(_type_of, data))
    try:
        planned = _planned(data, directory, overwrite, ts_specs)
    except Exception as error:
        future.set_exception(error)
    else:
        _worker.submit(future._settle, planned.run)
    return future


# -- loading

def _described(directory: str | os.PathLike[str]) -> tuple[str | StoreFolder, list[ShapeDtypeStruct | None], Any]:
    """The folder of a saved tree, the types of its leaves, and its structure."""
    path = _folder(directory)
    if isinstance(path, StoreFolder):
        return path, *read_description(path.read(DESCRIPTION), f"{path}/{DESCRIPTION}")
    found = path
    if not os.path.isdir(path):
        found = f"{path}.replaced"  # a process was killed, or is, as it puts a new one in its place
        if not os.path.isdir(found):
            raise NoSavedTreeError(path=path, kind="folder")
    try:
        with open(f"{found}/{DESCRIPTION}", "rb") as file:
            data = file.read()
    except FileNotFoundError:
        raise NoSavedTreeError(path=path, kind="description") from None
    return found, *read_description(data, f"{found}/{DESCRIPTION}")


@dataclass(frozen=True)
class _Load:
    """What is read: which leaves, from where, onto which devices."""

    wanted: tuple[int, ...]
    specs: tuple[dict[str, Any], ...]
    shardings: tuple[Any, ...]
    types: tuple[Any, ...]
    structure: Any
    folder: str | StoreFolder

    def run(self) -> Any:
        found: Sequence[Any] = ()
        if self.wanted:
            found = read_arrays(self.shardings, self.specs, None, self.types, _AT_ONCE_GB, _context_for(self.folder))
        leaves: list[Any] = [None] * self.structure.num_leaves
        for i, x in zip(self.wanted, found):
            leaves[i] = x
        return self.structure.unflatten(leaves)


def _to_load(directory: str | os.PathLike[str], shardings: Any, mask: Any, ts_specs: Any) -> tuple[_Load, Any]:
    """What is to be read, and the types of the leaves that will be there."""
    path, leaves, structure = _described(directory)
    kept = [True] * len(leaves) if mask is None else flatten_axes("mask", structure, mask, full_name=_SAVED)
    places = flatten_axes("shardings", structure, shardings, full_name=_SAVED)
    specs = _specs_for(structure, ts_specs, _SAVED)
    wanted = tuple([i for i, x in enumerate(leaves) if x is not None and kept[i]])
    types = tuple([_asked_type(leaves[i], places[i]) for i in wanted])
    load = _Load(wanted, tuple([_spec_of(path, str(i), specs[i]) for i in wanted]),
                 tuple([places[i] for i in wanted]), types, structure, path)
    return load, structure.unflatten([x if i in set(wanted) else None for i, x in enumerate(leaves)])


def _asked_type(leaf: Any, place: Any) -> Any:
    asked = getattr(place, "dtype", None)
    return dtypes.canonicalize_dtype(leaf.dtype if asked is None else asked)


@public
def load(directory: str | os.PathLike[str], shardings: Any, *, mask: Any = None, ts_specs: Any = None) -> Any:
    """A tree of arrays that was saved in a folder.

    Args:
        directory: the folder, or an address; see `save`.
        shardings: where the arrays shall be: a sharding for all, or a pytree prefix of them. In place of a sharding, a
            `ShapeDtypeStruct` that has one also says the dtype; its shape is not looked at.
        mask: a bool, or a pytree prefix of them: where it is false, there is `None` in the result.
        ts_specs: as in `save`; what was said there about where an array is must be said here, too.

    Returns:
        The tree, with committed arrays. Dtypes of 64 bits become those of 32, while these are off.

    Raises:
        NoSavedTreeError: there is no saved tree.
        ArrayFileError: something cannot be read, or a sharding is missing.
        ExportFormatError: a class in the tree is not registered here.
        PrefixMismatchError: `shardings`, `mask` or `ts_specs` have another structure than the tree.
        MissingPackageError: tensorstore is not installed.
    """
    return _to_load(directory, shardings, mask, ts_specs)[0].run()


@public
def nonblocking_load(directory: str | os.PathLike[str], shardings: Any, *, mask: Any = None,
                     ts_specs: Any = None) -> PyTreeFuture:
    """A tree of arrays that is read in the background, after the saves that were begun before; arguments as `load` has them.

    Returns:
        A future, whose `result()` is the tree; its `pytree` has the types of the arrays.

    Raises:
        NoSavedTreeError, ArrayFileError, ExportFormatError, PrefixMismatchError: see `load`; but a failure to read the arrays
            comes from `result()`.
    """
    planned, types = _to_load(directory, shardings, mask, ts_specs)
    future = PyTreeFuture(types)
    _worker.submit(future._settle, planned.run)
    return future


@public
def load_pytreedef(directory: str | os.PathLike[str]) -> Any:
    """The types of the arrays that were saved in a folder, as a tree.

    Args:
        directory: the folder.

    Returns:
        The tree, with a `ShapeDtypeStruct` for each array.

    Raises:
        NoSavedTreeError: there is no saved tree.
        ArrayFileError: its description cannot be read.
        ExportFormatError: a class in the tree is not registered here.
    """
    _, leaves, structure = _described(directory)
    return structure.unflatten(leaves)
