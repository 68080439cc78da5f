"""The disk cache: what is put comes back or is missed, never changed; trouble costs one warning and nothing else."""

import errno
import itertools
import os
import shutil
import socket
import stat
import subprocess
import tempfile
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from perspicax.xla import cache as cache_module
from perspicax.xla.cache import CacheWarning, DiskCache, Entry, default_folder, key_of, open_default

KEY = key_of("a program")
OTHER_KEY = key_of("another program")
BLOB = bytes(range(256)) * 8
META = {"targets": ["lapack"], "outputs": 2, "kept": [0, 2]}
OTHER_USER = 54321

posix = pytest.mark.skipif(os.name != "posix", reason="folders' owners and modes are POSIX's")
as_root = pytest.mark.skipif(
    not hasattr(os, "geteuid") or os.geteuid() != 0, reason="only root may give files to other users"
)
pytestmark = posix


@pytest.fixture(autouse=True)
def told_afresh(monkeypatch: pytest.MonkeyPatch) -> None:
    """What was told once in this process may be told again in each test."""
    monkeypatch.setattr(cache_module, "_told", {})


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "cache"


@pytest.fixture
def cache(folder: Path) -> DiskCache:
    return DiskCache(folder)


@contextmanager
def troubles() -> Iterator[list[CacheWarning]]:
    """Collects the warnings of its block; any of another kind fails the test."""
    found: list[CacheWarning] = []
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        yield found
    for each in caught:
        assert isinstance(each.message, CacheWarning), each
        found.append(each.message)


