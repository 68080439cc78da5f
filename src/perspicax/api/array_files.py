"""Arrays on disk by tensorstore: each process writes and reads the parts that are on its devices."""
from __future__ import annotations

import os
import re
from collections.abc import Sequence
from typing import Any

import numpy as np

from perspicax.api.array_file_errors import ArrayFileError
from perspicax.api.placement import device_put, make_array_from_single_device_arrays
from perspicax.api.wrapping import public
from perspicax.core import dtypes
from perspicax.diagnose.optional import optional
from perspicax.xla import client
from perspicax.xla.array import ArrayImpl
from perspicax.xla.sharding import Sharding

__all__ = [
    "async_deserialize", "async_serialize", "finish_read", "first_words", "get_tensorstore_spec", "is_remote_storage",
    "new_context", "parts_of", "path_of", "read_arrays", "run_deserialization", "run_serialization", "start_open", "start_read",
    "start_write", "tensorstore", "tensorstore_context",
]

LARGEST_CHUNK = 2**31  # bytes of a file; a shard of more is written in several
REMOTE = ("gcs", "s3", "http")
RETRIES = {"max_retries": 8, "initial_delay": "500ms", "max_delay": "8s"}
"""Tries for about 40 s. tensorstore's own 32 are a quarter of an hour, in which a program that cannot reach an address looks
like one that hangs. A specification of the user's may have a `context` of its own, which says otherwise."""


def tensorstore() -> Any:
    """The package.

    Raises:
        MissingPackageError: it is not installed.
    """
    return optional("tensorstore", extra="checkpoint", needed_for="arrays on disk (`jax.experimental.array_serialization`)")


_contexts: list[Any] = []


def tensorstore_context() -> Any:
    """The limits that all reads and writes share."""
    if not _contexts:
        _contexts.append(new_context())
    return _contexts[0]


def new_context() -> Any:
    """Limits of one's own, and nothing that is remembered of files which have been replaced since."""
    retries = {f"{kind}_request_retries": RETRIES for kind in REMOTE}
    return tensorstore().Context({"file_io_concurrency": {"limit": 128}, **retries})


_BUCKET = re.compile(r"(gs|s3)://([^/]+)/(.*)")
_DRIVERS = {"gs": "gcs", "s3": "s3"}


@public
def get_tensorstore_spec(ckpt_path: str | os.PathLike[str], *, ocdbt: bool = False, process_idx: int | None = None,
                         arr: Any = None, driver: str = "zarr") -> dict[str, Any]:
    """Where an array is, as tensorstore wants to be told.

    Args:
        ckpt_path: a folder for the array, or `gs://bucket/path`, `s3://bucket/path`.
        ocdbt: whether the folder above is a database of many arrays, and the last part of the path the array's name there.
        process_idx: with `ocdbt`, writes into a database of this process's own, within the folder above.
        arr: an array; the result then says its shape, dtype and chunks, too.
        driver: "zarr" or "zarr3".

    Raises:
        ArrayFileError: the path lacks a part that is needed.

    >>> get_tensorstore_spec("/data/w")
    {'driver': 'zarr', 'kvstore': {'driver': 'file', 'path': '/data/w'}}
    """
    text = os.path.normpath(os.fspath(ckpt_path)).replace("gs:/", "gs://").replace("s3:/", "s3://")
    bucket = _BUCKET.fullmatch(text)
    if text.startswith(("gs:", "s3:")) and bucket is None:
        raise ArrayFileError(kind="bucket", path=str(ckpt_path))
    if not ocdbt:
        store = _store(bucket, text if bucket is None else bucket[3])
    else:
        folder, _, name = (text if bucket is None else bucket[3]).rpartition("/")
        if not name or (bucket is not None and not folder):
            raise ArrayFileError(kind="database", path=str(ckpt_path))
        base = folder if process_idx is None else f"{folder}/process_{process_idx}"
        store = {"driver": "ocdbt", "base": _store(bucket, base or "/"), "path": name}
    spec: dict[str, Any] = {"driver": driver, "kvstore": store}
    if arr is not None:
        spec |= {"dtype": dtypes.name_of(arr.dtype), "metadata": _metadata(arr, driver)}
    return spec


