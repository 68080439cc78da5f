"""Saves and restores training states: `flax.training.checkpoints`."""
from __future__ import annotations

import os
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from perspicax import process_index
from perspicax.diagnose import public
from perspicax.flax import serialization
from perspicax.flax.configurations import config
from perspicax.flax.core.frozen_dict import FrozenDict
from perspicax.flax.file_errors import (
    CheckpointNotFoundError,
    CheckpointOptionError,
    InvalidCheckpointError,
    MPACheckpointingRequiredError,
)
from perspicax.flax.pack import Piece, pack
from perspicax.flax.state_dicts import from_state_dict, to_state_dict
from perspicax.flax.storage import is_temporary, join, scheme_of, storage_of
from perspicax.flax.training.async_manager import AsyncManager
from perspicax.flax.training.natural_order import natural_sort, number_at_end
from perspicax.flax.training.orbax_files import is_orbax, read_orbax, with_empty_parts
from perspicax.flax.training.shared_arrays import (
    FOLDER,
    are_spread,
    folder_of,
    laid_like,
    restored,
    save_shared,
    sweep_arrays,
    with_places,
)
from perspicax.flax.unpack import unpack

__all__ = [
    "AsyncManager", "available_steps", "config", "convert_pre_linen", "latest_checkpoint", "natural_sort",
    "restore_checkpoint", "safe_normpath", "save_checkpoint", "save_checkpoint_multiprocess",
]

PathLike = str | os.PathLike[str]


def safe_normpath(path: str) -> str:
    """A path without `.`, `..` and doubled slashes; the scheme of a remote one (`gs://`) stays.

    >>> safe_normpath("gs://bucket//a/../b/")
    'gs://bucket/b'
    >>> safe_normpath("local:///data//a")
    'local:///data/a'
    """
    scheme = re.match(r"[A-Za-z][A-Za-z0-9+.-]*://", path)
    if scheme is None:
        return os.path.normpath(path)
    inner = path[scheme.end():]
    return scheme[0] + "/" * inner.startswith("/") + os.path.normpath(inner).lstrip("/")


def _folder(ckpt_dir: PathLike) -> str:
    path = safe_normpath(os.fspath(ckpt_dir))
    return path if scheme_of(path) else path.removeprefix("file://")


def _saved(folder: str, prefix: str) -> list[str]:
    """The paths of all checkpoints with a prefix, the latest last. A prefix may have folders: `runs/a_`."""
    inner, _, begins = prefix.rpartition("/")
    folder = join(folder, inner) if inner else folder
    storage = storage_of(folder)
    if not storage.isdir(folder):
        return []
    names = [name for name in storage.listdir(folder)
             if name.startswith(begins) and not is_temporary(name) and not _is_partial(name[len(begins):])]
    return natural_sort([join(folder, name) for name in names])


def _is_partial(rest: str) -> bool:
    """Whether what follows the prefix is that of a file which Flax or Orbax have not finished, or keep beside a checkpoint."""
    return rest == "tmp" or ".orbax-checkpoint-tmp" in rest or rest.endswith((FOLDER, ".tmp"))