@contextmanager
def quiet() -> Iterator[None]:
    """Fails the test at the first warning."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        yield


def entry_file(folder: Path, key: str = KEY) -> Path:
    return folder / (key + cache_module.SUFFIX)


def names(folder: Path) -> list[str]:
    return sorted(os.listdir(folder))


def refuses_once(cache: DiskCache) -> CacheWarning:
    """Use a cache in every way: all must fail quietly but for the one warning, which is returned."""
    with troubles() as found:
        assert cache.get(KEY) is None
        assert cache.put(KEY, BLOB, META) is False
        assert cache.wants() is False  # nobody need serialise for it now
        assert cache.get(KEY) is None
    assert len(found) == 1, found
    return found[0]


# ---------------------------------------------------------------- keys


parts = st.lists(st.one_of(st.text(st.characters()), st.binary()), max_size=4)


@given(parts, parts)
def test_two_keys_are_equal_exactly_when_their_parts_are(left: list[str | bytes], right: list[str | bytes]) -> None:
    assert (key_of(*left) == key_of(*right)) == (left == right)


def test_a_key_does_not_depend_on_the_process_or_on_where_parts_are_cut() -> None:
    assert key_of("ab", b"c") == key_of("ab", b"c") != key_of("a", b"bc")
    assert key_of("ab") != key_of(b"ab")
    # Fixed by the format: changing this number makes every cache on every disk useless.
    assert key_of("module", b"options") == "20a6d80b7fd70f85efee99fc16bb148c42c151fb13c27e769b705bb7c73b09ed"


@pytest.mark.parametrize("key", ["", ".", "..", "../outside", "a/b", "a\0b", "é", "x" * 200])
def test_a_key_that_is_no_file_name_is_missed_and_not_stored(cache: DiskCache, folder: Path, key: str) -> None:
    with quiet():
        assert cache.put(key, BLOB, META) is False
        assert cache.get(key) is None
    assert not folder.exists()


# ---------------------------------------------------------------- what goes in comes out


json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(st.characters(exclude_categories=["Cs"])),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=8,
)


@settings(max_examples=50)
@given(blob=st.binary(max_size=5000), meta=st.dictionaries(st.text(max_size=5), json_values, max_size=4))
def test_what_was_put_is_got_by_this_and_by_another_process(blob: bytes, meta: dict[str, object]) -> None:
    with tempfile.TemporaryDirectory() as scratch, quiet():
        assert DiskCache(Path(scratch, "cache")).put(KEY, blob, meta) is True
        another = DiskCache(Path(scratch, "cache"))  # holds nothing in memory, like a new process
        assert another.get(KEY) == Entry(blob, meta)
        assert another.get(OTHER_KEY) is None


def test_a_second_put_replaces_the_first(cache: DiskCache, folder: Path) -> None:
    with quiet():
        assert cache.put(KEY, b"old", {"n": 1}) and cache.put(KEY, b"new", {"n": 2})
        assert cache.get(KEY) == Entry(b"new", {"n": 2})
    assert names(folder) == [entry_file(folder).name]


def test_a_description_that_is_not_json_is_reported_and_not_stored(cache: DiskCache, folder: Path) -> None:
    with troubles() as found:
        assert cache.put(KEY, BLOB, {"target": b"bytes"}) is False
    assert [w.what for w in found] == ["A compiled program is not cached"]
    assert "bytes" in found[0].why
    assert not folder.exists()


def test_short_writes_and_short_reads_are_continued(cache: DiskCache, monkeypatch: pytest.MonkeyPatch) -> None:
    write, read = os.write, os.read
    monkeypatch.setattr(os, "write", lambda file, data: write(file, data[:100]))
    monkeypatch.setattr(os, "read", lambda file, count: read(file, min(count, 33)))
    with quiet():
        assert cache.put(KEY, BLOB, META)
        assert cache.get(KEY) == Entry(BLOB, META)


def test_opening_touches_no_disk(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PERSPICAX_CACHE_DIR", str(folder))
    assert open_default() is not None
    assert not folder.exists()


def test_a_miss_makes_no_folder(cache: DiskCache, folder: Path) -> None:
    with quiet():
        assert cache.get(KEY) is None
    assert not folder.exists()


@pytest.mark.skipif(not os.path.isdir("/proc/self/fd"), reason="counts open files in /proc")
def test_no_file_stays_open(cache: DiskCache, folder: Path) -> None:
    before = len(os.listdir("/proc/self/fd"))
    with troubles():
        cache.get(KEY)
        cache.put(KEY, BLOB, META)
        cache.get(KEY)
        entry_file(folder).write_bytes(b"damage")
        cache.get(KEY)
        folder.chmod(0o777)
        cache.get(KEY)
        cache.put(KEY, BLOB, META)
    assert len(os.listdir("/proc/self/fd")) == before


# ---------------------------------------------------------------- damage


damage = st.one_of(
    st.tuples(st.just("flip"), st.integers(0, 10**6), st.integers(1, 255)),
    st.tuples(st.just("cut"), st.integers(0, 10**6), st.just(0)),
    st.tuples(st.just("lengthen"), st.integers(1, 100), st.integers(0, 255)),
    st.tuples(st.just("zero the end"), st.integers(1, 10**6), st.just(0)),
)


def damaged(data: bytes, how: tuple[str, int, int]) -> bytes:
    kind, place, value = how
    at = place % len(data)
    if kind == "flip":
        return data[:at] + bytes([data[at] ^ value]) + data[at + 1 :]
    if kind == "cut":
        return data[:at]
    if kind == "lengthen":
        return data + bytes([value]) * place
    return data[:at] + bytes(len(data) - at)


@settings(max_examples=200)
@given(blob=st.binary(min_size=1, max_size=300), how=damage)
def test_a_damaged_entry_is_missed_removed_reported_once_and_rebuilt(blob: bytes, how: tuple[str, int, int]) -> None:
    with tempfile.TemporaryDirectory() as scratch:
        cache, file = DiskCache(Path(scratch, "cache")), entry_file(Path(scratch, "cache"))
        assert cache.put(KEY, blob, META)
        whole = file.read_bytes()
        torn = damaged(whole, how)
        if torn == whole:  # the end was zero already
            return
        with troubles() as found:
            for _ in range(2):
                file.write_bytes(torn)
                assert cache.get(KEY) is None
                assert not file.exists()
        assert [w.what for w in found] == ["The cache of compiled programs was damaged"]
        assert file.name in found[0].why
        with quiet():
            assert cache.put(KEY, blob, META)
            assert cache.get(KEY) == Entry(blob, META)


def test_an_entry_under_another_name_is_not_taken_for_it(cache: DiskCache, folder: Path) -> None:
    assert cache.put(KEY, BLOB, META)
    shutil.copy(entry_file(folder), entry_file(folder, OTHER_KEY))
    with troubles() as found:
        assert cache.get(OTHER_KEY) is None
    assert len(found) == 1
    assert cache.get(KEY) == Entry(BLOB, META)


def test_a_header_that_promises_terabytes_asks_for_no_memory(cache: DiskCache, folder: Path) -> None:
    folder.mkdir(0o700)
    header = cache_module._HEADER.pack(cache_module._MAGIC, 2, 1 << 42, bytes(32))
    entry_file(folder).write_bytes(header + b"{}")
    with troubles() as found:
        assert cache.get(KEY) is None
    assert len(found) == 1


def make_pipe(path: Path, scratch: Path) -> None:
    os.mkfifo(path, 0o600)


def make_link(path: Path, scratch: Path) -> None:
    (scratch / "elsewhere").write_bytes(BLOB)
    path.symlink_to(scratch / "elsewhere")


def make_link_to_a_good_entry(path: Path, scratch: Path) -> None:
    elsewhere = DiskCache(scratch / "elsewhere")
    assert elsewhere.put(KEY, BLOB, META)
    path.symlink_to(entry_file(scratch / "elsewhere"))


def make_dangling_link(path: Path, scratch: Path) -> None:
    path.symlink_to(scratch / "nothing")


def make_socket(path: Path, scratch: Path) -> None:
    with tempfile.TemporaryDirectory() as short, socket.socket(socket.AF_UNIX) as listener:  # a socket's path is short
        listener.bind(short + "/s")
        os.rename(short + "/s", path)


def make_writable_by_all(path: Path, scratch: Path) -> None:
    assert DiskCache(path.parent).put(KEY, BLOB, META)
    path.chmod(0o666)


@pytest.mark.parametrize(
    "make",
    [make_pipe, make_link, make_link_to_a_good_entry, make_dangling_link, make_socket, make_writable_by_all],
    ids=lambda make: make.__name__.removeprefix("make_"),
)
def test_what_is_no_plain_file_of_the_user_is_no_entry(
    cache: DiskCache, folder: Path, tmp_path: Path, make: Callable[[Path, Path], None]
) -> None:
    folder.mkdir(0o700)
    make(entry_file(folder), tmp_path)
    with troubles() as found:
        assert cache.get(KEY) is None
    assert len(found) == 1 and "no plain file of yours" in found[0].why
    with quiet():
        assert cache.put(KEY, BLOB, META)
        assert cache.get(KEY) == Entry(BLOB, META)


@as_root
def test_a_good_entry_of_another_user_is_not_loaded(cache: DiskCache, folder: Path) -> None:
    assert cache.put(KEY, BLOB, META)
    os.chown(entry_file(folder), OTHER_USER, -1)
    with troubles() as found:
        assert cache.get(KEY) is None
    assert len(found) == 1 and "no plain file of yours" in found[0].why


def test_a_folder_in_an_entrys_place_is_in_the_way_and_nothing_more(cache: DiskCache, folder: Path) -> None:
    entry_file(folder).mkdir(parents=True)
    folder.chmod(0o700)
    with troubles() as found:
        assert cache.get(KEY) is None
        assert cache.put(KEY, BLOB, META) is False
    assert len(found) == 2  # one says what it is, the other that nothing can be written there
    assert names(folder) == [entry_file(folder).name]


# ---------------------------------------------------------------- whose folder it is


def test_a_new_folder_and_its_parents_are_closed_to_others_whatever_the_umask(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        assert DiskCache(tmp_path / "a" / "b" / "cache").put(KEY, BLOB, META)
    finally:
        os.umask(before)
    for each in ("a", "a/b", "a/b/cache"):
        assert stat.S_IMODE((tmp_path / each).stat().st_mode) == 0o700, each
    assert stat.S_IMODE(entry_file(tmp_path / "a/b/cache").stat().st_mode) == 0o600


@pytest.mark.parametrize("mode", [0o777, 0o775, 0o770, 0o720, 0o702, 0o1777])
def test_a_folder_that_others_may_write_is_refused(cache: DiskCache, folder: Path, mode: int) -> None:
    assert cache.put(KEY, BLOB, META)
    folder.chmod(mode)
    warning = refuses_once(cache)
    assert f"{mode:04o}" in warning.why
    assert f"chmod go-w {folder}" in warning.mend
    assert names(folder) == [entry_file(folder).name]


@pytest.mark.parametrize("mode", [0o700, 0o750, 0o755, 0o2755])
def test_a_folder_that_others_may_only_read_is_used(cache: DiskCache, folder: Path, mode: int) -> None:
    folder.mkdir()
    folder.chmod(mode)
    with quiet():
        assert cache.put(KEY, BLOB, META)
        assert cache.get(KEY) == Entry(BLOB, META)


def test_the_mend_that_is_told_mends(tmp_path: Path) -> None:
    folder = tmp_path / "it's mine"
    cache = DiskCache(folder)
    assert cache.put(KEY, BLOB, META)
    folder.chmod(0o777)
    command = refuses_once(cache).mend.split("`")[1]
    subprocess.run(command, shell=True, check=True)
    with quiet():
        assert cache.get(KEY) == Entry(BLOB, META)


def test_the_text_says_what_where_why_and_how_to_mend(tmp_path: Path) -> None:
    folder = tmp_path / "cache"
    folder.mkdir()
    folder.chmod(0o777)
    with troubles() as found:
        DiskCache(folder, named_by="jax_compilation_cache_dir").get(KEY)
    assert str(found[0]) == (
        f"The cache of compiled programs is not used: {folder}. Others than its owner may write it (mode 0777). "
        "Loading a cached program runs the code in it, so the folder must be one that only you can write. "
        f"To mend it, run `chmod go-w {folder}`, or name another folder in jax_compilation_cache_dir, or switch the "
        "cache off with PERSPICAX_CACHE=0."
    )


def test_a_warning_points_at_the_users_line(cache: DiskCache, folder: Path) -> None:
    folder.mkdir()
    folder.chmod(0o777)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        cache.put(KEY, BLOB, META)
    assert [each.filename for each in caught] == [__file__]


def test_two_caches_on_one_folder_warn_once(folder: Path) -> None:
    folder.mkdir()
    folder.chmod(0o777)
    with troubles() as found:
        DiskCache(folder).get(KEY)
        DiskCache(folder).get(KEY)
    assert len(found) == 1


def test_where_warnings_are_errors_the_warning_is_all_that_is_raised(cache: DiskCache, folder: Path) -> None:
    folder.mkdir()
    folder.chmod(0o777)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(CacheWarning, match="0777"):
            cache.get(KEY)
        assert cache.get(KEY) is None


@as_root
def test_a_folder_of_another_user_is_refused(cache: DiskCache, folder: Path) -> None:
    assert cache.put(KEY, BLOB, META)
    os.chown(folder, OTHER_USER, -1)
    warning = refuses_once(cache)
    assert f"belongs to user {OTHER_USER}" in warning.why
    assert warning.mend.startswith("name another folder in PERSPICAX_CACHE_DIR")


@pytest.mark.parametrize(("mode", "trusted"), [(0o777, False), (0o772, False), (0o1777, True), (0o755, True)])
def test_a_parent_in_which_others_may_swap_the_folder_is_refused(tmp_path: Path, mode: int, trusted: bool) -> None:
    parent = tmp_path / "parent"
    parent.mkdir()
    parent.chmod(mode)
    cache = DiskCache(parent / "cache")
    if trusted:
        with quiet():
            assert cache.put(KEY, BLOB, META)
    else:
        warning = refuses_once(cache)
        assert f"Others may write {parent}, on the way to it (mode {mode:04o})" in warning.why
        assert f"chmod go-w {parent}" in warning.mend
        assert names(parent) == []


@as_root
@pytest.mark.parametrize(("group", "trusted"), [(0, True), (OTHER_USER, False)])
def test_a_parent_that_a_group_may_write_is_trusted_only_if_the_group_is_the_user(
    tmp_path: Path, group: int, trusted: bool
) -> None:
    parent = tmp_path / "parent"
    parent.mkdir()
    os.chown(parent, -1, group)
    parent.chmod(0o775)
    with troubles() as found:
        assert DiskCache(parent / "cache").put(KEY, BLOB, META) is trusted
    assert len(found) == (0 if trusted else 1)


@as_root
def test_a_parent_of_another_user_is_refused(tmp_path: Path) -> None:
    parent = tmp_path / "parent"
    parent.mkdir(0o755)
    os.chown(parent, OTHER_USER, -1)
    assert f"{parent}, on the way to it, belongs to user {OTHER_USER}" in refuses_once(DiskCache(parent / "cache")).why


def test_a_link_of_the_users_to_his_folder_is_followed(tmp_path: Path) -> None:
    (tmp_path / "big disk").mkdir(0o700)
    (tmp_path / "cache").symlink_to("big disk")
    (tmp_path / "loop").symlink_to("loop")
    with quiet():
        assert DiskCache(tmp_path / "cache").put(KEY, BLOB, META)
    assert names(tmp_path / "big disk") == [entry_file(tmp_path).name]
    assert "cannot be opened" in refuses_once(DiskCache(tmp_path / "loop")).why


@as_root
def test_a_link_of_another_users_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "downloads").mkdir(0o700)
    (tmp_path / "cache").symlink_to("downloads")
    os.lchown(tmp_path / "cache", OTHER_USER, -1)
    assert f"a link that belongs to user {OTHER_USER}" in refuses_once(DiskCache(tmp_path / "cache")).why
    assert names(tmp_path / "downloads") == []


def test_the_folder_is_looked_at_again_at_each_use(cache: DiskCache, folder: Path) -> None:
    with quiet():
        assert cache.put(KEY, BLOB, META) and cache.get(KEY)
    folder.chmod(0o777)
    refuses_once(cache)


def test_a_file_in_the_folders_place_is_reported(cache: DiskCache, folder: Path) -> None:
    folder.write_text("not a folder")
    assert "cannot be opened" in refuses_once(cache).why
    assert folder.read_text() == "not a folder"


@pytest.mark.parametrize("name", ["with\0null", "x" * 300])
def test_a_folder_name_that_no_system_takes_is_reported(tmp_path: Path, name: str) -> None:
    assert "cannot be opened" in refuses_once(DiskCache(tmp_path / name)).why


# ---------------------------------------------------------------- full and read-only disks


@contextmanager
def user(uid: int) -> Iterator[Path]:
    """Be another user for a while, with a folder of his own."""
    home = Path(tempfile.mkdtemp(dir="/tmp"))  # where he may go; TMPDIR may be closed to him
    os.chown(home, uid, -1)
    os.seteuid(uid)
    try:
        yield home
    finally:
        os.seteuid(0)
        shutil.rmtree(home)


@as_root
def test_a_read_only_folder_is_read_and_warned_about_once() -> None:
    with user(OTHER_USER) as home:
        cache = DiskCache(home / "cache")
        with quiet():
            assert cache.put(KEY, BLOB, META)
        os.utime(entry_file(home / "cache"), (0, 0))
        (home / "cache").chmod(0o500)
        with troubles() as found:
            assert cache.get(KEY) == Entry(BLOB, META)
            assert cache.put(OTHER_KEY, BLOB, META) is False
            assert cache.wants() is False
            assert cache.put(OTHER_KEY, BLOB, META) is False
            assert cache.get(KEY) == Entry(BLOB, META)
        assert [w.why for w in found] == ["The folder cannot be written: Permission denied."]
        (home / "cache").chmod(0o700)


@as_root
def test_a_folder_that_may_not_be_made_or_opened_is_warned_about_once() -> None:
    with user(OTHER_USER) as home:
        (home / "closed").mkdir(0o500)
        missing = DiskCache(home / "closed" / "cache")
        with troubles() as found:
            assert missing.get(KEY) is None
            assert missing.put(KEY, BLOB, META) is False
        assert len(found) == 1 and "Permission denied" in found[0].why
        (home / "closed").chmod(0o000)
        assert "cannot be opened: Permission denied" in refuses_once(DiskCache(home / "closed" / "cache")).why
        (home / "closed").chmod(0o700)


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.EROFS], ids=errno.errorcode.get)
@pytest.mark.parametrize("call", ["write", "replace"])
def test_a_failed_write_leaves_nothing_behind_warns_once_and_is_tried_again_later(
    cache: DiskCache, folder: Path, monkeypatch: pytest.MonkeyPatch, call: str, number: int
) -> None:
    clock = [1000.0]
    monkeypatch.setattr(time, "monotonic", lambda: clock[0])
    real, calls = getattr(os, call), itertools.count()

    def fails(*arguments: object, **keywords: object) -> object:
        if next(calls) == 0 and call == "write":
            return real(arguments[0], arguments[1][:10])  # the disk fills up in the middle
        raise OSError(number, os.strerror(number))

    with monkeypatch.context() as patch, troubles() as found:
        patch.setattr(os, call, fails)
        assert cache.put(KEY, BLOB, META) is False
        tried = next(calls)
        assert cache.wants() is False and cache.put(KEY, BLOB, META) is False
        assert next(calls) == tried + 1  # the second put did not try
        clock[0] += 61
        assert cache.wants() is True and cache.put(KEY, BLOB, META) is False
    assert [w.what for w in found] == ["New entries are not stored in the cache of compiled programs"]
    assert os.strerror(number) in found[0].why
    assert ("make room" in found[0].mend) == (number in (errno.ENOSPC, errno.EDQUOT))
    assert names(folder) == []
    clock[0] += 61
    with quiet():
        assert cache.put(KEY, BLOB, META) and cache.get(KEY) == Entry(BLOB, META)


def test_an_interrupt_in_the_middle_of_a_write_leaves_nothing_behind(
    cache: DiskCache, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(file: int, data: bytes) -> int:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(os, "write", interrupted)
        with pytest.raises(KeyboardInterrupt):
            cache.put(KEY, BLOB, META)
    assert names(folder) == []


def test_an_entry_that_the_disk_cannot_read_is_missed(cache: DiskCache, monkeypatch: pytest.MonkeyPatch) -> None:
    assert cache.put(KEY, BLOB, META)

    def fails(file: int, count: int) -> bytes:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    monkeypatch.setattr(os, "read", fails)
    with troubles() as found:
        assert cache.get(KEY) is None and cache.get(KEY) is None
    assert [w.what for w in found] == ["The cache of compiled programs cannot be read"]


@pytest.fixture
def tiny_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 64 KiB."""
    place = tmp_path / "disk"
    place.mkdir()
    mount = shutil.which("mount")
    if mount is None:
        pytest.skip("there is no mount command")
    done = subprocess.run([mount, "-t", "tmpfs", "-o", "size=64k,mode=0700", "tmpfs", place], capture_output=True)
    if done.returncode:
        pytest.skip("mounting a small disk is not permitted here: " + done.stderr.decode().strip())
    try:
        yield place
    finally:
        subprocess.run(["umount", place], check=True)


