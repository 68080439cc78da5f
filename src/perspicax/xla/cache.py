"""The disk cache of compiled executables: a store of bytes by key, which does not know what the bytes mean.

Loading an executable runs the code in it. So a folder is used only when it belongs to the user and nobody else may
write it, which is looked at again at each use, on the open folder: what was checked is what is read. Within it an
entry is one file, named after its key, written beside its place and moved there in one step, and sealed by a checksum
over key, description and bytes. A file that is torn, damaged or misplaced is therefore never taken for an entry.

The cache may be deleted at any time, and any number of processes may use it at once; there are no locks. Whatever goes
wrong costs one `CacheWarning` for each folder and kind of trouble, and a compilation.
"""

from __future__ import annotations

import contextlib
import errno
import itertools
import math
import os
import re
import stat
import struct
import sys
import time
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

__all__ = ["CacheWarning", "DiskCache", "Entry", "default_folder", "key_of", "open_default"]

DEFAULT_MAX_BYTES = 1 << 30
SUFFIX = ".pxc"  # tells our files from a neighbour's: eviction touches no other
TEMPORARY = ".pxc-part"

_MAGIC = b"pxcache1"
_HEADER = struct.Struct("<8sIQ32s")  # magic, length of the description, length of the blob, SHA-256
_KEY = re.compile(r"[0-9A-Za-z_-]{1,128}").fullmatch

_SECONDS_PER_USE_MARK = 3600.0  # a hit is noted on disk once an hour at most
_SECONDS_TILL_STALE = 3600.0  # a half-written file this old belongs to a process that was killed
_SECONDS_OF_REST = 60.0  # after a failed write: a full disk is not tried again for each kernel
_NO_ROOM = (errno.ENOSPC, errno.EDQUOT)
_PUTS_PER_SCAN = 256  # other processes' writes are noticed this often
_KEPT_SHARE = 0.8  # eviction makes room for many writes, so that the next ones do not scan

_POSIX = os.name == "posix"  # elsewhere these flags are missing, and every folder is refused
_OPEN_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC if _POSIX else 0
# O_NONBLOCK: a named pipe in an entry's place must not make the program wait for a writer.
_OPEN_ENTRY = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC if _POSIX else 0
_OPEN_NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC if _POSIX else 0


# ---------------------------------------------------------------- what can go wrong, and its words


class CacheWarning(UserWarning):
    """The compile cache could not do its work; the program goes on without it.

    Args:
        what: what happened, a clause without full stop.
        where: the folder or the setting that it is about.
        why: the reason, one or more sentences.
        mend: what to do about it, a clause without full stop.
    """

    def __init__(self, what: str, where: str, why: str, mend: str) -> None:
        super().__init__(what, where, why, mend)
        self.what, self.where, self.why, self.mend = what, where, why, mend

    def __str__(self) -> str:
        return f"{self.what}: {self.where}. {self.why} To mend it, {self.mend}."


class _Refused(Exception):
    """The cache's folder cannot or must not be used; never leaves this file."""

    def __init__(self, why: str, mend: str = "") -> None:
        super().__init__(why, mend)
        self.why, self.mend = why, mend


_TRUST = "Loading a cached program runs the code in it, so the folder must be one that only you can write."
_told: dict[tuple[str, str], object] = {}


def _tell(kind: str, warning: CacheWarning, about: str) -> None:
    """Warn once for each `kind` of trouble and thing it is `about`, at the user's line."""
    mark = object()
    if _told.setdefault((about, kind), mark) is not mark:  # atomic: of two threads, one tells
        return
    package = str(Path(__file__).parents[1]) + os.sep
    level, frame = 1, sys._getframe()
    while frame.f_back is not None and frame.f_code.co_filename.startswith(package):
        level, frame = level + 1, frame.f_back
    warnings.warn(warning, stacklevel=level)


# ---------------------------------------------------------------- the folder


def _require_trusted_parent(path: str, status: os.stat_result, uid: int) -> None:
    """Refuse a folder on the way in which somebody else could put another one in our folder's place."""
    if status.st_uid not in (0, uid):
        raise _Refused(f"{path}, on the way to it, belongs to user {status.st_uid}. {_TRUST}")
    writers = status.st_mode & 0o022
    # Where every user has a group of his own (same number, by convention: pam_umask(8), `usergroups`), his group is he.
    if writers == 0o020 and status.st_gid == os.getegid() == uid:
        return
    if writers and not status.st_mode & stat.S_ISVTX:
        why = f"Others may write {path}, on the way to it (mode {stat.S_IMODE(status.st_mode):04o}). {_TRUST}"
        raise _Refused(why, f"run `chmod go-w {_quoted(path)}`")