def _store(bucket: Any, path: str) -> dict[str, Any]:
    if bucket is None:
        return {"driver": "file", "path": path}
    return {"driver": _DRIVERS[bucket[1]], "bucket": bucket[2], "path": path}


@public
def is_remote_storage(tspec: dict[str, Any] | str) -> bool:
    """Whether a specification, or a path, leads to Google's or Amazon's storage."""
    if isinstance(tspec, str):
        return tspec.startswith(("gs://", "s3://"))
    inner = tspec.get("kvstore", tspec.get("base"))
    if isinstance(inner, (dict, str)) and is_remote_storage(inner):
        return True
    return tspec.get("driver") in _DRIVERS.values() or ("base" in tspec and is_remote_storage(tspec["base"]))


def _metadata(x: Any, driver: str) -> dict[str, Any]:
    """The shape of the whole, and one chunk for each shard, so that no two processes write into one file."""
    chunk = _chunk_shape(x.sharding.shard_shape(x.shape), np.dtype(x.dtype).itemsize)
    if driver == "zarr3":
        return {"shape": list(x.shape), "codecs": [{"name": "zstd"}],
                "chunk_grid": {"name": "regular", "configuration": {"chunk_shape": chunk}}}
    return {"compressor": {"id": "zstd"}, "shape": list(x.shape), "chunks": chunk}


def _chunk_shape(shard: Sequence[int], itemsize: int) -> list[int]:
    """The shape of a shard, divided along its longest axes until it is small enough."""
    chunk = [max(1, n) for n in shard]
    while np.prod(chunk, dtype=float) * itemsize > LARGEST_CHUNK:
        at = int(np.argmax(chunk))
        divisor = next((d for d in range(2, int(chunk[at] ** 0.5) + 1) if chunk[at] % d == 0), chunk[at])
        chunk[at] //= divisor
    return chunk


def _whole_spec(spec: Any, x: Any) -> dict[str, Any]:
    """A specification with what an array says where it says nothing."""
    found = dict(spec if isinstance(spec, dict) else spec.to_json())
    found.setdefault("dtype", dtypes.name_of(x.dtype))
    if "metadata" not in found and "schema" not in found:
        found["metadata"] = _metadata(x, found.get("driver", "zarr"))
    return found


def _check_array(x: Any) -> None:
    if not isinstance(x, ArrayImpl):
        raise ArrayFileError(kind="array", path="", detail=type(x).__name__)
    if x.aval.extended:
        raise ArrayFileError(kind="keys", path="", detail=x.aval.str_short())
    if x.is_deleted():
        raise x._deleted_error("saved")
    if x.is_fully_addressable and client.process_count() > 1:
        raise ArrayFileError(kind="local", path="", detail=x.aval.str_short())


def start_write(x: ArrayImpl, spec: Any, *, transaction: Any = None, replica_id: int = 0, context: Any = None) -> list[Any]:
    """Begin to write the parts of an array that are here; those that several devices hold, once.

    Returns:
        tensorstore's futures: `copy` is done when the memory is not needed any more, `commit` when the parts are on disk.
    """
    parts = parts_of(x, replica_id)
    store = start_open(x, spec, transaction=transaction, context=context).result()
    return [store[index].write(part) for index, part in parts]


def parts_of(x: ArrayImpl, replica_id: int = 0) -> list[tuple[Any, np.ndarray]]:
    """The parts of an array that this process writes, with their places; they stay as they are, whatever becomes of it.

    Raises:
        ArrayFileError: it is no array, or one that each of several processes has for itself.
    """
    _check_array(x)
    return [(shard.index, shard.data.value()) for shard in x.addressable_shards if shard.replica_id == replica_id]


def start_open(x: ArrayImpl, spec: Any, *, transaction: Any = None, context: Any = None) -> Any:
    """Begin to open, or to make, what an array is to be written to: tensorstore's future."""
    return tensorstore().open(tensorstore().Spec(_whole_spec(spec, x)), create=True, open=True, transaction=transaction,
                              context=context or tensorstore_context())


def start_read(spec: Any, context: Any = None) -> Any:
    """Begin to open an array."""
    return tensorstore().open(tensorstore().Spec(spec if isinstance(spec, dict) else spec.to_json()), open=True, read=True,
                              context=context or tensorstore_context())