def test_a_full_disk_keeps_what_it_holds(tiny_disk: Path) -> None:
    cache = DiskCache(tiny_disk / "cache")
    with troubles() as found:
        stored = [n for n in range(20) if cache.put(key_of(str(n)), bytes([n]) * 10_000, {"n": n})]
    assert 0 < len(stored) < 20
    assert [w.why for w in found] == ["The folder cannot be written: No space left on device."]
    with quiet():
        for n in stored:
            assert cache.get(key_of(str(n))) == Entry(bytes([n]) * 10_000, {"n": n})
    assert len(names(tiny_disk / "cache")) == len(stored)


def test_a_disk_mounted_read_only_serves_what_it_holds(tiny_disk: Path) -> None:
    cache = DiskCache(tiny_disk / "cache")
    assert cache.put(KEY, BLOB, META)
    os.utime(entry_file(tiny_disk / "cache"), (0, 0))  # so that a hit would note its use
    subprocess.run(["mount", "-o", "remount,ro", tiny_disk], check=True)
    with troubles() as found:
        assert cache.get(KEY) == Entry(BLOB, META)
        assert cache.put(OTHER_KEY, BLOB, META) is False
        assert cache.put(OTHER_KEY, BLOB, META) is False
    assert [w.why for w in found] == ["The folder cannot be written: Read-only file system."]


