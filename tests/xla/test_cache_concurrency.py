"""Several processes at one cache: they write, read, evict, are killed in the middle, and have the folder deleted.

The whole sweep is PERSPICAX_KILLS=500; the suite runs a seeded sample of it.
"""

import os
import random
import shutil
import signal
import subprocess
import sys
import textwrap
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from perspicax.xla import cache as cache_module
from perspicax.xla.cache import CacheWarning, DiskCache, Entry, key_of

pytestmark = pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="needs POSIX processes")

WRITERS = 4
KEYS = 12
BLOB_BYTES = 60_000
KILLS = int(os.environ.get("PERSPICAX_KILLS", "24"))
PATIENCE = 60.0  # seconds; what takes longer hangs

# What each process does till its input closes: put, get, and compare what it gets. The file of the cache is loaded by
# itself, without the package: it needs nothing else, and a process then starts in a moment. `os.write` hands over small
# pieces, so that a kill finds many places in the middle of an entry.
WRITER = """
    import importlib.util, os, random, select, sys, warnings

    file, folder, seed, keys, size, max_bytes = sys.argv[1], sys.argv[2], *map(int, sys.argv[3:])
    spec = importlib.util.spec_from_file_location("cache", file)
    cache_module = sys.modules["cache"] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(cache_module)
    warnings.simplefilter("error")
    write = os.write
    os.write = lambda file, data: write(file, data[:2000])

    cache = cache_module.DiskCache(__import__("pathlib").Path(folder), max_bytes)
    chance = random.Random(seed)
    puts = hits = 0
    print("ready", flush=True)
    while not select.select([sys.stdin], [], [], 0)[0]:
        n = chance.randrange(keys)
        assert cache.put(cache_module.key_of(str(n)), random.Random(n).randbytes(size), {"n": n}), "a put failed"
        puts += 1
        n = chance.randrange(keys)
        entry = cache.get(cache_module.key_of(str(n)))
        if entry is not None:
            assert entry == cache_module.Entry(random.Random(n).randbytes(size), {"n": n}), "another entry was got"
            hits += 1
    print(puts, hits, flush=True)
"""