def finish_read(opening: Any, spec: Any, sharding: Any, shape: Sequence[int] | None = None, dtype: Any = None) -> ArrayImpl:
    """Read the parts that are for devices of this process.

    Args:
        opening: what `start_read` gave.
        spec: for reports.
        sharding: where the array shall be.
        shape: of the array; it may be larger than what is on disk (the rest is zeros), or smaller. By default as there.
        dtype: of the array; by default as there.

    Raises:
        ArrayFileError: it cannot be opened or read, or `sharding` is none.
    """
    sharding = getattr(sharding, "sharding", sharding)  # of a format
    if not isinstance(sharding, Sharding):
        raise ArrayFileError(kind="sharding", path=path_of(spec), detail=type(sharding).__name__)
    try:
        store = opening.result()
        whole = tuple(store.shape) if shape is None else tuple(shape)
        if len(whole) != len(store.shape):
            raise ArrayFileError(kind="rank", path=path_of(spec), detail=f"{list(store.shape)} and {list(whole)}")
        wanted: Any = store.dtype.numpy_dtype if dtype is None else dtypes.canonicalize_dtype(dtype)
        where = sharding.addressable_devices_indices_map(whole)
        reads: dict[Any, Any] = {}
        for index in where.values():
            box = tuple([slice(*s.indices(n)[:2]) for s, n in zip(index, whole)])
            key = tuple([(s.start, s.stop) for s in box])
            if key not in reads:
                there = tuple([slice(s.start, max(s.start, min(s.stop, n))) for s, n in zip(box, store.shape)])
                reads[key] = box, there, store[_within(there, store.shape)].read()
        values = {key: _filled(box, there, found.result(), wanted) for key, (box, there, found) in reads.items()}
    except (ValueError, OSError) as error:
        if isinstance(error, ArrayFileError):
            raise
        raise ArrayFileError(kind="read", path=path_of(spec), detail=first_words(error)) from error
    pieces = [device_put(values[tuple([s.indices(n)[:2] for s, n in zip(index, whole)])], device)
              for device, index in where.items()]
    return make_array_from_single_device_arrays(whole, sharding, pieces, dtype=wanted)


def _within(box: tuple[slice, ...], shape: Sequence[int]) -> tuple[slice, ...]:
    """A box that begins beyond the end is empty, wherever it is."""
    return tuple([s if s.start < n else slice(n, n) for s, n in zip(box, shape)])


def _filled(box: tuple[slice, ...], there: tuple[slice, ...], found: np.ndarray, dtype: Any) -> np.ndarray:
    """What was read, in an array of the shape of `box`, with zeros beyond the end of what is on disk."""
    shape = tuple([s.stop - s.start for s in box])
    if found.shape == shape:
        return found.astype(dtype, copy=False)
    whole = np.zeros(shape, dtype)
    whole[tuple([slice(0, n) for n in found.shape])] = found
    return whole


def path_of(spec: Any) -> str:
    data = spec if isinstance(spec, dict) else spec.to_json()
    store = data.get("kvstore", data)
    if isinstance(store, str):
        return store
    if "base" in store:
        return f"{path_of({'kvstore': store['base']}).rstrip('/')}/{store.get('path', '')}"
    bucket = f"{store.get('driver')}://{store['bucket']}/" if "bucket" in store else ""
    return f"{bucket}{store.get('path', '')}"


def first_words(error: BaseException) -> str:
    """tensorstore's message without the dump of the specification at its end."""
    return str(error).partition(" [")[0].partition("\n")[0][:300]


def read_arrays(shardings: Sequence[Any], specs: Sequence[Any], shapes: Sequence[Any] | None, wanted: Sequence[Any] | None,
                concurrent_gb: float, context: Any = None) -> list[Any]:
    """Read several arrays; about `concurrent_gb` gigabytes are on their way at the same time."""
    count = len(specs)
    for name, given in (("shardings", shardings), ("global_shapes", shapes), ("dtypes", wanted)):
        if given is not None and len(given) != count:
            raise ArrayFileError(kind="lengths", path="", detail=f"{len(given)} `{name}` for {count} specifications")
    found: list[Any] = []
    at_once = max(1, int(concurrent_gb * 8))  # arrays being opened; reading goes one after the other, each in parallel
    for first in range(0, count, at_once):
        block = range(first, min(first + at_once, count))
        openings = [start_read(specs[i], context) for i in block]
        found += [finish_read(opening, specs[i], shardings[i], None if shapes is None else shapes[i],
                              None if wanted is None else wanted[i]) for i, opening in zip(block, openings)]
    return found