# ---------------------------------------------------------------- the bound, and deletion


def age(folder: Path, key: str, seconds: float) -> None:
    then = time.time() - seconds
    os.utime(entry_file(folder, key), (then, then))


def test_the_least_recently_used_go_first(folder: Path) -> None:
    keys = [key_of(str(n)) for n in range(10)]
    cache = DiskCache(folder, max_bytes=10 * 1200)
    for n, key in enumerate(keys):
        assert cache.put(key, bytes(1000), {})
        age(folder, key, 100_000 - n)
    with quiet():
        assert cache.get(keys[0]) is not None  # the oldest, but now used
        assert DiskCache(folder, max_bytes=5 * 1200).put(KEY, bytes(1000), {})  # a new process, with a tighter bound
        left = [n for n, key in enumerate(keys) if cache.get(key)]
    assert left == [0, 8, 9]  # four fifths of the bound are kept, and the new one is among them
    assert cache.get(KEY) is not None


def test_the_cache_stays_within_its_bound(folder: Path) -> None:
    bound = 50_000
    cache = DiskCache(folder, max_bytes=bound)
    with quiet():
        for n in range(300):
            assert cache.put(key_of(str(n)), bytes(1000), {})
            assert sum(entry.stat().st_size for entry in folder.iterdir()) <= bound
            assert cache.get(key_of(str(n))) is not None  # the newest is never the one to go
    assert len(names(folder)) > 30