@public
def save_checkpoint(ckpt_dir: PathLike, target: Any, step: int | float, prefix: str = "checkpoint_", keep: int = 1,
                    overwrite: bool = False, keep_every_n_steps: int | None = None,
                    async_manager: AsyncManager | None = None, orbax_checkpointer: Any = None) -> str:
    """Save a tree as the checkpoint of a step.

    Args:
        ckpt_dir: the folder; made if it is not there. Paths of other file systems (`gs://`, `s3://`) go through fsspec.
        target: the tree; its state dict is what is saved.
        step: the step, or another number that grows; a part of the file's name.
        prefix: what the name begins with.
        keep: how many checkpoints to keep, counted from the latest.
        overwrite: whether to save where there is one of the same or a later step; these are removed.
        keep_every_n_steps: keep of the older ones each that is so many steps after the last one kept.
        async_manager: lets the file be written in the background. The values are those of now, whatever the program
            does with the arrays later.
        orbax_checkpointer: an object with a method `save(path, tree, force=...)` that saves in its own format.

    Returns:
        The path of the checkpoint.

    Raises:
        InvalidCheckpointError: there is a checkpoint of the same or a later step, and `overwrite` is false.
        NotSerializableError: something in the tree cannot be saved.
        MPACheckpointingRequiredError: an array lies over several processes; `save_checkpoint_multiprocess` saves those.
        MissingPackageError: the path needs fsspec, which is not installed.

    The file appears under its name when it is complete and would outlive a loss of power; only then older ones are removed.
    A process that is killed at any moment leaves the last complete checkpoint as it was.

    Differs: the format is always Flax's own (MessagePack in one file), which Flax reads. Flax 0.12.8 writes folders of
    Orbax's unless `flax_use_orbax_checkpointing` is off; those are read here.
    """
    if async_manager is not None:
        async_manager.wait_previous_save()
    folder = _folder(ckpt_dir)
    path = _path(folder, prefix, step)
    _check_latest(folder, prefix, path, step, overwrite)
    tidy = partial(_tidy, folder, prefix, path, keep, overwrite, keep_every_n_steps)
    if orbax_checkpointer is not None:
        orbax_checkpointer.save(path, target, force=overwrite)
        tidy()
        return path
    state = to_state_dict(target)
    if are_spread(state):
        raise MPACheckpointingRequiredError(path, step)
    pieces = pack(state, serialization.MAX_CHUNK_SIZE, snapshot=async_manager is not None)
    write = _Write(path, prefix, pieces, tidy)
    if async_manager is None:
        write()
    else:
        async_manager.save_async(write)
    return path


def _check_latest(folder: str, prefix: str, path: str, step: Any, overwrite: bool) -> None:
    """Raise if there is a checkpoint of the same or a later step."""
    before = _saved(folder, prefix)
    if not overwrite and (path in before or natural_sort([*before, path])[-1] != path):
        raise InvalidCheckpointError(path, step, latest=before[-1])


def _path(folder: str, prefix: str, step: Any) -> str:
    return join(folder, f"{prefix}{step}")


@dataclass(frozen=True)
class _Write:
    """The part of a save that may run in the background."""

    path: str
    prefix: str
    pieces: list[Piece]
    tidy: Callable[[], None]

    def __call__(self) -> None:
        storage, folder = storage_of(self.path), _split(self.path)[0]
        storage.makedirs(folder)
        storage.sweep(folder, self.prefix.rpartition("/")[2])
        storage.write(self.path, self.pieces)
        self.tidy()


def _split(path: str) -> tuple[str, str]:
    folder, _, name = path.rpartition("/" if scheme_of(path) else os.sep)
    if scheme_of(path) and folder.endswith((":/", "://")):  # the top, of `memory://name` and `local:///name`
        folder += "/"
    return folder or (os.sep if path.startswith(os.sep) else "."), name


def _tidy(folder: str, prefix: str, path: str, keep: int, overwrite: bool, keep_every_n_steps: int | None) -> None:
    """Remove what is later than a checkpoint that was just saved, and older ones that are not to be kept."""
    there = _saved(folder, prefix)
    if path not in there:
        return  # another writer of this folder has removed it: what is to be kept is for that one to say
    at = there.index(path)
    if overwrite:
        for later in there[at + 1:]:
            _remove(later)
        there = there[:at + 1]
    last_kept = float("-inf")
    for older in there[:-keep] if keep > 0 else []:
        number = number_at_end(older)
        if keep_every_n_steps and number and number - last_kept >= keep_every_n_steps:  # as in Flax, step 0 is not kept
            last_kept = number
        else:
            _remove(older)


def _remove(path: str) -> None:
    storage = storage_of(path)
    for part in (path, folder_of(path)):  # the file first: without it, the arrays are no checkpoint
        try:
            if storage.isdir(part):
                storage.rmtree(part)
            elif part == path:
                storage.remove(part)
        except FileNotFoundError:
            continue  # another writer of this folder removes the same ones


