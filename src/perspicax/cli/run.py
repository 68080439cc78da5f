"""`perspicax run`: a program runs as Python would run it, but on Perspicax, and under its sanitizers."""
from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from typing import NamedTuple

from perspicax.cli.children import follow
from perspicax.cli.showing import FORMATS, Shower
from perspicax.compat.finder import install
from perspicax.compat.run import run_code, run_module, run_script
from perspicax.core.config import config
from perspicax.diagnose.errors import PerspicaxError
from perspicax.sanitize.names import CHEAP, NAMES, parse

__all__ = ["main", "start"]

USAGE = f"""\
usage: perspicax run [OPTIONS] SCRIPT [ARGS ...]       (a file; or a folder or archive with __main__.py)
       perspicax run [OPTIONS] -m MODULE [ARGS ...]
       perspicax run [OPTIONS] -c CODE [ARGS ...]
       perspicax run [OPTIONS] -          (the program is read from standard input)

Runs a program as Python would, but `import jax` and `import flax` mean Perspicax, and errors explain themselves.

  --sanitize=NAMES   look for mistakes that pass silently: {','.join(NAMES)};
                     or all, none, default ({','.join(CHEAP)}). With `error` among the names
                     (--sanitize=all,error) what is found is raised, else it is a warning.
  --recompiles=N     tell of a function that is compiled more than N times (2)
  --format=FORMAT    {', '.join(FORMATS[:-1])} or {FORMATS[-1]}: how errors and findings are written to standard error
  --real-flax        leave `import flax` alone: the installed Flax runs on Perspicax's JAX
  -h, --help         show this
"""


class Options(NamedTuple):
    """What the command line says before the program.

    Attributes:
        sanitize: names of sanitizers; `None` for what `PERSPICAX_SANITIZE` says, or the default.
        recompiles: how often a function may be compiled; `None` for the option's own value.
        format: how reports are written.
        flax: whether `import flax` means Perspicax's.
    """

    sanitize: str | None = None
    recompiles: int | None = None
    format: str = "terminal"
    flax: bool = True


class _Refused(Exception):
    """The command line cannot be understood."""


def main(arguments: Sequence[str]) -> int:
    """Run what the command line names; returns the exit status."""
    rest = list(arguments)
    try:
        if rest[:1] in (["-h"], ["--help"]):
            print(USAGE, end="")
            return 0
        options = _options(rest)
        _check_program(rest)
    except _Refused as why:
        print(f"{USAGE}\nperspicax run: {why}", file=sys.stderr)
        return 2
    start(*options)
    follow(start, tuple(options))
    match rest:
        case ["-m", module, *more]:
            return run_module(module, more)
        case ["-c", code, *more]:
            return run_code(code, "<string>", ["-c", *more])
        case ["-", *more]:
            return run_code(sys.stdin.read(), "<stdin>", ["-", *more])
    return run_script(rest[0], rest[1:])


def _options(rest: list[str]) -> Options:
    """The options at the front of `rest`, which are taken away."""
    options = Options()
    while rest and rest[0].startswith("--"):
        name, equals, value = rest.pop(0).partition("=")
        if name == "--":
            break
        if name == "--real-flax" and not equals:
            options = options._replace(flax=False)
            continue
        if name not in ("--sanitize", "--recompiles", "--format"):
            raise _Refused(f"there is no option {name}")
        if not equals:
            if not rest:
                raise _Refused(f"{name} needs a value")
            value = rest.pop(0)
        options = _with(options, name, value)
    return options


def _with(options: Options, name: str, value: str) -> Options:
    match name:
        case "--sanitize":
            try:
                parse(value)
            except PerspicaxError as error:
                near = [f" {fix.says.capitalize()}?" for fix in error.report.fixes]
                raise _Refused(error.report.says + "".join(near)) from None
            return options._replace(sanitize=value)
        case "--recompiles":
            if not value.isdigit():
                raise _Refused(f"--recompiles takes a number, not {value!r}")
            return options._replace(recompiles=int(value))
    if value not in FORMATS:
        raise _Refused(f"--format is one of {', '.join(FORMATS)}, not {value!r}")
    return options._replace(format=value)


def _check_program(rest: list[str]) -> None:
    if not rest:
        raise _Refused("no program is named")
    if rest[0] in ("-m", "-c"):
        if len(rest) < 2:
            raise _Refused(f"{rest[0]} needs {'a module' if rest[0] == '-m' else 'code'}")
    elif rest[0] != "-" and rest[0].startswith("-"):
        raise _Refused(f"there is no option {rest[0]}")
    elif os.path.isdir(rest[0]):
        if not os.path.isfile(os.path.join(rest[0], "__main__.py")):
            raise _Refused(f"there is no __main__.py in the folder {rest[0]}")
    elif rest[0] != "-" and not os.path.exists(rest[0]):
        raise _Refused(f"there is no file {rest[0]}")


def start(sanitize: str | None, recompiles: int | None, format: str, flax: bool) -> None:
    """Set this process up: `import jax` means Perspicax, the sanitizers are on, reports are shown. Children call it, too."""
    install(flax=flax)
    Shower(format).install()
    if sanitize is not None:
        config.update("perspicax_sanitize", sanitize)
    elif not os.environ.get("PERSPICAX_SANITIZE"):
        config.update("perspicax_sanitize", ",".join(CHEAP))
    if recompiles is not None:
        config.update("perspicax_recompiles", recompiles)