def _resolve(folder: str, uid: int) -> str:
    """The real path of `folder`, which need not exist, after a look at every folder and link on the way to it."""
    if not os.path.isabs(folder):
        raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), folder)
    here, ahead, links = "/", folder.split("/")[::-1], 0
    _require_trusted_parent(here, os.lstat(here), uid)
    while ahead:
        name = ahead.pop()
        if name in ("", "."):
            continue
        if name == "..":
            here = os.path.dirname(here)
            continue
        path = os.path.join(here, name)
        try:
            status = os.lstat(path)
        except FileNotFoundError:
            return os.path.normpath(os.path.join(path, *reversed(ahead)))
        if not stat.S_ISLNK(status.st_mode):
            if any(part not in ("", ".") for part in ahead):
                _require_trusted_parent(path, status, uid)
            here = path
            continue
        links += 1
        if links > 40:
            raise OSError(errno.ELOOP, os.strerror(errno.ELOOP), folder)
        if status.st_uid not in (0, uid):
            raise _Refused(f"{path}, on the way to it, is a link that belongs to user {status.st_uid}. {_TRUST}")
        target = os.readlink(path)
        here = "/" if target.startswith("/") else here
        ahead.extend(reversed(target.split("/")))
    return here


def _make(folder: str) -> None:
    """Make `folder` and its missing parents, all closed to others whatever the umask lets through."""
    with contextlib.suppress(FileExistsError):  # another process was quicker
        try:
            os.mkdir(folder, 0o700)
        except FileNotFoundError:
            if folder == os.path.dirname(folder):
                raise
            _make(os.path.dirname(folder))
            os.mkdir(folder, 0o700)


def _open_own(folder: str, uid: int) -> int:
    """Open the cache folder; refuse one that is not the user's, or that others may write."""
    directory = os.open(folder, _OPEN_FOLDER)
    status = os.fstat(directory)
    if status.st_uid == uid and not status.st_mode & 0o022:
        return directory
    os.close(directory)
    if status.st_uid != uid:
        raise _Refused(f"It belongs to user {status.st_uid}, and this process runs as user {uid}. {_TRUST}")
    why = f"Others than its owner may write it (mode {stat.S_IMODE(status.st_mode):04o}). {_TRUST}"
    raise _Refused(why, f"run `chmod go-w {_quoted(folder)}`")


def _quoted(path: str) -> str:
    import shlex

    return shlex.quote(path)


# ---------------------------------------------------------------- the store


class Entry(NamedTuple):
    """What was stored: the bytes, and the description that was put beside them."""

    blob: bytes
    meta: dict[str, Any]