def test_one_entry_larger_than_what_eviction_keeps_stays(folder: Path) -> None:
    cache = DiskCache(folder, max_bytes=10_000)
    with quiet():
        assert cache.put(KEY, bytes(5000), {}) and cache.put(OTHER_KEY, bytes(9500), {})
        assert cache.get(KEY) is None and cache.get(OTHER_KEY) is not None


def test_what_is_larger_than_the_cache_is_not_stored(folder: Path) -> None:
    with quiet():
        assert DiskCache(folder, max_bytes=100).put(KEY, bytes(100), {}) is False
    assert not folder.exists()


def test_files_of_others_are_neither_weighed_nor_removed(folder: Path) -> None:
    folder.mkdir(0o700)
    neighbours = ["jit_f-0123-cache", key_of("a neighbour's"), "notes.txt"]
    for name in neighbours:
        (folder / name).write_bytes(bytes(100_000))
        os.utime(folder / name, (0, 0))
    with quiet():
        assert DiskCache(folder, max_bytes=3000).put(KEY, bytes(1000), {})
        assert DiskCache(folder, max_bytes=3000).put(OTHER_KEY, bytes(1500), {})
    assert names(folder) == sorted([*neighbours, entry_file(folder).name, entry_file(folder, OTHER_KEY).name])


