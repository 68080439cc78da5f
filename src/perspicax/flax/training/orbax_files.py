"""Reads checkpoints that Orbax wrote, as Flax does unless told otherwise, without Orbax.

Such a checkpoint is a folder. `_METADATA` lists the leaves with their paths and kinds; an array or number is a zarr array
under its path joined by dots, in an OCDBT database (or in plain files, as older versions wrote it); text is in
`_strings.json`. The database and the arrays are read by tensorstore.
"""
from __future__ import annotations

import json
import os
from typing import Any

import numpy as np

from perspicax import Array
from perspicax import numpy as jnp
from perspicax.diagnose.optional import optional
from perspicax.flax.file_errors import CheckpointOptionError
from perspicax.flax.serialization_errors import DamagedBytesError
from perspicax.flax.storage import join, scheme_of, storage_of

__all__ = ["is_orbax", "read_orbax", "with_empty_parts"]

_SIGNS = ("_METADATA", "checkpoint", "manifest.ocdbt")


def is_orbax(path: str) -> bool:
    """Whether a path is a folder that Orbax wrote."""
    storage = storage_of(path)
    return storage.isdir(path) and any(storage.exists(join(path, name)) for name in _SIGNS)


def read_orbax(path: str) -> Any:
    """The state dict in a folder of Orbax's: arrays of JAX's as arrays, NumPy's as NumPy's, numbers as numbers.

    Raises:
        MissingPackageError: tensorstore is not installed.
        DamagedBytesError: what describes the leaves, or one of them, cannot be read.
        CheckpointOptionError: the folder is of a kind that is not read here.
    """
    tensorstore = optional("tensorstore", extra="checkpoint", needed_for="checkpoints that Orbax wrote")
    storage = storage_of(path)
    described = join(path, "_METADATA")
    if not storage.exists(described):
        raise CheckpointOptionError(
            says=f"{path!r} was written by a version of Orbax that this cannot read: it has no `_METADATA`.",
            why="the names and kinds of the leaves are in that file since Orbax 0.5")
    with storage.open(described, "rb") as file:
        text = file.read()
    try:
        metadata = json.loads(text)
        leaves = [([str(part["key"]) for part in entry["key_metadata"]], dict(entry["value_metadata"]))
                  for entry in metadata["tree_metadata"].values()]
    except (ValueError, KeyError, TypeError, AttributeError):
        raise _damaged(described, [], "what describes the leaves is no description", len(text)) from None
    strings = _strings(path) if any(facts.get("value_type") == "string" for _, facts in leaves) else {}
    arrays = {tuple(keys): _opened(tensorstore, path, keys, metadata) for keys, facts in leaves
              if not facts.get("skip_deserialize") and facts.get("value_type") != "string"}
    state: Any = {}
    for keys, facts in leaves:
        kind = facts.get("value_type")
        if kind in ("Dict", "List", "NamedTuple", "Tuple") or kind == "None":
            value: Any = None if kind == "None" else {}
        elif kind == "string":
            value = strings.get(".".join(keys))
            if not isinstance(value, str):
                raise _damaged(join(path, "_strings.json"), keys, "the text is not in the file")
        else:
            value = _read(arrays[tuple(keys)], kind, path, keys)
        if not keys:
            return value
        inner = state
        for key in keys[:-1]:
            inner = inner.setdefault(key, {})
            if not isinstance(inner, dict):
                raise _damaged(described, keys, "the path goes through a leaf")
        if keys[-1] in inner:
            raise _damaged(described, keys, "there is something else at the same path, or below it")
        inner[keys[-1]] = value
    return state


def with_empty_parts(wanted: Any, found: Any) -> Any:
    """A state in which those parts are empty dicts that are so in the target's: Orbax wrote `None` for some of them."""
    if not isinstance(wanted, dict):
        return found
    if not wanted:
        return {} if found is None else found
    if not isinstance(found, dict):
        return found
    return {name: with_empty_parts(wanted.get(name), value) for name, value in found.items()}


def _strings(path: str) -> dict[str, Any]:
    storage, file = storage_of(path), join(path, "_strings.json")
    if not storage.exists(file):
        raise _damaged(file, [], "the file, which has the texts of the tree, is not there")
    with storage.open(file, "rb") as opened:
        data = opened.read()
    try:
        found = json.loads(data)
    except ValueError:
        found = None
    if not isinstance(found, dict):
        raise _damaged(file, [], "the texts of the tree are no JSON object", len(data))
    return found


def _damaged(file: str, keys: list[str], fault: str, size: int = 0) -> DamagedBytesError:
    return DamagedBytesError(path=tuple(keys), offset=0, size=size, source=file, fault=fault)


def _opened(tensorstore: Any, path: str, keys: list[str], metadata: dict[str, Any]) -> Any:
    """The array of a leaf, being opened: all are opened at the same time."""
    base = path if scheme_of(path) else f"file://{os.path.abspath(path)}"
    name = ".".join(keys)
    store: Any = ({"driver": "ocdbt", "base": base, "path": name} if metadata.get("use_ocdbt", True)
                  else f"{base}/{name}")
    return tensorstore.open({"driver": "zarr3" if metadata.get("use_zarr3") else "zarr", "kvstore": store},
                            open=True, read=True)


def _read(opening: Any, kind: str | None, path: str, keys: list[str]) -> Any:
    try:
        found: np.ndarray = opening.result().read().result()
    except (ValueError, OSError) as error:
        raise _damaged(path, keys, f"the array cannot be read ({str(error).splitlines()[0][:200]})") from None
    if kind == "scalar":
        return found.item() if found.dtype.kind in "?biufc" else found[()]
    return _as_array(found) if kind == "jax.Array" else found


def _as_array(found: np.ndarray) -> Array:
    return jnp.asarray(found)