class DiskCache:
    """A bounded store of bytes in a folder of the user's.

    Args:
        folder: where the entries are; made, closed to others, when the first entry is put.
        max_bytes: when the entries weigh more, the least recently used are removed.
        min_entry_bytes: smaller blobs are not stored.
        min_compile_seconds: what compiled faster is not stored.
        named_by: the setting in which the user names the folder; warnings refer to it.

    Nothing is read, made or checked before the first `get` or `put`. These two raise nothing, but for a `CacheWarning`
    that the user's own warning filter turns into an error.
    """

    def __init__(
        self,
        folder: Path,
        max_bytes: int = DEFAULT_MAX_BYTES,
        *,
        min_entry_bytes: int = 0,
        min_compile_seconds: float = 0.0,
        named_by: str = "PERSPICAX_CACHE_DIR",
    ) -> None:
        # A relative folder means where the program is now, not where it goes later. If even that place is gone, the
        # path stays relative, and its first use reports it.
        with contextlib.suppress(OSError):
            folder = Path.cwd() / folder
        self.folder = folder
        self.max_bytes = max_bytes
        self.min_entry_bytes = min_entry_bytes
        self.min_compile_seconds = min_compile_seconds
        self.named_by = named_by
        self._resolved: str | None = None
        self._resume_at = -math.inf
        # The weight of the folder as last scanned, plus what was put since. Threads may lose an addition: it is an
        # estimate anyway, since other processes write too.
        self._weight = 0
        self._puts = itertools.count()

    def __repr__(self) -> str:
        return f"DiskCache({str(self.folder)!r}, max_bytes={self.max_bytes})"

    def wants(self, compile_seconds: float = math.inf) -> bool:
        """Whether `put` would try to store: ask before serialising what took `compile_seconds` to compile."""
        return compile_seconds >= self.min_compile_seconds and time.monotonic() >= self._resume_at

    def get(self, key: str) -> Entry | None:
        """The entry stored under `key`; `None` when there is none that is whole and the user's own."""
        if not _KEY(key):
            return None
        try:
            directory = self._enter(create=False)
            if directory is None:
                return None
            try:
                return self._read(directory, key)
            finally:
                os.close(directory)
        except _Refused as refusal:
            self._tell_refusal(refusal)
        except OSError as error:
            self._tell("read", "The cache of compiled programs cannot be read", f"{_reason(error)}.", "check the disk")
        return None

    def put(self, key: str, blob: bytes, meta: Mapping[str, Any], *, compile_seconds: float = math.inf) -> bool:
        """Store `blob` under `key`, in place of what was there.

        Args:
            key: from `key_of`.
            blob: any bytes.
            meta: a description of them; comes back as JSON keeps it (a tuple as a list).
            compile_seconds: what it took to make the blob.

        Returns:
            Whether it is stored. `False` as well when it is too small, too quick, or larger than the whole cache.
        """
        if not self.wants(compile_seconds) or len(blob) < self.min_entry_bytes or not _KEY(key):
            return False
        import json

        try:
            description = json.dumps(meta, separators=(",", ":")).encode()
        except (TypeError, ValueError, RecursionError) as error:
            mend = "report it: the description is Perspicax's own"
            self._tell("meta", "A compiled program is not cached", f"Its description is not JSON: {error}.", mend)
            return False
        header = _HEADER.pack(_MAGIC, len(description), len(blob), _seal(key, description, blob))
        size = len(header) + len(description) + len(blob)
        return size <= self.max_bytes and self._store(key, (header, description, blob), size)

    # -- getting in

    def _enter(self, create: bool) -> int | None:
        """Open the folder and check it; `None` when there is none and none is wanted."""
        if not _POSIX:
            raise _Refused("On this system Perspicax cannot tell who may write a folder.")
        uid = os.geteuid()
        try:
            if self._resolved is not None:
                # Gone, or another thing by now? Then the whole way is looked at again.
                with contextlib.suppress(OSError):
                    return _open_own(self._resolved, uid)
            self._resolved = _resolve(str(self.folder), uid)
            try:
                return _open_own(self._resolved, uid)
            except FileNotFoundError:
                if not create:
                    return None
        except (OSError, ValueError) as error:  # ValueError: a null character in its name
            raise _Refused(f"It cannot be opened: {_reason(error)}.") from error
        _make(self._resolved)
        self._resolved = _resolve(str(self.folder), uid)
        return _open_own(self._resolved, uid)

    # -- reading

    def _read(self, directory: int, key: str) -> Entry | None:
        try:
            file = os.open(key + SUFFIX, _OPEN_ENTRY, dir_fd=directory)
        except FileNotFoundError:
            return None
        except OSError as error:
            # A link (EMLINK: on BSD), a socket, another user's file.
            if error.errno not in (errno.ELOOP, errno.EMLINK, errno.ENXIO, errno.EACCES):
                raise
            self._reject(directory, key, "It is no plain file of yours.")
            return None
        try:
            status = os.fstat(file)
            if not stat.S_ISREG(status.st_mode) or status.st_uid != os.geteuid() or status.st_mode & 0o022:
                self._reject(directory, key, "It is no plain file of yours that only you can write.")
                return None
            entry = _decode(file, key, status.st_size)
            if entry is None:
                self._reject(directory, key, "Its bytes are not those that were written.")
            elif abs(time.time() - status.st_mtime) > _SECONDS_PER_USE_MARK:  # abs: a clock may have been wrong
                with contextlib.suppress(OSError):  # a read-only cache serves as well, and evicts nothing
                    os.utime(file)
            return entry
        finally:
            os.close(file)

    def _reject(self, directory: int, key: str, fact: str) -> None:
        """Remove what stands in an entry's place and is none, and say so."""
        removed = _unlink(directory, key + SUFFIX)
        then = "It was removed, and the program is compiled again." if removed else "The program is compiled again."
        why = f"The entry {key + SUFFIX} cannot be used. {fact} {then}"
        mend = "nothing is needed; if it happens often, check the disk, and what else writes there"
        self._tell("damaged", "The cache of compiled programs was damaged", why, mend)

    # -- writing

    def _store(self, key: str, parts: Sequence[bytes], size: int) -> bool:
        try:
            for tries_left in (3, 2, 1, 0):
                try:
                    self._write(key, parts, size)
                    return True
                except FileNotFoundError:  # the folder was deleted meanwhile, which is allowed
                    if not tries_left:
                        raise
        except _Refused as refusal:
            self._resume_at = time.monotonic() + _SECONDS_OF_REST
            self._tell_refusal(refusal)
        except OSError as error:
            self._resume_at = time.monotonic() + _SECONDS_OF_REST
            mend = "make room on that disk" if error.errno in _NO_ROOM else "make the folder writable for you"
            why = f"The folder cannot be written: {_reason(error)}."
            self._tell("write", "New entries are not stored in the cache of compiled programs", why, mend)
        return False

    def _write(self, key: str, parts: Sequence[bytes], size: int) -> None:
        directory = self._enter(create=True)
        if directory is None:
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), str(self.folder))
        temporary = f".{key[:32]}-{os.getpid()}-{os.urandom(8).hex()}{TEMPORARY}"
        placed = False
        try:
            file = os.open(temporary, _OPEN_NEW, 0o600, dir_fd=directory)
            try:
                for part in parts:
                    _write_all(file, part)
            finally:
                os.close(file)
            os.replace(temporary, key + SUFFIX, src_dir_fd=directory, dst_dir_fd=directory)
            placed = True
            self._weight += size
            if next(self._puts) % _PUTS_PER_SCAN == 0 or self._weight > self.max_bytes:
                self._scan(directory)
        finally:
            if not placed:
                _unlink(directory, temporary)
            os.close(directory)

    def _scan(self, directory: int) -> None:
        """Weigh the folder, clear away what killed processes left, and evict the least recently used."""
        now, total = time.time(), 0
        entries: list[tuple[float, int, str]] = []
        with os.scandir(directory) as listing:
            for item in listing:
                if not item.name.endswith((SUFFIX, TEMPORARY)):
                    continue
                try:
                    status = item.stat(follow_symlinks=False)
                except FileNotFoundError:  # another process evicts too
                    continue
                if item.name.endswith(SUFFIX):
                    entries.append((min(status.st_mtime, now), status.st_size, item.name))
                elif now - status.st_mtime > _SECONDS_TILL_STALE:
                    _unlink(directory, item.name)
                    continue
                total += status.st_size
        if total > self.max_bytes:
            entries.sort()
            for _, size, name in entries[:-1]:  # the newest stays: it may have just been put
                if total <= self.max_bytes * _KEPT_SHARE:
                    break
                _unlink(directory, name)
                total -= size
        self._weight = total

    # -- telling

    def _tell(self, kind: str, what: str, why: str, mend: str) -> None:
        where = str(self.folder)
        if kind not in ("damaged", "meta"):  # after these the cache is as good as before
            other = f"name another folder in {self.named_by}, or switch the cache off with PERSPICAX_CACHE=0"
            mend = f"{mend}, or {other}" if mend else other
        _tell(kind, CacheWarning(what, where, why, mend), about=where)

    def _tell_refusal(self, refusal: _Refused) -> None:
        self._tell("refused", "The cache of compiled programs is not used", refusal.why, refusal.mend)