async def async_serialize(arr_inp: Any, tensorstore_spec: Any, commit_future: list[Any] | None = None, context: Any = None,
                          chunk_layout: Any = None, primary_host: int | None = None, replica_id: int = 0,
                          transaction: Any = None) -> None:
    """Write an array.

    Args:
        arr_inp: the array.
        tensorstore_spec: where.
        commit_future: a list; what will be done when the parts are on disk is added to it. Without it, this waits.
        context: tensorstore's.
        chunk_layout: accepted; each shard is a chunk.
        primary_host: accepted; whichever process comes first makes the file with the shape.
        replica_id: which copy of each part is written.
        transaction: tensorstore's; the parts are on disk when it is committed.

    Raises:
        ArrayFileError: it is no array.
        MissingPackageError: tensorstore is not installed.
    """
    del chunk_layout, primary_host
    writes = start_write(arr_inp, tensorstore_spec, transaction=transaction, replica_id=replica_id, context=context)
    for write in writes:
        await write.copy
    if commit_future is not None:
        commit_future.extend(write.commit for write in writes)
    elif transaction is None:
        for write in writes:
            await write.commit


async def async_deserialize(in_type: Any, tensorstore_spec: Any, global_shape: Sequence[int] | None = None,
                            dtype: Any = None, byte_limiter: Any = None, context: Any = None, chunk_layout: Any = None,
                            assume_metadata: bool = False) -> ArrayImpl:
    """Read an array.

    Args:
        in_type: the sharding, or a `ShapeDtypeStruct` with one.
        tensorstore_spec: where from.
        global_shape, dtype: of the array; by default as on disk.
        byte_limiter, chunk_layout, assume_metadata: accepted.
        context: tensorstore's.

    Raises:
        ArrayFileError: it cannot be read.
        MissingPackageError: tensorstore is not installed.
    """
    del byte_limiter, chunk_layout, assume_metadata
    if not isinstance(in_type, Sharding) and hasattr(in_type, "shape"):
        global_shape, dtype = global_shape or in_type.shape, dtype or in_type.dtype
    opening = start_read(tensorstore_spec, context)
    return finish_read(opening, tensorstore_spec, in_type, global_shape, dtype)


@public
def run_serialization(arrays: Sequence[Any], tensorstore_specs: Sequence[Any]) -> None:
    """Write arrays, and wait until they are on disk.

    Args:
        arrays: the arrays.
        tensorstore_specs: where, one for each.

    Raises:
        ArrayFileError: one is no array, or cannot be written.
        MissingPackageError: tensorstore is not installed.
    """
    if len(arrays) != len(tensorstore_specs):
        raise ArrayFileError(kind="lengths", path="",
                             detail=f"{len(arrays)} arrays for {len(tensorstore_specs)} specifications")
    writes = [(write, spec) for x, spec in zip(arrays, tensorstore_specs) for write in start_write(x, spec)]
    for write, spec in writes:
        try:
            write.commit.result()
        except (ValueError, OSError) as error:
            raise ArrayFileError(kind="write", path=path_of(spec), detail=first_words(error)) from error


@public
def run_deserialization(shardings: Sequence[Any], tensorstore_specs: Sequence[Any],
                        global_shapes: Sequence[Any] | None = None, dtypes: Sequence[Any] | None = None,
                        concurrent_gb: int = 32) -> list[Any]:
    """Read arrays.

    Args:
        shardings: where each shall be.
        tensorstore_specs: where from.
        global_shapes, dtypes: of the arrays; by default as on disk.
        concurrent_gb: how much may be on its way at the same time.

    Raises:
        ArrayFileError: one cannot be read, or the arguments have different lengths.
        MissingPackageError: tensorstore is not installed.
    """
    return read_arrays(shardings, tensorstore_specs, global_shapes, dtypes, concurrent_gb)
