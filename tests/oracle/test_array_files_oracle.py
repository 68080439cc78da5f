"""Arrays on disk: what one library writes, the other reads, bit for bit."""
from __future__ import annotations

from collections import OrderedDict, namedtuple
from pathlib import Path
from typing import Any

import jax
import ml_dtypes
import numpy as np
import pytest
from jax.experimental.array_serialization import serialization as theirs

import perspicax as px
from perspicax.experimental.array_serialization import serialization as ours

pytestmark = pytest.mark.oracle

VALUES: dict[str, Any] = {
    "float32": np.linspace(-1, 1, 12, dtype=np.float32).reshape(4, 3), "bfloat16": np.arange(5).astype(ml_dtypes.bfloat16),
    "float8": np.arange(4).astype(ml_dtypes.float8_e4m3fn), "int8": np.arange(-3, 3, dtype=np.int8),
    "bool": np.array([True, False]), "complex64": np.array([1 + 2j], np.complex64), "scalar": np.float32(3),
    "empty": np.zeros((0, 2), np.float32),
}


def save(library: Any, serialization: Any, folder: Path, ocdbt: bool) -> None:
    manager = serialization.GlobalAsyncCheckpointManager()
    specs = [serialization.get_tensorstore_spec(str(folder / name), ocdbt=ocdbt) for name in VALUES]
    manager.serialize([library.device_put(value) for value in VALUES.values()], specs)
    manager.wait_until_finished()


def load(library: Any, serialization: Any, folder: Path, ocdbt: bool, **options: Any) -> list[Any]:
    place = library.sharding.SingleDeviceSharding(library.devices()[0])
    specs = [serialization.get_tensorstore_spec(str(folder / name), ocdbt=ocdbt) for name in VALUES]
    return serialization.GlobalAsyncCheckpointManager().deserialize([place] * len(specs), specs, **options)


@pytest.mark.parametrize("ocdbt", [False, True], ids=["files", "database"])
@pytest.mark.parametrize("ours_writes", [True, False])
def test_one_writes_and_the_other_reads(ours_writes: bool, ocdbt: bool, tmp_path: Path) -> None:
    writer, reader = ((px, ours), (jax, theirs)) if ours_writes else ((jax, theirs), (px, ours))
    save(*writer, tmp_path, ocdbt)
    for value, found in zip(VALUES.values(), load(*reader, tmp_path, ocdbt)):
        assert found.dtype == value.dtype and found.shape == value.shape
        assert np.asarray(found).tobytes() == np.asarray(value).tobytes()


def test_files_are_the_same(tmp_path: Path) -> None:
    for name, writer in (("a", (px, ours)), ("b", (jax, theirs))):
        save(*writer, tmp_path / name, False)
    listed = [{path.relative_to(tmp_path / name): path.read_bytes() for path in (tmp_path / name).rglob("*") if path.is_file()}
              for name in "ab"]
    assert listed[0] == listed[1]


def test_shapes_and_dtypes_may_change_while_reading(tmp_path: Path) -> None:
    save(px, ours, tmp_path, False)
    shapes = [tuple(n + 1 for n in np.shape(value)) for value in VALUES.values()]
    dtypes = [np.float32 if name in ("bfloat16", "int8") else None for name in VALUES]
    mine = load(px, ours, tmp_path, False, global_shapes=shapes)
    for a, b in zip(mine, load(jax, theirs, tmp_path, False, global_shapes=shapes)):
        assert a.shape == b.shape and np.asarray(a).tobytes() == np.asarray(b).tobytes()
    mine = load(px, ours, tmp_path, False, dtypes=dtypes)
    assert [str(x.dtype) for x in mine] == [str(x.dtype) for x in load(jax, theirs, tmp_path, False, dtypes=dtypes)]


@pytest.mark.parametrize(("path", "options"), [
    ("/a/b", {}), ("/a/b/", {}), ("/a/b", {"ocdbt": True}), ("/a/b", {"ocdbt": True, "process_idx": 1}), ("gs://u/x/y", {}),
    ("gs://u/x/y", {"ocdbt": True}), ("s3://u/x/y", {}), ("/a/b", {"driver": "zarr3"}), ("a/b", {}),
])
def test_specifications(path: str, options: dict[str, Any]) -> None:
    spec = ours.get_tensorstore_spec(path, **options)
    assert spec == theirs.get_tensorstore_spec(path, **options)
    assert ours.is_remote_storage(spec) == theirs.is_remote_storage(spec) == path.startswith(("gs:", "s3:"))


