"""Trees of arrays in folders: what is saved is loaded; a save cut short leaves the one before; what is wrong is told."""
from __future__ import annotations

import asyncio
import base64
import json
import os
from collections import OrderedDict, namedtuple
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import perspicax as px
import perspicax.numpy as jnp
from perspicax.api import tree_files
from perspicax.api.array_file_errors import ArrayFileError, NoSavedTreeError, SaveFolderError
from perspicax.api.export_errors import ExportError, ExportFormatError
from perspicax.core.tree_errors import PrefixMismatchError
from perspicax.experimental.array_serialization import pytree_serialization as files

Pair = namedtuple("Pair", "left right")
px.export.register_namedtuple_serialization(Pair, serialized_name="tests.tree_files.Pair")
Unknown = namedtuple("Unknown", "x")


def place() -> Any:
    return px.sharding.SingleDeviceSharding(px.devices()[0])


def data(value: float = 0.0) -> dict[str, Any]:
    return {"w": jnp.arange(6.0).reshape(2, 3) + value, "none": None, "empty": (),
            "more": [Pair(jnp.ones(2, jnp.bfloat16), OrderedDict(z=jnp.int8(3), a=jnp.zeros((0, 2)))), (jnp.array(True),)]}


def shown(tree: Any) -> Any:
    return px.tree.structure(tree), [(np.asarray(x).tolist(), str(x.dtype), x.shape) for x in px.tree.leaves(tree)]


def test_a_tree_is_loaded_as_it_was_saved(tmp_path: Path) -> None:
    files.save(data(), tmp_path / "a")
    found = files.load(tmp_path / "a", place())
    assert shown(found) == shown(data()) and all(x.committed for x in px.tree.leaves(found))
    assert files.load_pytreedef(tmp_path / "a") == px.tree.map(lambda x: px.ShapeDtypeStruct(x.shape, x.dtype), data())
    assert sorted(os.listdir(tmp_path)) == ["a"] and sorted(os.listdir(tmp_path / "a")) == ["array_store", "pytreedef.json"]
    files.save(jnp.float32(7), tmp_path / "a")  # it replaces what was there
    assert float(files.load(tmp_path / "a", place())) == 7


def test_a_part_is_loaded_and_dtypes_are_changed(tmp_path: Path) -> None:
    files.save({"a": jnp.arange(3.0), "b": [jnp.ones(2), jnp.ones(2)]}, tmp_path / "a")
    asked = {"a": px.ShapeDtypeStruct((3,), np.int32, sharding=place()), "b": place()}
    found = files.load(tmp_path / "a", asked, mask={"a": True, "b": [False, True]})
    assert found["a"].dtype == np.int32 and found["a"].tolist() == [0, 1, 2]
    assert found["b"][0] is None and found["b"][1].tolist() == [1, 1]


def test_saves_in_the_background_have_the_values_of_the_call(tmp_path: Path) -> None:
    x = jnp.arange(4.0)
    future = files.nonblocking_save({"x": x}, tmp_path / "a")
    x.delete()
    later = files.nonblocking_save({"x": jnp.arange(4.0) + 1}, tmp_path / "b")
    assert future.pytree == {"x": px.ShapeDtypeStruct((4,), np.float32)} and future.result() is None and future.done()
    assert repr(future) == "PyTreeFuture(done=True, pytree={'x': ShapeDtypeStruct(shape=(4,), dtype=float32)})"

    async def both() -> Any:
        await later
        return await files.nonblocking_load(tmp_path / "a", place()), await files.nonblocking_load(tmp_path / "b", place())

    assert [tree["x"].tolist() for tree in asyncio.run(both())] == [[0, 1, 2, 3], [1, 2, 3, 4]]
    assert not future.cancel()


def test_tensorstore_is_told_how_to_write(tmp_path: Path) -> None:
    specs = {"x": {"driver": "zarr", "metadata": {"chunks": [2]}}, "y": None}
    files.save({"x": jnp.arange(4.0), "y": jnp.ones(1)}, tmp_path / "a", ts_specs=specs)
    assert files.load(tmp_path / "a", place(), ts_specs={"x": {"driver": "zarr"}, "y": None})["x"].tolist() == [0, 1, 2, 3]
    with pytest.raises(ArrayFileError, match="NOT_FOUND"):
        files.load(tmp_path / "a", place())
    with pytest.raises(ArrayFileError, match="must_understand"):
        files.save([jnp.ones(1)], tmp_path / "b", ts_specs=[{"driver": "zarr3", "metadata": {"chunks": [1]}}])
    with pytest.raises(ArrayFileError, match="within the folder that the save replaces"):
        inside = {"driver": "zarr", "kvstore": {"driver": "file", "path": str(tmp_path / "b" / "x")}}
        files.save([jnp.ones(1)], tmp_path / "b", ts_specs=[inside])


@pytest.mark.parametrize("where", ["begun", "described", "moved away", "put in place"])
def test_a_save_that_is_cut_short_leaves_the_one_before(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, where: str) -> None:
    class Killed(BaseException):
        pass

    def kill(*_: Any, **__: Any) -> None:
        raise Killed

    files.save(data(1), tmp_path / "a")
    with monkeypatch.context() as patch:
        match where:
            case "begun":
                patch.setattr(tree_files, "start_open", kill)
            case "described":
                patch.setattr(tree_files, "write_description", lambda *_: b"{")
                patch.setattr(tree_files.os, "rename", kill)
            case "moved away":
                renames: Any = iter([os.rename, kill])
                patch.setattr(tree_files.os, "rename", lambda *a: next(renames)(*a))
            case "put in place":
                removes = iter([tree_files._remove, tree_files._remove, kill])
                patch.setattr(tree_files, "_remove", lambda *a: next(removes)(*a))
        with pytest.raises(Killed):
            files.save(data(2), tmp_path / "a")
    assert shown(files.load(tmp_path / "a", place())) == shown(data(2 if where == "put in place" else 1))
    files.save(data(3), tmp_path / "a")
    assert shown(files.load(tmp_path / "a", place())) == shown(data(3)) and os.listdir(tmp_path) == ["a"]


