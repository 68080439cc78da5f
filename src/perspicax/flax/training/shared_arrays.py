"""Arrays over several processes in checkpoints: each process writes and reads its parts, beside the checkpoint's file.

The file `checkpoint_3` holds the tree, with the text `//GDAPlaceholder:path/of/leaf` in the place of such an array, and the
folder `checkpoint_3_gda` the arrays, each in a folder of its own, in zarr's format. All are written into
`checkpoint_3_gda.tmp` first. When every process has written its parts, process 0 puts `commit_success.txt` into that folder,
gives it its name, and writes the file: before that, there is no checkpoint of that step. On remote storages, where renaming
copies, the folder has its name from the beginning, and the mark and the file come last as well.
"""
from __future__ import annotations

import os
import warnings
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from perspicax import Array, device_put, process_count, process_index
from perspicax.diagnose.frames import warning_level
from perspicax.experimental.array_serialization.serialization import get_tensorstore_spec
from perspicax.experimental.multihost_utils import sync_global_devices
from perspicax.flax.error_base import listed
from perspicax.flax.file_errors import (
    MPACheckpointingRequiredError,
    MPARestoreDataCorruptedError,
    MPARestoreTargetRequiredError,
)
from perspicax.flax.storage import join, scheme_of, storage_of

__all__ = [
    "FOLDER", "are_spread", "folder_of", "laid_like", "leaves_of", "restored", "save_shared", "sweep_arrays", "with_places",
]

FOLDER = "_gda"  # what the folder of the arrays ends with
PLACE = "//GDAPlaceholder:"
COMMITTED = "commit_success.txt"
WRITER = "written_by.txt"  # tells our folders, which always have the mark, from Flax's on local disks, which never have it
ALL_CHUNKS = "all chunks are there"  # within that file: also those of zeros, so that one that is missing is a loss

Path = tuple[str, ...]


def leaves_of(state: Any, path: Path = ()) -> Iterator[tuple[Path, Any]]:
    """The leaves of a state dict with their paths."""
    if not isinstance(state, dict):
        yield path, state
        return
    for name, value in state.items():
        yield from leaves_of(value, (*path, str(name)))


def _is_spread(leaf: Any) -> bool:
    return isinstance(leaf, Array) and not leaf.is_fully_addressable


def are_spread(state: Any) -> bool:
    """Whether some arrays of a state dict lie over several processes."""
    return any(_is_spread(leaf) for _, leaf in leaves_of(state))


def with_places(state: Any, path: Path = ()) -> tuple[Any, list[tuple[Path, Any]]]:
    """A state dict with a text in the place of each array over several processes, and these arrays."""
    if not isinstance(state, dict):
        return (PLACE + "/".join(path), [(path, state)]) if _is_spread(state) else (state, [])
    made, arrays = {}, []
    for name, value in state.items():
        made[name], found = with_places(value, (*path, str(name)))
        arrays += found
    return made, arrays


def _place_of(leaf: Any) -> str | None:
    return leaf[len(PLACE):] if isinstance(leaf, str) and leaf.startswith(PLACE) else None


def folder_of(path: str) -> str:
    """The folder of a checkpoint's arrays."""
    return path + FOLDER


def _unfinished(path: str) -> str:
    """Where they are while they are written."""
    return folder_of(path) if scheme_of(path) else f"{folder_of(path)}.tmp"


def save_shared(path: str, arrays: list[tuple[Path, Any]], manager: Any, step: Any, write_rest: Callable[[], None]) -> None:
    """Save arrays over several processes; all processes call this.

    Args:
        path: of the checkpoint.
        arrays: the arrays, with their paths in the tree.
        manager: a GlobalAsyncCheckpointManager.
        step: for reports.
        write_rest: writes the file of the checkpoint, which makes it count; called in process 0 when all is there.

    Raises:
        MPACheckpointingRequiredError: there is no manager.
    """
    if manager is None:
        raise MPACheckpointingRequiredError(path, step)
    manager.wait_until_finished()
    unfinished = _unfinished(path)
    if process_index() == 0:
        storage = storage_of(path)
        if storage.isdir(unfinished):
            storage.rmtree(unfinished)
        storage.makedirs(unfinished)
        _write_text(join(unfinished, WRITER), f"Perspicax: {ALL_CHUNKS}\n")
    if process_count() > 1:
        sync_global_devices(f"the folder of {os.path.basename(path)} is there")
    specs = [{**get_tensorstore_spec(_inner(unfinished, "/".join(where))), "store_data_equal_to_fill_value": True}
             for where, _ in arrays]

    def commit() -> None:
        _write_text(join(unfinished, COMMITTED), f"step {step}\n")
        _give_name(path)
        write_rest()

    manager.serialize([x for _, x in arrays], specs, on_commit_callback=commit)


def _inner(folder: str, name: str) -> str:
    return join(folder if scheme_of(folder) else os.path.abspath(folder), name)