def test_what_cannot_be_read() -> None:
    for library, serialization in ((jax, theirs), (px, ours)):
        place = library.sharding.SingleDeviceSharding(library.devices()[0])
        with pytest.raises(ValueError, match="nothing"):
            serialization.GlobalAsyncCheckpointManager().deserialize_with_paths([place], ["/nowhere/nothing"])
        with pytest.raises(ValueError):
            serialization.get_tensorstore_spec("gs://bucket/only", ocdbt=True)


Pair = namedtuple("Pair", "left right")


def tree_of(numpy: Any) -> Any:
    leaves = iter(map(numpy.asarray, VALUES.values()))
    return {"none": None, "empty": [(), [], {}], "a": next(leaves), "ü": OrderedDict(z=next(leaves), b=[next(leaves)]),
            "a longer name": Pair(next(leaves), (next(leaves), None, next(leaves))), "rest": list(leaves)}


def test_a_tree_that_one_saves_the_other_loads(tmp_path: Path) -> None:
    pytest.importorskip("flatbuffers")  # JAX needs it to write the structure
    from jax.experimental.array_serialization import pytree_serialization as their_trees

    from perspicax.experimental.array_serialization import pytree_serialization as our_trees

    for library in (jax, px):
        library.export.register_namedtuple_serialization(Pair, serialized_name="tests.array_files_oracle.Pair")
    both = ((jax, jax.numpy, their_trees), (px, px.numpy, our_trees))
    for library, numpy, files in both:
        files.save(tree_of(numpy), tmp_path / library.__name__)
    for (library, numpy, files), (writer, *_) in zip(both, reversed(both)):
        place = library.sharding.SingleDeviceSharding(library.devices()[0])
        found, expected = files.load(tmp_path / writer.__name__, place), tree_of(numpy)
        assert library.tree.structure(found) == library.tree.structure(expected)
        for a, b in zip(library.tree.leaves(found), library.tree.leaves(expected)):
            assert a.dtype == b.dtype and np.asarray(a).tobytes() == np.asarray(b).tobytes()
        types = [files.load_pytreedef(tmp_path / name) for name in ("jax", "perspicax")]
        assert types[0] == types[1]


@pytest.mark.parametrize(("call", "kind"), [
    (lambda files, x, folder: files.save({"a": 1}, folder / "a"), ValueError),
    (lambda files, x, folder: files.save({1: x}, folder / "a"), TypeError),
    (lambda files, x, folder: files.save({"a": namedtuple("N", "x")(x)}, folder / "a"), ValueError),
    (lambda files, x, folder: files.save({"a": x}, folder / "b" / "c"), FileNotFoundError),
    (lambda files, x, folder: files.save({"a": x}, Path(__file__)), NotADirectoryError),
    (lambda files, x, folder: files.save({"a": x}, Path(__file__).parent), RuntimeError),
    (lambda files, x, folder: files.save({"a": x}, Path(__file__).parent, overwrite=False), ValueError),
    (lambda files, x, folder: files.save({"a": x}, folder / "a", ts_specs={"b": None}), ValueError),
    (lambda files, x, folder: files.load(folder / "a", None), AssertionError),
    (lambda files, x, folder: files.load_pytreedef(folder), FileNotFoundError),
    (lambda files, x, folder: (files.save({"a": x}, folder / "a"), files.load(folder / "a", None)), TypeError),
    (lambda files, x, folder: (files.save({"a": x}, folder / "a"), files.load(folder / "a", {"b": None})), ValueError),
])
def test_what_is_wrong_with_a_tree(call: Any, kind: type, tmp_path: Path) -> None:
    pytest.importorskip("flatbuffers")
    from jax.experimental.array_serialization import pytree_serialization as their_trees

    from perspicax.experimental.array_serialization import pytree_serialization as our_trees

    for files, numpy in ((their_trees, jax.numpy), (our_trees, px.numpy)):
        folder = tmp_path / numpy.__name__
        folder.mkdir()
        with pytest.raises(kind):
            call(files, numpy.ones(2), folder)