def test_what_is_not_to_be_replaced_stays(tmp_path: Path) -> None:
    files.save(data(), tmp_path / "a")
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "thesis.txt").write_text("x")
    (tmp_path / "empty").mkdir()
    for folder, options, kind in (("a", {"overwrite": False}, "exists"), ("other", {}, "foreign"),
                                  ("other/thesis.txt", {}, "file")):
        with pytest.raises(SaveFolderError) as caught:
            files.save(data(), tmp_path / folder, **options)
        assert caught.value.kind == kind
    assert (tmp_path / "other" / "thesis.txt").read_text() == "x"
    with pytest.raises(NoSavedTreeError) as missing:
        files.save(data(), tmp_path / "no" / "such")
    assert missing.value.kind == "parent"
    files.save(data(), tmp_path / "empty", overwrite=False)
    assert shown(files.load(tmp_path / "empty", place())) == shown(data())


def test_a_tree_is_saved_at_an_address_of_tensorstores(tmp_path: Path) -> None:
    address = "memory://trees/a"
    files.save(data(), address)
    files.save(data(1), address)  # it replaces what was there
    assert shown(files.load(address, place())) == shown(data(1))
    mask = {"w": True, "none": None, "empty": (), "more": False}
    assert px.tree.leaves(files.nonblocking_load(address, place(), mask=mask).result())[0].tolist() == [[1, 2, 3], [4, 5, 6]]
    for wrong, options, kind in ((address, {"overwrite": False}, "exists"), ("memory://trees", {}, "foreign")):
        with pytest.raises(SaveFolderError) as caught:
            files.save(data(), wrong, **options)
        assert caught.value.kind == kind
    inside = {"driver": "zarr", "kvstore": {"driver": "memory", "path": "trees/a/x"}}
    with pytest.raises(ArrayFileError, match="it would lie within the folder"):
        files.save([jnp.ones(1)], address, ts_specs=[inside])
    with pytest.raises(NoSavedTreeError) as missing:  # that save had begun
        files.load_pytreedef(address)
    assert missing.value.kind == "description"
    files.save(data(), f"file://{tmp_path}/a")
    assert shown(files.load(tmp_path / "a", place())) == shown(data())


def test_trees_that_cannot_be_saved_are_told(tmp_path: Path) -> None:
    with pytest.raises(ArrayFileError) as caught:
        files.save({"a": [3, jnp.ones(2)], "b": np.ones(2)}, tmp_path / "a")
    assert caught.value.leaves == (("['a'][0]", "int"), ("['b']", "ndarray"))
    for wrong, kind in (({1: jnp.ones(2)}, TypeError), (Unknown(jnp.ones(2)), ValueError)):
        with pytest.raises(ExportError) as refused:
            files.save(wrong, tmp_path / "a")
        assert isinstance(refused.value, kind)
    with pytest.raises(ArrayFileError, match='unsupported URL scheme "nowhere"'):
        files.save(data(), "nowhere://bucket/a")
    with pytest.raises(PrefixMismatchError):
        files.save({"a": jnp.ones(2)}, tmp_path / "a", ts_specs={"b": None})
    future = files.nonblocking_save({"a": 3}, tmp_path / "a")
    with pytest.raises(ArrayFileError):
        future.result()
    assert os.listdir(tmp_path) == []


def test_trees_that_cannot_be_loaded_are_told(tmp_path: Path) -> None:
    with pytest.raises(AssertionError) as missing:
        files.load(tmp_path / "a", place())
    assert isinstance(missing.value, NoSavedTreeError) and missing.value.kind == "folder"
    with pytest.raises(FileNotFoundError) as empty:
        files.load_pytreedef(tmp_path)
    assert isinstance(empty.value, NoSavedTreeError) and empty.value.kind == "description"
    files.save(data(), tmp_path / "a")
    with pytest.raises(ArrayFileError, match="a sharding is needed"):
        files.nonblocking_load(tmp_path / "a", None).result()
    with pytest.raises(PrefixMismatchError, match="load_pytreedef"):
        files.load(tmp_path / "a", {"w": place()})


def test_a_damaged_description_is_told_whatever_is_damaged(tmp_path: Path) -> None:
    files.save(data(), tmp_path / "a")
    path = tmp_path / "a" / "pytreedef.json"
    said = json.loads(path.read_text())
    buffer = base64.b64decode(said["__jax_pytreedef_repr"])
    random = np.random.default_rng(0)
    told = 0
    for _ in range(300):
        damaged = bytearray(buffer)
        for at in random.integers(0, len(buffer), 3):
            damaged[at] = random.integers(0, 256)
        path.write_text(json.dumps({**said, "__jax_pytreedef_repr": base64.b64encode(damaged).decode()}))
        try:
            files.load_pytreedef(tmp_path / "a")
        except (ArrayFileError, ExportFormatError):
            told += 1
    assert told > 100  # the others changed a key, or what nothing looks at
    for text in ("", "[]", "{}", json.dumps({**said, "__jax_leaf_ids": said["__jax_leaf_ids"][:-1]}),
                 json.dumps({**said, "__jax_leaf_ids": ["Array(float33[2])"] * len(said["__jax_leaf_ids"])})):
        path.write_text(text)
        with pytest.raises(ArrayFileError) as caught:
            files.load_pytreedef(tmp_path / "a")
        assert caught.value.kind == "description"