def _write_text(path: str, text: str) -> None:
    storage_of(path).write(path, [text.encode()])


def _give_name(path: str) -> None:
    """Let the folder of arrays take its name; one that is there under it (of the same step) goes."""
    unfinished, named, storage = _unfinished(path), folder_of(path), storage_of(path)
    if unfinished == named:
        return
    if storage.isdir(named):
        storage.rmtree(named)  # the new one is complete, and is found under its old name until it has the new one
    storage.rename(unfinished, named, True)


def restored(state: Any, target: Any, path: str, step: Any, manager: Any, allow_partial: bool) -> Any:
    """A state dict with arrays in their places; all processes call this.

    Args:
        state: from the file.
        target: the state dict of what the arrays shall be like; `None` if there is none.
        path: of the checkpoint.
        step: for reports.
        manager: a GlobalAsyncCheckpointManager.
        allow_partial: whether arrays that `target` does not describe are left out.

    Raises:
        MPACheckpointingRequiredError: there is no manager.
        MPARestoreDataCorruptedError: the arrays were not saved completely, or are gone.
        MPARestoreTargetRequiredError: `target` does not say where an array shall be.
        ArrayFileError: a part of an array is missing, or cannot be read.
    """
    places = [(where, name) for where, leaf in leaves_of(state) if (name := _place_of(leaf)) is not None]
    if not places:
        return state
    if manager is None:
        raise MPACheckpointingRequiredError(path, step)
    folder = _complete_folder(path, step)
    wanted = dict(leaves_of(target)) if target is not None else {}
    known = [(where, name) for where, name in places if getattr(wanted.get(where), "sharding", None) is not None]
    found = {where for where, _ in known}
    if len(known) < len(places):
        left_out = ["/".join(where) for where, _ in places if where not in found]
        if not allow_partial:
            raise MPARestoreTargetRequiredError(path, step, left_out[0])
        warnings.warn(f"The arrays {listed(left_out)} were not restored: the target has no array in their places, which would "
                      "say how they are spread.", stacklevel=warning_level())
    likes = [wanted[where] for where, _ in known]
    strict = {"fill_missing_data_reads": False} if _has_all_chunks(folder) else {}
    arrays = manager.deserialize([like.sharding for like in likes],
                                 [{**get_tensorstore_spec(_inner(folder, name)), **strict} for _, name in known],
                                 None, [like.dtype for like in likes])  # of the shapes that were saved: nothing is cut off
    return _filled(state, dict(zip([where for where, _ in known], arrays)), ())


def laid_like(state: Any, target: Any) -> Any:
    """A state dict whose NumPy arrays are spread over devices, where `target` has an array of that shape which is.

    Args:
        state: from the file.
        target: the state dict of what the arrays shall be like.
    """
    if isinstance(state, dict):
        others = target if isinstance(target, dict) else {}
        return {name: laid_like(value, others.get(name)) for name, value in state.items()}
    placed = getattr(target, "sharding", None)
    if placed is None or not isinstance(state, np.ndarray) or state.shape != target.shape:
        return state
    return device_put(state, placed) if len(placed.device_set) > 1 and placed.is_fully_addressable else state


def _has_all_chunks(folder: str) -> bool:
    path = join(folder, WRITER)
    storage = storage_of(path)
    if not storage.exists(path):
        return False
    with storage.open(path, "rb") as file:
        return ALL_CHUNKS.encode() in file.read()


def sweep_arrays(path: str, prefix: str) -> None:
    """Remove folders of arrays, beside the checkpoint `path`, that belong to none: what killed processes left.

    Args:
        path: the checkpoint that was just saved.
        prefix: what the names of checkpoints begin with, without folders.
    """
    storage, (folder, _) = storage_of(path), os.path.split(path)
    names = set(storage.listdir(folder or "."))
    for name in names:
        base = name.removesuffix(".tmp").removesuffix(FOLDER)
        if name.startswith(prefix) and name.endswith((FOLDER, f"{FOLDER}.tmp")) and base not in names:
            storage.rmtree(join(folder, name))


def _complete_folder(path: str, step: Any) -> str:
    """The folder of a checkpoint's arrays, which says that it is complete."""
    storage = storage_of(path)
    for folder in (folder_of(path), _unfinished(path)):
        if storage.isdir(folder):
            if storage.exists(join(folder, COMMITTED)):
                return folder
            if folder == folder_of(path) and not scheme_of(path) and not storage.exists(join(folder, WRITER)):
                return folder  # Flax's, which gives it its name when it is complete
    raise MPARestoreDataCorruptedError(step, path)


def _filled(state: Any, arrays: dict[Path, Any], path: Path) -> Any:
    if not isinstance(state, dict):
        return arrays.get(path, state)
    return {name: _filled(value, arrays, (*path, str(name))) for name, value in state.items()}