def _reason(error: Exception) -> str:
    return error.strerror if isinstance(error, OSError) and error.strerror else str(error)


def _unlink(directory: int, name: str) -> bool:
    """Remove a file if it is there and can be; whoever needs its place finds out when taking it."""
    try:
        os.unlink(name, dir_fd=directory)
    except OSError:
        return False
    return True


def _write_all(file: int, data: bytes) -> None:
    rest = memoryview(data)
    while rest:
        rest = rest[os.write(file, rest) :]


def _read_all(file: int, count: int) -> bytes:
    """`count` bytes, or fewer where the file ends."""
    first = os.read(file, count)
    if len(first) == count or not first:
        return first
    pieces = [first]
    missing = count - len(first)
    while missing and (piece := os.read(file, missing)):
        pieces.append(piece)
        missing -= len(piece)
    return b"".join(pieces)


def _seal(key: str, description: bytes, blob: bytes) -> bytes:
    """SHA-256 over all that an entry says; the key is in it, so that a renamed entry is not taken for another."""
    import hashlib  # loads OpenSSL: 4 ms

    digest = hashlib.sha256(b"%d:%d:%s:" % (len(description), len(blob), key.encode()))
    digest.update(description)
    digest.update(blob)
    return digest.digest()


def _decode(file: int, key: str, size: int) -> Entry | None:
    """The entry in an open file of `size` bytes, or `None` if it is not the one that was written under `key`."""
    header = _read_all(file, _HEADER.size)
    if len(header) != _HEADER.size:
        return None
    magic, description_size, blob_size, seal = _HEADER.unpack(header)
    # The sizes are compared before anything is read, so that damage cannot make us ask for terabytes.
    if magic != _MAGIC or _HEADER.size + description_size + blob_size != size:
        return None
    description = _read_all(file, description_size)
    blob = _read_all(file, blob_size)
    if _seal(key, description, blob) != seal:
        return None
    import json

    return Entry(blob, json.loads(description))


