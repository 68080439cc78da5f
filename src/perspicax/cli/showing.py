"""How `perspicax run` shows what happened: errors that nobody caught, and findings, in the format that was asked for."""
from __future__ import annotations

import sys
import threading
import traceback
import warnings
from types import TracebackType
from typing import Any, TextIO

from perspicax.cli import python_errors
from perspicax.core.array import Array
from perspicax.core.attribute_errors import ArrayAttributeError
from perspicax.diagnose.boundary import trim
from perspicax.diagnose.errors import PerspicaxError
from perspicax.diagnose.frames import LIBRARY, USER, kind_of
from perspicax.diagnose.place import Place, Position, resolve
from perspicax.diagnose.report import Report

__all__ = ["FORMATS", "Shower", "github_annotation"]

FORMATS = ("terminal", "text", "json", "html", "github")


class Shower:
    """Shows reports on standard error.

    Attributes:
        format: one of `FORMATS`.
    """

    def __init__(self, format: str) -> None:
        self.format = format
        self._before = warnings.showwarning

    def install(self) -> None:
        """Show errors that nobody catches, in any thread, and findings."""
        sys.excepthook = self.uncaught
        threading.excepthook = self.uncaught_in_thread
        warnings.showwarning = self.warning

    # -- errors

    def uncaught(self, kind: type[BaseException], error: BaseException, entries: TracebackType | None) -> None:
        """In place of `sys.excepthook`."""
        self._error(error.with_traceback(entries), "")

    def uncaught_in_thread(self, args: Any) -> None:
        """In place of `threading.excepthook`."""
        if args.exc_type is SystemExit or args.exc_value is None:  # which ends the thread, as in plain Python
            return
        name = args.thread.name if args.thread is not None else "unknown"
        self._error(args.exc_value.with_traceback(args.exc_traceback), name)

    def _error(self, error: BaseException, thread: str) -> None:
        stream = sys.stderr
        if stream is None:
            return
        name = type(error).__name__  # what an `except` would have to name
        error = _ours(error)
        ours = isinstance(error, PerspicaxError)
        if ours:
            trim(error)
        if self.format in ("terminal", "text"):
            if thread:
                stream.write(f"Exception in thread {thread}:\n")
            whole = traceback.TracebackException.from_exception(error)
            explained = None if ours else python_errors.explain(error)
            if explained is not None:
                last = len(list(whole.format_exception_only()))
                stream.write("".join(list(whole.format())[:-last or None]))
                self._write(explained, name, stream, "error")
                stream.write("".join([f"{note}\n" for note in getattr(error, "__notes__", ())]))
                return
            if not ours:
                stream.write("".join(whole.format()))
                return
            last = len(list(whole.format_exception_only()))
            stream.write("".join(list(whole.format())[:-last or None]))
            self._write(error.full_report, name, stream, "error")  # type: ignore[attr-defined]
            stream.write("".join([f"{note}\n" for note in getattr(error, "__notes__", ())]))
            return
        report = error.full_report if isinstance(error, PerspicaxError) else (
            python_errors.explain(error) or _plain_report(error))
        self._write(report, name, stream, "error")

    # -- findings

    def warning(self, message: Any, category: type[Warning], filename: str, lineno: int, file: TextIO | None = None,
                line: str | None = None) -> None:
        """In place of `warnings.showwarning`."""
        stream = sys.stderr if file is None else file
        if stream is None:
            return
        if isinstance(message, PerspicaxError):
            self._write(message.full_report, type(message).__name__, stream, "warning")
            if self.format in ("terminal", "text"):
                stream.write("\n")
        else:
            self._before(message, category, filename, lineno, file, line)

    # -- formats

    def _write(self, report: Report, name: str, stream: TextIO, level: str) -> None:
        from perspicax.diagnose.render.terminal import print_report, render_terminal

        match self.format:
            case "terminal":
                print_report(report, name, stream)
            case "text":
                stream.write(render_terminal(report, name, colour=False) + "\n")
            case "json":
                from perspicax.diagnose.render.json import render_json

                stream.write(render_json(report, name) + "\n")
            case "html":
                from perspicax.diagnose.render.html import render_html

                stream.write(render_html(report, name) + "\n")
            case "github":
                stream.write(github_annotation(report, name, level) + "\n")
        stream.flush()


def _ours(error: BaseException) -> BaseException:
    """An error of ours in place of Python's own, where more can be said: an array has no such attribute.

    Arrays themselves leave it to Python: NumPy asks them for many attributes in vain, and a method that answers would
    slow it down.
    """
    if type(error) is not AttributeError or not isinstance(error.obj, Array):
        return error
    place = _innermost(error.__traceback__)
    better = ArrayAttributeError(attribute=error.name, type_text=error.obj.aval.str_short(), position=place)
    return better.with_traceback(error.__traceback__)


def _plain_report(error: BaseException) -> Report:
    """What can be said of an error that is not ours."""
    return Report(says=str(error) or type(error).__name__, primary=_innermost(error.__traceback__))


def _innermost(entry: TracebackType | None) -> Place:
    """The innermost place in the user's code."""
    found: Place = None
    while entry is not None:
        code = entry.tb_frame.f_code
        kind = kind_of(code.co_filename)
        if kind == USER or (kind == LIBRARY and found is None):
            found = Position(code, entry.tb_lasti)
        entry = entry.tb_next
    return found


def github_annotation(report: Report, name: str, level: str) -> str:
    """A workflow command of GitHub: an annotation of the line."""
    span = resolve(report.primary)
    facts = [] if span is None else [f"file={_escaped(span.filename, True)}", f"line={span.line}"]
    if span is not None and span.column is not None:
        facts.append(f"col={span.column + 1}")
    facts.append(f"title={_escaped(name, True)}")
    fixes = [" ".join([fix.says, *fix.lines]) for fix in report.fixes[:1]]
    text = "\n".join([report.says, *([f"why: {report.why}"] if report.why else []), *[f"fix: {fix}" for fix in fixes]])
    return f"::{level} {','.join(facts)}::{_escaped(text)}"


def _escaped(text: str, in_property: bool = False) -> str:
    for character in "%\r\n" + (":," if in_property else ""):
        text = text.replace(character, f"%{ord(character):02X}")
    return text