def test_what_a_killed_writer_left_is_removed_once_it_is_old(cache: DiskCache, folder: Path) -> None:
    folder.mkdir(0o700)
    young, old = folder / f".young{cache_module.TEMPORARY}", folder / f".old{cache_module.TEMPORARY}"
    young.write_bytes(b"half")
    old.write_bytes(b"half")
    os.utime(old, (time.time() - 7200,) * 2)
    with quiet():
        assert cache.put(KEY, BLOB, META)
    assert names(folder) == sorted([young.name, entry_file(folder).name])


def test_a_hit_is_noted_once_an_hour(cache: DiskCache, folder: Path) -> None:
    assert cache.put(KEY, BLOB, META)
    for seconds, noted in ((7200, True), (600, False), (-7200, True)):  # the last: written while the clock was wrong
        age(folder, KEY, seconds)
        before = entry_file(folder).stat().st_mtime
        assert cache.get(KEY) is not None
        after = entry_file(folder).stat().st_mtime
        assert (abs(after - time.time()) < 60) == noted, seconds
        assert (after != before) == noted, seconds


def test_the_folder_is_seldom_scanned(cache: DiskCache, monkeypatch: pytest.MonkeyPatch) -> None:
    scandir, scans = os.scandir, itertools.count()

    def counted(*arguments: object) -> object:
        next(scans)
        return scandir(*arguments)

    monkeypatch.setattr(os, "scandir", counted)
    for n in range(200):
        assert cache.put(key_of(str(n)), BLOB, META)
        assert cache.get(key_of(str(n))) is not None
    assert next(scans) == 1


