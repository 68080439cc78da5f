"""`perspicax check`: mistakes that can be told from the source of a program, which is neither run nor imported."""
from __future__ import annotations

import argparse
import contextlib
import os
import sys
import tokenize
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from perspicax.analyse.source.check import problems_of
from perspicax.analyse.source.edits import difference, mended
from perspicax.analyse.source.rules import RULES, Problem
from perspicax.cli.check_formats import FORMATS, written

__all__ = ["main"]

_SKIPPED = frozenset({"__pycache__", "node_modules", "build", "dist", "site-packages"})


class _File(NamedTuple):
    """A program to check."""

    name: str
    text: str
    encoding: str
    newline: str


def main(arguments: Sequence[str]) -> int:
    """Check what the command line names.

    Returns:
        0 if nothing was found, 1 if something was, 2 if a file could not be read or the command line not understood.
    """
    try:
        options = _parser().parse_args(list(arguments))
    except SystemExit as stop:  # argparse has said why
        return int(stop.code or 0)
    if options.list:
        print("\n".join([f"{rule.id:20} {rule.about}" for rule in RULES.values()]))
        return 0
    try:
        rules = _chosen(options.select, options.ignore)
        files = [_read(name) for name in _names(options.files or ["."])]
    except (OSError, SyntaxError, UnicodeDecodeError, ValueError) as error:
        print(f"perspicax check: {error}", file=sys.stderr)
        return 2
    found: list[Problem] = []
    with _deep_trees():
        for file in files:
            problems = [p for p in problems_of(file.name, file.text) if p.rule.id in rules]
            if options.fix or options.diff:
                problems = _fix(file, problems, rules, options.diff, options.format == "text")
            found += problems
    try:
        _show(found, options.format, len(files))
        sys.stdout.flush()
    except BrokenPipeError:  # whoever reads has seen enough (`| head`); Python would say so once more at exit
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return 1 if found else 0


@contextlib.contextmanager
def _deep_trees() -> Iterator[None]:
    """Let Python recurse deeper: an expression of a thousand terms is a thousand deep."""
    before = sys.getrecursionlimit()
    sys.setrecursionlimit(max(before, 20_000))
    try:
        yield
    finally:
        sys.setrecursionlimit(before)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="perspicax check", description="Find mistakes in programs for JAX and Flax, without running them.")
    parser.add_argument("files", nargs="*", metavar="FILE", help="programs, or folders of them; - is standard input")
    parser.add_argument("--format", choices=FORMATS, default="text", help="how problems are written to standard output")
    parser.add_argument("--select", metavar="RULES", help="only these rules (names with commas between; part of a name "
                                                          "will do)")
    parser.add_argument("--ignore", metavar="RULES", help="not these rules")
    parser.add_argument("--fix", action="store_true", help="show the safe edits as a diff, then make them")
    parser.add_argument("--diff", action="store_true", help="show the safe edits, and make none")
    parser.add_argument("--list", action="store_true", help="list the rules")
    return parser


def _chosen(select: str | None, ignore: str | None) -> frozenset[str]:
    """The rules that are on.

    Raises:
        ValueError: a name is that of no rule.
    """
    def named(text: str) -> set[str]:
        found: set[str] = set()
        for word in filter(None, [w.strip() for w in text.split(",")]):
            some = {r.id for r in RULES.values() if word in (r.id, r.foresees)} or {r for r in RULES if r.startswith(word)}
            if not some:
                import difflib  # only for a misspelt name

                near = difflib.get_close_matches(word, RULES, 3)
                raise ValueError(f"there is no rule `{word}`." + (f" Near names: {', '.join(near)}." if near else "")
                                 + " `perspicax check --list` lists all.")
            found |= some
        return found

    chosen = set(RULES) if select is None else named(select) | {"syntax"}
    return frozenset(chosen - (named(ignore) if ignore else set()))


def _names(given: Sequence[str]) -> Iterator[str]:
    """Files; of a folder, all programs in it."""
    for name in given:
        if not os.path.isdir(name):
            yield name
            continue
        for folder, inner, files in os.walk(name):
            inner[:] = sorted(d for d in inner if d not in _SKIPPED and not d.startswith(".")
                              and not os.path.exists(os.path.join(folder, d, "pyvenv.cfg")))
            for file in sorted(files):
                if file.endswith(".py"):
                    yield os.path.normpath(os.path.join(folder, file))


def _read(name: str) -> _File:
    if name == "-":
        return _File("<stdin>", sys.stdin.read(), "utf-8", "\n")
    with open(name, "rb") as stream:
        encoding, _ = tokenize.detect_encoding(stream.readline)
        stream.seek(0)
        text = stream.read().decode(encoding)
    newline = "\r\n" if "\r\n" in text else "\n"
    return _File(name, text.replace("\r\n", "\n"), encoding, newline)


def _fix(file: _File, problems: list[Problem], rules: frozenset[str], only_show: bool, aloud: bool) -> list[Problem]:
    """Show the safe edits, make them, and tell what is left."""
    after, done = mended(file.text, problems)
    if not done:
        return problems
    stream = sys.stdout if aloud else sys.stderr  # standard output is for the format that was asked for
    stream.write(difference(file.name, file.text, after))
    if only_show:
        return problems
    if file.name == "<stdin>":
        return [p for p in problems if p not in done]
    if sys.stdin.isatty() and sys.stdout.isatty():
        answer = input(f"Make these changes to {file.name}? [y/N] ")
        if answer.strip().lower() not in ("y", "yes"):
            return problems
    beside = f"{file.name}.{os.getpid()}.new"
    with open(beside, "w", encoding=file.encoding, newline=file.newline) as out:
        out.write(after)
    os.chmod(beside, os.stat(file.name).st_mode & 0o7777)
    os.replace(beside, os.path.realpath(file.name))  # the file is the old one or the new one, never a half
    return [p for p in problems_of(file.name, after) if p.rule.id in rules]


def _show(found: list[Problem], format: str, files: int) -> None:
    text = written(found, format)
    if text:
        print(text)
    if format == "text":
        programs = f"{files} file{'s' if files != 1 else ''}"
        count = f"{len(found)} problem{'s' if len(found) != 1 else ''}"
        print(f"{count} in {programs}." if found else f"Nothing found in {programs}.")