class Writer:
    """A process that writes and reads until it is told to stop or killed."""

    def __init__(self, folder: Path, seed: int, max_bytes: int) -> None:
        numbers = [str(n) for n in (seed, KEYS, BLOB_BYTES, max_bytes)]
        self.process = subprocess.Popen(
            [sys.executable, "-c", textwrap.dedent(WRITER), cache_module.__file__, str(folder), *numbers],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def wait_until_ready(self) -> None:
        assert self.process.stdout is not None
        assert self.process.stdout.readline() == "ready\n", self.process.communicate(timeout=PATIENCE)[1]

    def kill(self) -> None:
        assert self.process.poll() is None, self.process.communicate(timeout=PATIENCE)[1]
        self.process.kill()
        self.process.communicate(timeout=PATIENCE)

    def stop(self) -> tuple[int, int]:
        """Let it end by itself; how often it put and hit."""
        out, error = self.process.communicate("stop", timeout=PATIENCE)
        assert self.process.returncode == 0, error
        puts, hits = out.split()
        return int(puts), int(hits)


@contextmanager
def writers(folder: Path, max_bytes: int = 1 << 30) -> Iterator[list[Writer]]:
    """Four of them, at work; none outlives the block."""
    crew = [Writer(folder, seed, max_bytes) for seed in range(WRITERS)]
    try:
        for writer in crew:
            writer.wait_until_ready()
        yield crew
    finally:
        for writer in crew:
            if writer.process.poll() is None:
                writer.process.kill()
            writer.process.communicate()


def right_entry(n: int) -> Entry:
    return Entry(random.Random(n).randbytes(BLOB_BYTES), {"n": n})


def count_whole_entries(folder: Path) -> int:
    """How many there are; each must be right, and none may bring a warning."""
    cache, count = DiskCache(folder), 0
    with warnings.catch_warnings():
        warnings.simplefilter("error", CacheWarning)
        for n in range(KEYS):
            entry = cache.get(key_of(str(n)))
            assert entry in (None, right_entry(n))
            count += entry is not None
    return count


def temporaries(folder: Path) -> list[Path]:
    return list(folder.glob(f".*{cache_module.TEMPORARY}"))


def test_four_writers_at_once_store_every_entry_whole(tmp_path: Path) -> None:
    folder = tmp_path / "cache"
    with writers(folder) as crew:
        time.sleep(1)
        done = [writer.stop() for writer in crew]
    assert all(puts > 0 and hits > 0 for puts, hits in done), done
    assert count_whole_entries(folder) == KEYS
    assert temporaries(folder) == []


def test_writers_killed_in_the_middle_leave_whole_entries_and_what_the_next_scan_removes(tmp_path: Path) -> None:
    folder, chance = tmp_path / "cache", random.Random(20250417)
    seen = 0
    with writers(folder) as crew:
        for kill in range(KILLS):
            time.sleep(chance.uniform(0, 0.05))
            victim = chance.randrange(WRITERS)
            crew[victim].kill()
            seen = max(seen, count_whole_entries(folder))  # beside the survivors, who go on writing
            crew[victim] = Writer(folder, WRITERS + kill, 1 << 30)
            crew[victim].wait_until_ready()
        for writer in crew:
            writer.stop()
    assert seen == KEYS
    halves = temporaries(folder)
    assert halves, "no kill hit the middle of a write: this test tests nothing"

    for half in halves:
        os.utime(half, (time.time() - 7200,) * 2)
    assert DiskCache(folder).put(key_of("the next process"), b"", {})
    assert temporaries(folder) == []
    assert count_whole_entries(folder) == KEYS


def test_four_writers_and_evictors_at_once_keep_the_bound(tmp_path: Path) -> None:
    folder, bound = tmp_path / "cache", 5 * (BLOB_BYTES + 200)
    with writers(folder, bound) as crew:
        time.sleep(1)
        done = [writer.stop() for writer in crew]
    assert all(puts > 0 for puts, _ in done), done
    assert 0 < count_whole_entries(folder) < KEYS
    assert temporaries(folder) == []
    # Each process knows what it wrote itself, and scans when that alone passes the bound: what several wrote since
    # may add up to as many bounds as there are processes, and no further.
    assert sum(file.stat().st_size for file in folder.iterdir()) <= WRITERS * bound
    assert DiskCache(folder, bound).put(key_of("the next process"), b"", {})
    assert sum(file.stat().st_size for file in folder.iterdir()) <= bound


def test_the_folder_may_be_deleted_under_four_writers(tmp_path: Path) -> None:
    folder = tmp_path / "cache"
    deleted = 0
    with writers(folder) as crew:
        for _ in range(20):
            time.sleep(0.03)
            if folder.exists():
                shutil.rmtree(folder, ignore_errors=True)  # they may add a file in the meantime
                deleted += 1
        done = [writer.stop() for writer in crew]
    assert deleted > 10
    assert all(puts > 0 for puts, _ in done), done
    assert count_whole_entries(folder) > 0


def test_threads_share_one_cache(tmp_path: Path) -> None:
    from concurrent.futures import ThreadPoolExecutor

    cache = DiskCache(tmp_path / "cache")

    def work(seed: int) -> int:
        chance, hits = random.Random(seed), 0
        for _ in range(40):
            n = chance.randrange(KEYS)
            assert cache.put(key_of(str(n)), right_entry(n).blob, {"n": n})
            n = chance.randrange(KEYS)
            entry = cache.get(key_of(str(n)))
            assert entry in (None, right_entry(n))
            hits += entry is not None
        return hits

    with ThreadPoolExecutor(WRITERS) as pool:
        assert all(hits > 0 for hits in pool.map(work, range(WRITERS)))
    assert count_whole_entries(tmp_path / "cache") == KEYS
