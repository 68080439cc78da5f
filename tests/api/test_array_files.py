"""Arrays on disk, in one process: what is written is read; saves go on in the background; what is wrong is told."""
from __future__ import annotations

import asyncio
import socket
import sys
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import perspicax as px
from perspicax.api import array_files, tree_stores
from perspicax.api.array_file_errors import ArrayFileError
from perspicax.diagnose.optional import MissingPackageError
from perspicax.experimental.array_serialization import pytree_serialization, serialization
from perspicax.xla.errors import DeletedArrayError

X = np.arange(6, dtype=np.int32).reshape(2, 3)


def place() -> Any:
    return px.sharding.SingleDeviceSharding(px.devices()[0])


def spec(path: Path) -> dict[str, Any]:
    return serialization.get_tensorstore_spec(str(path))


def test_written_and_read_at_once(tmp_path: Path) -> None:
    serialization.run_serialization([px.numpy.asarray(X)], [spec(tmp_path / "x")])
    (found,) = serialization.run_deserialization([place()], [spec(tmp_path / "x")])
    assert found.tolist() == X.tolist() and found.dtype == np.int32 and found.committed


def test_written_and_read_by_coroutines(tmp_path: Path) -> None:
    async def both() -> Any:
        later: list[Any] = []
        await serialization.async_serialize(px.numpy.asarray(X), spec(tmp_path / "a"), commit_future=later)
        await serialization.async_serialize(px.numpy.asarray(X * 2), spec(tmp_path / "b"))
        for future in later:
            await future
        like = px.ShapeDtypeStruct((3, 3), np.float32, sharding=place())
        return (await serialization.async_deserialize(place(), spec(tmp_path / "b")),
                await serialization.async_deserialize(like, spec(tmp_path / "a")))

    whole, changed = asyncio.run(both())
    assert whole.tolist() == (X * 2).tolist()
    assert changed.tolist() == [*X.tolist(), [0, 0, 0]] and changed.dtype == np.float32


def test_the_callback_comes_when_all_is_written_and_an_error_in_it_is_told_once(tmp_path: Path) -> None:
    manager = serialization.GlobalAsyncCheckpointManager()
    assert isinstance(manager, serialization.GlobalAsyncCheckpointManagerBase)
    assert isinstance(manager, serialization.AsyncManager)
    seen: list[Any] = []

    def commit() -> None:
        seen.append((threading.current_thread() is threading.main_thread(), (tmp_path / "x" / "0.0").exists()))

    manager.serialize_with_paths([px.numpy.asarray(X)], [str(tmp_path / "x")], on_commit_callback=commit)
    manager.wait_until_finished()
    assert seen == [(False, True)]

    def fails() -> None:
        raise OSError("no room")

    manager.serialize_with_paths([px.numpy.asarray(X)], [str(tmp_path / "y")], on_commit_callback=fails)
    with pytest.raises(OSError, match="no room"):
        manager.wait_until_finished()
    manager.check_for_errors()  # it was told


def test_a_transaction_writes_all_or_nothing(tmp_path: Path) -> None:
    tensorstore = pytest.importorskip("tensorstore")
    manager = serialization.GlobalAsyncCheckpointManager()
    manager.serialize([px.numpy.asarray(X)], [spec(tmp_path / "x")], transaction=tensorstore.Transaction())
    (found,) = manager.deserialize([place()], [spec(tmp_path / "x")])
    assert found.tolist() == X.tolist()


def test_limits_are_shared() -> None:
    assert serialization.TS_CONTEXT is serialization.TS_CONTEXT
    assert type(serialization.TS_CONTEXT).__name__ == "Context"


@pytest.mark.parametrize(("arrays", "kind", "words"), [
    ([X], "array", "class `ndarray` was to be saved"), ([], "lengths", "0 arrays for 1 specifications"),
], ids=["no array", "too few"])
def test_what_cannot_be_saved(arrays: list[Any], kind: str, words: str, tmp_path: Path) -> None:
    for save in (serialization.run_serialization, serialization.GlobalAsyncCheckpointManager().serialize):
        with pytest.raises(ArrayFileError, match=words) as error:
            save(arrays, [spec(tmp_path / "x")])
        assert error.value.kind == kind


def test_keys_and_deleted_arrays_cannot_be_saved(tmp_path: Path) -> None:
    with pytest.raises(ArrayFileError, match="random keys are no numbers"):
        serialization.run_serialization([px.random.key(0)], [spec(tmp_path / "x")])
    gone = px.numpy.arange(3)
    gone.delete()
    with pytest.raises(DeletedArrayError):
        serialization.run_serialization([gone], [spec(tmp_path / "x")])


def test_what_cannot_be_read(tmp_path: Path) -> None:
    serialization.run_serialization([px.numpy.asarray(X)], [spec(tmp_path / "x")])
    here = [spec(tmp_path / "x")]
    cases: list[tuple[str, Any]] = [
        ("read", lambda: serialization.run_deserialization([place()], [spec(tmp_path / "nothing")])),
        ("rank", lambda: serialization.run_deserialization([place()], here, [(6,)])),
        ("sharding", lambda: serialization.run_deserialization([3], here)),
        ("lengths", lambda: serialization.run_deserialization([], here)),
        ("bucket", lambda: serialization.get_tensorstore_spec("gs://bucket")),
        ("database", lambda: serialization.get_tensorstore_spec("gs://bucket/x", ocdbt=True)),
    ]
    for kind, call in cases:
        with pytest.raises(ArrayFileError) as error:
            call()
        assert error.value.kind == kind and isinstance(error.value, ValueError)
    (tmp_path / "x" / "0.0").write_bytes(b"torn")
    with pytest.raises(ArrayFileError, match="ZSTD") as torn:
        serialization.run_deserialization([place()], here)
    assert torn.value.path == str(tmp_path / "x")


def test_an_address_that_cannot_be_reached_is_told_soon(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    said = array_files.new_context().spec.to_json()
    for kind in ("gcs", "s3", "http"):  # in all about 40 s, and not tensorstore's quarter of an hour
        pauses = said[f"{kind}_request_retries"]
        assert pauses["max_retries"] == 8 and pauses["max_delay"] == "8s"
    monkeypatch.setattr(array_files, "RETRIES", {"max_retries": 2, "initial_delay": "1ms", "max_delay": "2ms"})
    monkeypatch.setattr(array_files, "_contexts", [])
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))  # nothing listens here
        address = f"http://127.0.0.1:{unused.getsockname()[1]}/x/"
        with pytest.raises(ArrayFileError, match="is asked again, after pauses") as array:
            serialization.run_deserialization([place()], [{"driver": "zarr", "kvstore": address}])
        with pytest.raises(ArrayFileError, match="which cannot be reached") as folder:
            pytree_serialization.load(address, place())
    assert array.value.unreachable and folder.value.unreachable
    monkeypatch.setattr(tree_stores, "ANSWER_SECONDS", 0.2)
    with socket.create_server(("127.0.0.1", 0)) as silent, pytest.raises(ArrayFileError, match="Nothing answers at") as waited:
        pytree_serialization.load(f"http://127.0.0.1:{silent.getsockname()[1]}/x", place())
    assert waited.value.kind == "no answer"


def test_the_package_is_asked_for(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setitem(sys.modules, "tensorstore", None)
    with pytest.raises(MissingPackageError, match=r"perspicax\[checkpoint\]"):
        serialization.run_serialization([px.numpy.asarray(X)], [spec(tmp_path / "x")])