@public
def save_checkpoint_multiprocess(ckpt_dir: PathLike, target: Any, step: int | float, prefix: str = "checkpoint_",
                                 keep: int = 1, overwrite: bool = False, keep_every_n_steps: int | None = None,
                                 async_manager: AsyncManager | None = None, gda_manager: Any = None,
                                 orbax_checkpointer: Any = None) -> str:
    """Save a tree from several processes into one folder; all of them call this.

    Args:
        gda_manager: a `GlobalAsyncCheckpointManager` of `jax.experimental.array_serialization.serialization`, by which each
            process writes its parts of arrays over several processes. The writing goes on in the background; the next save,
            and `gda_manager.wait_until_finished()`, wait for it.

    The first process writes what else there is. The other arguments, the result and the errors are those of
    `save_checkpoint`.

    Raises:
        MPACheckpointingRequiredError: an array lies over several processes, and `gda_manager` is missing.

    The checkpoint counts when all processes have written all parts: whatever is killed before leaves the last complete
    checkpoint as it was.
    """
    if async_manager is not None:
        async_manager.wait_previous_save()
    state, arrays = with_places(to_state_dict(target))
    folder = _folder(ckpt_dir)
    path = _path(folder, prefix, step)
    if arrays and orbax_checkpointer is None:
        if gda_manager is None:
            raise MPACheckpointingRequiredError(path, step)
        gda_manager.wait_until_finished()
        _check_latest(folder, prefix, path, step, overwrite)

        def tidy() -> None:
            _tidy(folder, prefix, path, keep, overwrite, keep_every_n_steps)
            sweep_arrays(path, prefix.rpartition("/")[2])

        pieces = pack(state, serialization.MAX_CHUNK_SIZE, snapshot=True) if process_index() == 0 else []
        save_shared(path, arrays, gda_manager, step, _Write(path, prefix, pieces, tidy))
        return path
    if process_index() != 0:
        return path
    return save_checkpoint(ckpt_dir, target, step, prefix, keep, overwrite, keep_every_n_steps, async_manager,
                           orbax_checkpointer)


@public
def latest_checkpoint(ckpt_dir: PathLike, prefix: str = "checkpoint_") -> str | None:
    """The path of the checkpoint with the highest step; `None` if there is none.

    Args:
        ckpt_dir: the folder.
        prefix: what the names begin with.
    """
    found = _saved(_folder(ckpt_dir), prefix)
    return found[-1] if found else None


@public
def available_steps(ckpt_dir: PathLike, prefix: str = "checkpoint_", step_type: type = int) -> list[int | float]:
    """The steps that there are checkpoints of, from the lowest.

    Args:
        ckpt_dir: the folder.
        prefix: what the names begin with.
        step_type: `int` or `float`.

    Raises:
        CheckpointOptionError: a step is no number of this type.
    """
    steps = []
    for path in _saved(_folder(ckpt_dir), prefix):
        text = _split(path)[1][len(prefix.rpartition("/")[2]):]
        try:
            steps.append(step_type(text))
        except ValueError:
            raise CheckpointOptionError(
                says=f"The checkpoint {path!r} has the step {text!r}, which is no {step_type.__name__}.",
                why="what follows the prefix is taken as the step") from None
    return sorted(steps)