# ---------------------------------------------------------------- keys, and which cache is meant


def key_of(*parts: bytes | str) -> str:
    """A key that stands for exactly these parts, in this order: 64 hexadecimal digits.

    Each part goes in with its kind and length, so that `("ab", "c")`, `("a", "bc")` and `(b"ab", "c")` differ.
    """
    import hashlib

    digest = hashlib.blake2b(digest_size=32)
    for part in parts:
        kind, data = (b"t", part.encode("utf-8", "surrogatepass")) if isinstance(part, str) else (b"b", part)
        digest.update(b"%s%d:" % (kind, len(data)))
        digest.update(data)
    return digest.hexdigest()


def default_folder() -> Path | None:
    """`PERSPICAX_CACHE_DIR`, else `perspicax` in the user's cache folder; `None` when there is no home."""
    if named := os.environ.get("PERSPICAX_CACHE_DIR"):
        return Path(os.path.expanduser(named))
    base = os.environ.get("XDG_CACHE_HOME", "")
    if os.path.isabs(base):  # a relative one is to be ignored: XDG Base Directory Specification 0.8
        return Path(base, "perspicax")
    home = os.environ.get("HOME", "")
    return Path(home, ".cache", "perspicax") if os.path.isabs(home) else None


def open_default(options: Mapping[str, object] | None = None) -> DiskCache | None:
    """The cache that environment and options ask for; `None` when they switch it off, or there is no home for it.

    Args:
        options: those of `jax_compilation_cache_dir`, `jax_enable_compilation_cache`,
            `jax_persistent_cache_min_compile_time_secs`, `jax_persistent_cache_min_entry_size_bytes` and
            `jax_compilation_cache_max_size` that the user has set. One that is absent or `None` has our default: on, in
            `default_folder()`, no minimum, and a bound of 1 GiB. A maximal size of -1 is no bound; 0 is no cache.

    Differs: JAX has no disk cache before a folder is named, and then keeps what took a second to compile.
    """
    options = options or {}
    if not _switched_on() or options.get("jax_enable_compilation_cache") in (False, 0):
        return None
    bound = _number(options, "jax_compilation_cache_max_size", DEFAULT_MAX_BYTES)
    if bound == 0:
        return None
    named_by = "jax_compilation_cache_dir" if options.get("jax_compilation_cache_dir") else "PERSPICAX_CACHE_DIR"
    chosen = str(options.get("jax_compilation_cache_dir") or os.environ.get("PERSPICAX_CACHE_DIR", ""))
    if "://" in chosen:
        what, why = "The cache of compiled programs is not used", "Only folders of this machine are supported."
        _tell("remote", CacheWarning(what, chosen, why, f"name a folder in {named_by}"), about=chosen)
        return None
    folder = Path(os.path.expanduser(chosen)) if chosen else default_folder()
    if folder is None:
        return None
    return DiskCache(
        folder,
        sys.maxsize if bound < 0 else int(bound),
        min_entry_bytes=int(max(0, _number(options, "jax_persistent_cache_min_entry_size_bytes", 0))),
        min_compile_seconds=_number(options, "jax_persistent_cache_min_compile_time_secs", 0.0),
        named_by=named_by,
    )


def _switched_on() -> bool:
    said = os.environ.get("PERSPICAX_CACHE", "")
    if said.lower() in ("0", "off", "false", "no"):
        return False
    if said.lower() not in ("", "1", "on", "true", "yes"):
        what = "A setting is not understood, and the cache of compiled programs stays on"
        warning = CacheWarning(what, f"PERSPICAX_CACHE={said}", "It is neither on nor off.", "set it to 0 or 1")
        _tell("switch", warning, about=said)
    return True


def _number(options: Mapping[str, object], name: str, default: float) -> float:
    value = options.get(name)
    if value is None:
        return default
    if isinstance(value, (int, float)) and math.isfinite(value):
        return value
    what = "A setting is not understood, and its default is used"
    warning = CacheWarning(what, f"{name}={value!r}", f"It is no number; the default is {default:g}.", "give a number")
    _tell("number", warning, about=name)
    return default