def test_the_folder_may_be_deleted_moved_or_made_anew_at_any_time(cache: DiskCache, folder: Path) -> None:
    with quiet():
        assert cache.put(KEY, BLOB, META)
        shutil.rmtree(folder)
        assert cache.get(KEY) is None
        assert cache.put(KEY, BLOB, META) and cache.get(KEY) is not None
        folder.rename(folder.with_name("moved"))
        assert cache.get(KEY) is None
        folder.symlink_to("moved")
        assert cache.get(KEY) is not None


def test_a_folder_deleted_in_the_middle_of_a_put_is_made_anew(
    cache: DiskCache, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    replace, calls = os.replace, itertools.count()

    def delete_first(*arguments: object, **keywords: object) -> None:
        if next(calls) < 2:
            shutil.rmtree(folder)
        replace(*arguments, **keywords)

    monkeypatch.setattr(os, "replace", delete_first)
    with quiet():
        assert cache.put(KEY, BLOB, META) and cache.get(KEY) == Entry(BLOB, META)
    assert next(calls) == 3


def test_a_folder_that_was_a_link_is_not_written_where_the_link_led(tmp_path: Path) -> None:
    (tmp_path / "old").mkdir(0o700)
    (tmp_path / "cache").symlink_to("old")
    cache = DiskCache(tmp_path / "cache")
    with quiet():
        assert cache.put(KEY, BLOB, META)
        (tmp_path / "cache").unlink()
        shutil.rmtree(tmp_path / "old")
        assert cache.put(KEY, BLOB, META)
    assert names(tmp_path) == ["cache"]


def test_a_relative_folder_is_where_the_program_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "first").mkdir()
    monkeypatch.chdir(tmp_path / "first")
    cache = DiskCache(Path("cache"))
    monkeypatch.chdir(tmp_path)
    with quiet():
        assert cache.put(KEY, BLOB, META)
    assert names(tmp_path / "first") == ["cache"] and names(tmp_path) == ["first"]


def test_a_relative_folder_in_a_deleted_place_is_reported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "gone").mkdir()
    monkeypatch.chdir(tmp_path / "gone")
    (tmp_path / "gone").rmdir()
    assert "cannot be opened" in refuses_once(DiskCache(Path("cache"))).why


# ---------------------------------------------------------------- environment and options


