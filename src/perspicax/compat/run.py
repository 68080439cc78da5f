"""Runs a program in which `import jax` means Perspicax."""
from __future__ import annotations

import linecache
import os
import runpy
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

from perspicax.compat.finder import install
from perspicax.diagnose.boundary import trim
from perspicax.diagnose.errors import PerspicaxError

__all__ = ["main", "show"]

_ARCHIVE = b"PK\x03\x04"  # how a zip file begins
USAGE = """\
usage: python -m perspicax.compat [--real-flax] SCRIPT [ARGS ...]
       python -m perspicax.compat [--real-flax] -m MODULE [ARGS ...]

Runs a program as Python would, but `import jax` and `import flax` mean Perspicax.

  --real-flax  leave `import flax` alone: the installed Flax runs on Perspicax's JAX
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run what the command line names; returns the exit status."""
    rest = list(sys.argv[1:] if arguments is None else arguments)
    flax = True
    while rest and rest[0].startswith("-") and rest[0] != "-m":
        option = rest.pop(0)
        if option in ("-h", "--help"):
            print(USAGE, end="")
            return 0
        if option != "--real-flax":
            return _refuse(f"there is no option {option}")
        flax = False
    if not rest or rest == ["-m"]:
        return _refuse("no program is named")
    if rest[0] == "-m":
        install(flax=flax)
        return run_module(rest[1], rest[2:])
    if not os.path.isfile(rest[0]):
        return _refuse(f"there is no file {rest[0]}")
    install(flax=flax)
    return run_script(rest[0], rest[1:])


def _refuse(why: str) -> int:
    print(f"{USAGE}\n{why}", file=sys.stderr)
    return 2


def run_script(script: str, arguments: Sequence[str]) -> int:
    """Run a file as `__main__`, with its folder first on `sys.path`, as Python does; or a folder or archive that has one."""
    sys.argv[:] = [script, *arguments]
    sys.path[0] = str(Path(script).resolve().parent)
    module = ModuleType("__main__")
    module.__dict__.update(__file__=script, __builtins__=__builtins__, __spec__=None, __cached__=None)
    sys.modules["__main__"] = module  # and it stays: what the program defines may be pickled, or called at exit

    def run() -> None:
        source = _ARCHIVE if os.path.isdir(script) else Path(script).read_bytes()
        if source.startswith(_ARCHIVE):
            del sys.path[0]  # in its place comes the folder, or the archive
            runpy.run_path(script, run_name="__main__")
        else:
            exec(compile(source, script, "exec", dont_inherit=True), module.__dict__)

    return guarded(run)


def run_module(name: str, arguments: Sequence[str]) -> int:
    """Run a module as `__main__`, as `python -m` does."""
    sys.argv[:] = [name, *arguments]
    sys.path[0] = os.getcwd()

    def run() -> None:
        try:
            runpy.run_module(name, run_name="__main__", alter_sys=True)
        except ImportError as error:
            if not _is_of_search(error):
                raise
            print(f"{sys.executable}: {error}", file=sys.stderr)
            raise SystemExit(1) from None

    return guarded(run)


def _is_of_search(error: BaseException) -> bool:
    """Whether an error came up while a module was looked for, before anything of it ran."""
    entry = error.__traceback__
    while entry is not None:
        if not entry.tb_frame.f_code.co_filename.startswith((__file__, "<frozen runpy>", "<frozen importlib")):
            return False
        entry = entry.tb_next
    return True


def run_code(code: str, filename: str, arguments: Sequence[str]) -> int:
    """Run a text as `__main__`, as `python -c` does; `arguments` is the whole of `sys.argv`."""
    sys.argv[:] = arguments
    sys.path[0] = ""
    module = ModuleType("__main__")
    module.__dict__.update(__builtins__=__builtins__, __spec__=None)
    sys.modules["__main__"] = module
    linecache.cache[filename] = len(code), None, code.splitlines(keepends=True), filename  # reports show its lines

    def run() -> None:
        exec(compile(code, filename, "exec", dont_inherit=True), module.__dict__)

    return guarded(run)


def guarded(run: Callable[[], Any]) -> int:
    """Call `run`; an error that leaves it is shown. `SystemExit` passes, and so does an interrupt once it is shown."""
    try:
        run()
    except Exception as error:
        _drop_our_frames(error)
        if isinstance(error, PerspicaxError) and sys.excepthook is sys.__excepthook__:
            show(trim(error))
        else:
            sys.excepthook(type(error), error, error.__traceback__)
        return 1
    except KeyboardInterrupt as interrupt:
        _drop_our_frames(interrupt)
        sys.excepthook(type(interrupt), interrupt, interrupt.__traceback__)
        sys.excepthook = lambda *_: None  # shown already; Python ends the process as it does after an interrupt
        raise
    return 0


def _drop_our_frames(error: BaseException) -> None:
    """The frames of this file (and of `runpy`) above the program's own."""
    entry = error.__traceback__
    while entry is not None and entry.tb_frame.f_code.co_filename.startswith((__file__, "<frozen runpy>")):
        entry = entry.tb_next
    error.__traceback__ = entry


def show(error: BaseException) -> None:
    """Write an error of ours to standard error: the traceback, then its report, coloured on a terminal."""
    import traceback

    from perspicax.diagnose.render.terminal import print_report

    whole = traceback.TracebackException.from_exception(error)
    last = len(list(whole.format_exception_only()))
    sys.stderr.write("".join(list(whole.format())[:-last or None]))
    print_report(error.full_report, type(error).__name__)  # type: ignore[attr-defined]