@public
def restore_checkpoint(ckpt_dir: PathLike, target: Any, step: int | float | None = None, prefix: str = "checkpoint_",
                       parallel: bool = True, gda_manager: Any = None, allow_partial_mpa_restoration: bool = False,
                       orbax_checkpointer: Any = None, orbax_transforms: dict[Any, Any] | None = None) -> Any:
    """Restore a tree from a checkpoint.

    Args:
        ckpt_dir: a folder with checkpoints, of which the one with the highest step is taken; or a checkpoint.
        target: says the structure that the result shall have. `None` for the state dict itself.
        step: the step to restore, where it is not the highest.
        prefix: what the names begin with.
        parallel: accepted; a file is read in one go.
        gda_manager: a `GlobalAsyncCheckpointManager`, by which arrays over several processes are read. Each comes to where
            the array at its place in `target` is, on whichever devices and processes.
        allow_partial_mpa_restoration: whether to leave such arrays out for which `target` has no array. In their places
            stay texts.
        orbax_checkpointer: an object with a method `restore(path, item=...)`, which reads a folder of Orbax's. Without
            it, they are read through tensorstore.
        orbax_transforms: passed on to that object.

    Returns:
        The tree, with NumPy arrays; arrays over devices as in `target`, where that has some of the same shape, and `jax.Array`
        from a folder of Orbax's. `target` itself, if there is no checkpoint.

    Raises:
        CheckpointNotFoundError: there is none of the step.
        DamagedBytesError: the file is cut off, changed, or no checkpoint.
        StateMismatchError: it has other names than `target`; all differences are shown by path.
        MPACheckpointingRequiredError: it has arrays over several processes, and `gda_manager` is missing.
        MPARestoreTargetRequiredError: `target` has no array in the place of one of these.
        MPARestoreDataCorruptedError: they were not saved completely.
        ArrayFileError: a part of one is missing, or cannot be read.
        MissingPackageError: the path needs fsspec, or the folder tensorstore, and it is not installed.
    """
    path = _folder(ckpt_dir)
    if step is not None:
        wanted = _path(path, prefix, step)
        if not storage_of(wanted).exists(wanted):
            there = [_split(each)[1][len(prefix.rpartition("/")[2]):] for each in _saved(path, prefix)]
            raise CheckpointNotFoundError(path=wanted, step=step, there=tuple(there))
        path = wanted
    storage = storage_of(path)
    if not storage.exists(path):
        return target
    if storage.isdir(path) and not is_orbax(path):
        latest = latest_checkpoint(path, prefix)
        if latest is None:
            return target
        path = latest
    if storage.isdir(path):
        if orbax_checkpointer is not None:
            more = {} if orbax_transforms is None else {"transforms": orbax_transforms}
            return orbax_checkpointer.restore(path, item=target, **more)
        state = read_orbax(path)
        if target is not None:
            state = with_empty_parts(to_state_dict(target), state)
        return state if target is None else from_state_dict(target, state)
    likes = None if target is None else to_state_dict(target)
    state = unpack(_read(path), source=path)
    state = restored(state, likes, path, _step_of(path, step), gda_manager, allow_partial_mpa_restoration)
    return state if target is None else from_state_dict(target, laid_like(state, likes))


def _step_of(path: str, step: Any) -> Any:
    """The step of a checkpoint, by its name where nobody said it."""
    number = number_at_end(path) if step is None else step
    return int(number) if isinstance(number, float) and number.is_integer() else number


def _read(path: str) -> Any:
    """The bytes of a file, in memory that is touched once."""
    storage = storage_of(path)
    with storage.open(path, "rb") as file:
        if scheme_of(path):
            return file.read()
        data = np.empty(os.fstat(file.fileno()).st_size, np.uint8)
        count = file.readinto(data)  # type: ignore[attr-defined]  # a file opened in binary has it
    return data[:count]


_NUMBERED = re.compile(r"(.*)_\d+")


@public
def convert_pre_linen(params: Any) -> Any:
    """Parameters of the API before Linen, with the names that Linen gives.

    Args:
        params: nested dicts. There, submodules were numbered through (`Conv_0`, `Dense_1`); Linen counts each class for
            itself (`Conv_0`, `Dense_0`).

    Returns:
        The tree with Linen's names; one that has them already is unchanged. A FrozenDict stays one.
    """
    if not isinstance(params, Mapping):
        return params
    counts: dict[str, int] = {}
    renamed = {}
    for name in natural_sort(params):
        found = _NUMBERED.fullmatch(name)
        new = name
        if found is not None:
            number = counts.get(found[1], 0)
            counts[found[1]] = number + 1
            new = f"{found[1]}_{number}"
        renamed[new] = convert_pre_linen(params[name])
    return FrozenDict(renamed) if isinstance(params, FrozenDict) else renamed
