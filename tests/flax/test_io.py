"""`flax.io`: files of this machine and of other storages."""
from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest

from perspicax.diagnose.optional import MissingPackageError
from perspicax.flax import errors, io
from perspicax.flax.file_errors import BackendModeError, StorageSchemeError
from perspicax.flax.metrics.tensorboard import SummaryWriter
from perspicax.flax.training import orbax_utils
from perspicax.flax.training.orbax_files import read_orbax


@pytest.fixture(params=["local", "memory"])
def folder(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "local":
        return str(tmp_path)
    pytest.importorskip("fsspec")
    return f"memory://{tmp_path.name}"


def put(path: str, text: str) -> None:
    with io.GFile(path, "w") as file:
        file.write(text)


def get(path: str) -> str:
    with io.GFile(path, "r") as file:
        return file.read()


def test_files_are_made_found_copied_renamed_and_removed(folder: str) -> None:
    io.makedirs(f"{folder}/a/b")
    io.makedirs(f"{folder}/a/b")
    put(f"{folder}/a/b/one", "1")
    put(f"{folder}/a/b/two", "22")
    assert io.exists(f"{folder}/a/b/one") and not io.exists(f"{folder}/a/b/three")
    assert io.isdir(f"{folder}/a/b") and not io.isdir(f"{folder}/a/b/one")
    assert sorted(io.listdir(f"{folder}/a/b")) == ["one", "two"]
    assert [path.rpartition("/")[2] for path in io.glob(f"{folder}/a/b/t*")] == ["two"]
    assert io.getsize(f"{folder}/a/b/two") == 2
    io.copy(f"{folder}/a/b/one", f"{folder}/a/b/three")
    assert get(f"{folder}/a/b/three") == "1"
    io.rename(f"{folder}/a/b/three", f"{folder}/a/b/four")
    assert not io.exists(f"{folder}/a/b/three")
    for change in (io.copy, io.rename):
        with pytest.raises(errors.AlreadyExistsError) as caught:
            change(f"{folder}/a/b/four", f"{folder}/a/b/two")
        assert caught.value.path == f"{folder}/a/b/two" and get(f"{folder}/a/b/two") == "22"
    io.copy(f"{folder}/a/b/four", f"{folder}/a/b/two", overwrite=True)
    assert get(f"{folder}/a/b/two") == "1"
    io.rename(f"{folder}/a/b/four", f"{folder}/a/b/two", overwrite=True)
    io.remove(f"{folder}/a/b/one")
    assert io.listdir(f"{folder}/a/b") == ["two"]
    io.rmtree(f"{folder}/a")
    assert not io.exists(f"{folder}/a/b/two")


@pytest.mark.parametrize("call", [io.listdir, io.getsize, io.remove, io.rmtree])
def test_what_is_not_there_is_pythons_error(call: Any, tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        call(str(tmp_path / "nowhere"))


def test_modes() -> None:
    assert io.io_mode is io.BackendMode.DEFAULT
    with io.override_mode(io.BackendMode.DEFAULT):
        pass
    with pytest.raises(BackendModeError):
        io.set_mode(3)  # type: ignore[arg-type]
    try:
        import tensorflow  # noqa: F401
    except ImportError:
        with pytest.raises(MissingPackageError) as caught:
            io.set_mode(io.BackendMode.TF)
        assert caught.value.package.startswith("tensorflow")
    assert io.io_mode is io.BackendMode.DEFAULT


@pytest.mark.parametrize("package, extra, call", [
    ("fsspec", "remote", lambda: io.exists("s3://bucket/file")),
    ("tensorboardX", "tensorboard", lambda: SummaryWriter("nowhere")),
    ("tensorstore", "checkpoint", lambda: read_orbax("nowhere")),
    ("orbax", "orbax", lambda: orbax_utils.save_args_from_target({"a": 1}))])
def test_an_extra_that_is_missing_is_named(package: str, extra: str, call: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [*sys.modules, package]:
        if name.partition(".")[0] == package:
            monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(MissingPackageError) as caught:
        call()
    assert caught.value.extra == extra and caught.value.package.startswith(package)
    assert f'pip install "perspicax[{extra}]"' in str(caught.value)


def test_two_storages(tmp_path: Path) -> None:
    with pytest.raises(BackendModeError):
        io.copy(str(tmp_path / "a"), "memory://a")


def test_an_unknown_scheme_is_told_with_those_that_are_known() -> None:
    with pytest.raises(StorageSchemeError) as caught:
        io.exists("memry://bucket/file")
    assert caught.value.scheme == "memry" and "memory" in caught.value.known
    assert "did you mean 'memory'?" in str(caught.value)


@pytest.mark.parametrize("scheme, package", [("gs", "gcsfs"), ("s3", "s3fs"), ("abfs", "adlfs")])
def test_a_storage_whose_package_is_missing_names_it(scheme: str, package: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [*sys.modules, package]:
        if name.partition(".")[0] == package:
            monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(MissingPackageError) as caught:
        io.exists(f"{scheme}://bucket/file")
    assert (caught.value.package, caught.value.name) == (package, package)
    assert f"pip install {package}" in str(caught.value) and f"`{scheme}://`" in str(caught.value)