@pytest.fixture
def environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> pytest.MonkeyPatch:
    for name in ("PERSPICAX_CACHE", "PERSPICAX_CACHE_DIR", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    return monkeypatch


def test_the_default_folder_is_the_first_that_is_named(environment: pytest.MonkeyPatch, tmp_path: Path) -> None:
    assert default_folder() == tmp_path / ".cache" / "perspicax"
    environment.setenv("XDG_CACHE_HOME", "relative")
    assert default_folder() == tmp_path / ".cache" / "perspicax"
    environment.setenv("XDG_CACHE_HOME", "/xdg")
    assert default_folder() == Path("/xdg/perspicax")
    environment.setenv("PERSPICAX_CACHE_DIR", "~/mine")
    assert default_folder() == tmp_path / "mine"
    environment.setenv("PERSPICAX_CACHE_DIR", "")
    assert default_folder() == Path("/xdg/perspicax")


@pytest.mark.parametrize("home", [None, "", "relative"])
def test_without_a_home_there_is_no_cache(environment: pytest.MonkeyPatch, home: str | None) -> None:
    if home is None:
        environment.delenv("HOME")
    else:
        environment.setenv("HOME", home)
    with quiet():
        assert default_folder() is None
        assert open_default() is None
        assert open_default({"jax_compilation_cache_dir": "/named"}).folder == Path("/named")


@pytest.mark.parametrize(("said", "on"), [("0", False), ("off", False), ("OFF", False), ("false", False), ("no", False),
                                          ("", True), ("1", True), ("on", True)])  # fmt: skip
def test_one_switch_turns_it_off(environment: pytest.MonkeyPatch, said: str, on: bool) -> None:
    environment.setenv("PERSPICAX_CACHE", said)
    with quiet():
        assert (open_default() is not None) == on
        assert (open_default({"jax_compilation_cache_dir": "/named"}) is not None) == on


def test_a_switch_that_is_neither_on_nor_off_is_reported_and_leaves_it_on(environment: pytest.MonkeyPatch) -> None:
    environment.setenv("PERSPICAX_CACHE", "of")
    with troubles() as found:
        assert open_default() is not None and open_default() is not None
    assert [w.where for w in found] == ["PERSPICAX_CACHE=of"]


def test_our_defaults(environment: pytest.MonkeyPatch) -> None:
    cache = open_default()
    assert (cache.max_bytes, cache.min_entry_bytes, cache.min_compile_seconds) == (1 << 30, 0, 0)
    assert cache.wants(0.0) is True


def test_options_of_jax_are_honoured(environment: pytest.MonkeyPatch, tmp_path: Path) -> None:
    environment.setenv("PERSPICAX_CACHE_DIR", "/ours")
    named = tmp_path / "named"
    cache = open_default({
        "jax_compilation_cache_dir": str(named),
        "jax_enable_compilation_cache": True,
        "jax_persistent_cache_min_compile_time_secs": 0.5,
        "jax_persistent_cache_min_entry_size_bytes": 100,
        "jax_compilation_cache_max_size": 10_000,
    })  # fmt: skip
    assert (cache.folder, cache.max_bytes, cache.named_by) == (named, 10_000, "jax_compilation_cache_dir")
    with quiet():
        assert cache.wants(0.4) is False and cache.put(KEY, bytes(200), {}, compile_seconds=0.4) is False
        assert cache.wants(0.5) is True and cache.put(KEY, bytes(99), {}, compile_seconds=0.5) is False
        assert cache.get(KEY) is None
        assert cache.put(KEY, bytes(100), {}, compile_seconds=0.5) is True
    assert open_default({"jax_compilation_cache_dir": None}).folder == Path("/ours")


@pytest.mark.parametrize("options", [{"jax_enable_compilation_cache": False}, {"jax_compilation_cache_max_size": 0}])
def test_options_of_jax_that_turn_it_off(environment: pytest.MonkeyPatch, options: dict[str, object]) -> None:
    assert open_default(options) is None


def test_minus_one_means_no_limit(environment: pytest.MonkeyPatch) -> None:
    cache = open_default({"jax_compilation_cache_max_size": -1, "jax_persistent_cache_min_entry_size_bytes": -1})
    assert cache.max_bytes > 1 << 60 and cache.min_entry_bytes == 0


def test_an_option_that_is_no_number_is_reported_and_left_out(environment: pytest.MonkeyPatch) -> None:
    with troubles() as found:
        cache = open_default({"jax_compilation_cache_max_size": "10 GB"})
    assert cache.max_bytes == 1 << 30
    assert [w.where for w in found] == ["jax_compilation_cache_max_size='10 GB'"]


def test_a_bucket_on_the_net_is_reported_and_nothing_is_cached(environment: pytest.MonkeyPatch) -> None:
    with troubles() as found:
        assert open_default({"jax_compilation_cache_dir": "gs://bucket/cache"}) is None
    assert [w.where for w in found] == ["gs://bucket/cache"]


def test_a_bucket_named_by_the_environment_makes_no_folder_of_that_name(
        environment: pytest.MonkeyPatch, tmp_path: Path) -> None:
    environment.chdir(tmp_path)
    environment.setenv("PERSPICAX_CACHE_DIR", "s3://bucket/cache")
    with troubles() as found:
        assert open_default() is None
    assert [w.where for w in found] == ["s3://bucket/cache"]
    assert "PERSPICAX_CACHE_DIR" in str(found[0]) and not list(tmp_path.iterdir())


# ---------------------------------------------------------------- what it costs


def best_of(rounds: int, work: Callable[[], object]) -> float:
    """Seconds of the quickest of `rounds`: the others measure the neighbours."""

    def once() -> float:
        start = time.perf_counter()
        work()
        return time.perf_counter() - start

    return min(once() for _ in range(rounds))


def test_opening_costs_less_than_a_fifth_of_a_millisecond(environment: pytest.MonkeyPatch) -> None:
    assert best_of(200, open_default) < 0.2e-3


@pytest.mark.parametrize("size", [7_000, 100_000])
def test_a_hit_costs_less_than_a_sixth_of_a_millisecond_beyond_reading(
    cache: DiskCache, folder: Path, size: int
) -> None:
    assert cache.put(KEY, os.urandom(size), META)
    assert cache.get(KEY) is not None
    hit = best_of(300, lambda: cache.get(KEY))
    assert hit - best_of(300, entry_file(folder).read_bytes) < 0.15e-3
