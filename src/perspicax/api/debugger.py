"""`jax.debug.breakpoint`: a command-line debugger over the user's frames, in the middle of a running program.

When the function is traced, the local variables of the user's frames are noted; those that are traced values become
operands of a callback. When the program arrives there, the debugger starts with their values.
"""
from __future__ import annotations

import linecache
import pprint
import sys
import traceback
from collections.abc import Callable, Sequence
from types import CodeType, FrameType
from typing import Any, NamedTuple, TextIO

from perspicax.api.debugger_errors import DebuggerBackendError, DebuggerQuit
from perspicax.core.tracer import Tracer
from perspicax.diagnose.boundary import public
from perspicax.diagnose.frames import INTERNAL, USER, kind_of, user_position
from perspicax.lax.debug_callback import DebugFunction, debug_callback_p
from perspicax.transform import trees as tree

_COMMANDS = {
    "p": "p EXPRESSION: print its value", "pp": "pp EXPRESSION: print it over several lines",
    "l": "l, list: the lines around the place", "w": "w, where, bt: all frames, innermost last",
    "u": "u, up: to the frame that called", "d": "d, down: back towards the breakpoint",
    "a": "a, locals: the local variables of the frame", "c": "c, continue: go on with the program",
    "q": "q, quit: end the program", "h": "h, help: this list",
}
_LONG = {"print": "p", "list": "l", "where": "w", "bt": "w", "up": "u", "down": "d", "continue": "c", "cont": "c",
         "quit": "q", "exit": "q", "help": "h", "?": "h", "locals": "a", "EOF": "c"}


class DebuggerFrame(NamedTuple):
    """A frame of the user at the time it was traced.

    Attributes:
        code: of the function.
        line: where it was.
        variables: its local variables; traced ones with their values of now.
        module: the variables of its module.
    """

    code: CodeType
    line: int
    variables: dict[str, Any]
    module: dict[str, Any]


def _frames_of_user(frame: FrameType | None, everything: bool, limit: int | None) -> list[FrameType]:
    """The user's frames, innermost first; with `everything` those of libraries too."""
    found: list[FrameType] = []
    while frame is not None and (limit is None or len(found) < limit):
        kind = kind_of(frame.f_code.co_filename)
        if kind == USER or (everything and kind != INTERNAL):
            found.append(frame)
        frame = frame.f_back
    return found


class _Variables:
    """Local variables taken apart: traced leaves in order, and how to put the variables together again."""

    __slots__ = ("parts",)

    def __init__(self, variables: dict[str, Any], traced: list[Any]) -> None:
        self.parts: list[tuple[str, Any, list[Any]]] = []
        for name, value in variables.items():
            leaves, structure = _flattened(value)
            if not any(isinstance(leaf, Tracer) for leaf in leaves):
                leaves, structure = [value], None  # as it is: a tree put together anew has its keys in another order
            kept = []
            for leaf in leaves:
                if isinstance(leaf, Tracer):
                    kept.append(_TRACED if not leaf._trace.dead else _Gone(str(leaf.aval)))
                    if not leaf._trace.dead:
                        traced.append(leaf)
                else:
                    kept.append(leaf)
            self.parts.append((name, structure, kept))

    def with_values(self, values: Any) -> dict[str, Any]:
        """The variables, the traced leaves taken from the iterator `values`."""
        found = {}
        for name, structure, kept in self.parts:
            leaves = [next(values) if leaf is _TRACED else leaf for leaf in kept]
            found[name] = leaves[0] if structure is None else structure.unflatten(leaves)
        return found


_TRACED = object()


class _Gone:
    """Shown in the place of a traced value whose transformation has ended."""

    def __init__(self, type_text: str) -> None:
        self.type_text = type_text

    def __repr__(self) -> str:
        return f"<{self.type_text}, of a transformation that has ended>"


def _flattened(value: Any) -> tuple[list[Any], Any]:
    """The leaves of a local variable; a container that is no proper tree (keys that do not compare) is one leaf."""
    try:
        return tree.flatten(value)
    except (TypeError, ValueError, SystemError):
        return [value], None


@public
def breakpoint(*, backend: str | None = None, filter_frames: bool = True, num_frames: int | None = None,
               ordered: bool = False, token: Any = None, **kwargs: Any) -> Any:
    """Stop the program here when it runs, and start a debugger on the command line.

    Args:
        backend: `"cli"`, or `None` for the best there is. Differs: JAX has debuggers in Colab and the browser too.
        filter_frames: whether to show the frames of your own files alone, without those of libraries.
        num_frames: how many frames to show, from the innermost; `None` shows all.
        ordered: whether several breakpoints keep program order.
        token: a value to return, so that what is computed from the result comes after the stop.
        kwargs: `stdin` and `stdout`, files to use in place of the terminal.

    Returns:
        `token`.

    Raises:
        DebuggerBackendError: there is no such backend.
        JaxRuntimeError: the command `quit` was given; its cause is `DebuggerQuit`.
    """
    if backend not in (None, "cli"):
        raise DebuggerBackendError(backend=str(backend))
    traced: list[Any] = []
    frames = []
    for frame in _frames_of_user(sys._getframe(1), not filter_frames, num_frames):
        frames.append((frame.f_code, frame.f_lineno, _Variables(dict(frame.f_locals), traced), frame.f_globals))
    if token is not None:
        leaves = tree.leaves(token)
        traced += [x for x in leaves if isinstance(x, Tracer)]

    def stop(*values: Any) -> None:
        given = iter(values)
        shown = [DebuggerFrame(code, line, variables.with_values(given), module)
                 for code, line, variables, module in frames]
        Debugger(shown, **kwargs).run()

    _, in_tree = tree.flatten((tuple(traced), {}))
    host = DebugFunction(stop, in_tree, [x.aval for x in traced], [None] * len(traced), "debug.breakpoint", user_position())
    debug_callback_p(*traced, callback=host, ordered=bool(ordered), partitioned=False)
    return token


class Debugger:
    """One session: reads commands until one of them goes on.

    Args:
        frames: innermost first.
        stdin, stdout: files; the terminal without them.
    """

    def __init__(self, frames: Sequence[DebuggerFrame], stdin: TextIO | None = None, stdout: TextIO | None = None) -> None:
        self.frames = list(frames)
        self.at = 0
        self.stdin, self.stdout = stdin or sys.stdin, stdout or sys.stdout

    def run(self) -> None:
        """Read and do commands.

        Raises:
            DebuggerQuit: the command was `quit`.
        """
        self._say("Entering jdb:")
        self._place()
        while True:
            self.stdout.write("(jdb) ")
            self.stdout.flush()
            line = self.stdin.readline()
            if not line:  # the end of the input: nobody is there to ask
                self._say("")
                return
            if not self.do(line.strip()):
                return

    def do(self, line: str) -> bool:
        """Do one command; whether the session goes on."""
        word, _, rest = line.partition(" ")
        name = _LONG.get(word, word)
        if name == "c":
            return False
        if name == "q":
            raise DebuggerQuit(function=self._name())
        if not self.frames and name in ("p", "pp", "l", "u", "d", "a"):
            self._say("*** there is no frame of a user here")
            return True
        actions: dict[str, Callable[[], None]] = {
            "": lambda: None, "h": self._help, "w": self._where, "l": self._list, "a": self._locals,
            "u": lambda: self._go(1), "d": lambda: self._go(-1), "p": lambda: self._print(rest, repr),
            "pp": lambda: self._print(rest, pprint.pformat)}
        action = actions.get(name)
        if action is None:
            self._print(line, repr)  # an expression, as in Python's own debugger
        else:
            action()
        return True

    def _say(self, text: str) -> None:
        self.stdout.write(text + "\n")

    def _name(self) -> str:
        return self.frames[0].code.co_name if self.frames else ""

    def _place(self) -> None:
        if self.frames:
            frame = self.frames[self.at]
            source = linecache.getline(frame.code.co_filename, frame.line).strip()
            self._say(f"> {frame.code.co_filename}({frame.line}) in {frame.code.co_name}")
            self._say(f"-> {source}")

    def _help(self) -> None:
        for text in _COMMANDS.values():
            self._say(f"  {text}")

    def _go(self, steps: int) -> None:
        target = self.at + steps
        if not 0 <= target < len(self.frames):
            self._say("*** this is the outermost frame" if steps > 0 else "*** this is the innermost frame")
            return
        self.at = target
        self._place()

    def _list(self) -> None:
        frame = self.frames[self.at]
        lines = linecache.getlines(frame.code.co_filename, frame.module)
        for number in range(max(1, frame.line - 5), min(len(lines), frame.line + 5) + 1):
            mark = "->" if number == frame.line else "  "
            self._say(f"{number:4d} {mark} {lines[number - 1].rstrip()}")
        if not lines:
            self._say(f"*** there is no source of {frame.code.co_filename}")

    def _where(self) -> None:
        for i, frame in reversed(list(enumerate(self.frames))):
            mark = ">" if i == self.at else " "
            source = linecache.getline(frame.code.co_filename, frame.line).strip()
            self._say(f"{mark} {frame.code.co_filename}({frame.line}) in {frame.code.co_name}\n      {source}")

    def _locals(self) -> None:
        for name, value in sorted(self.frames[self.at].variables.items()):
            self._say(f"{name} = {self._shown(value, repr)}")

    def _print(self, expression: str, show: Callable[[Any], str]) -> None:
        frame = self.frames[self.at] if self.frames else DebuggerFrame(sys._getframe().f_code, 0, {}, {})
        try:
            # One scope for both: a comprehension in the expression sees no other.
            value = eval(expression, {**frame.module, **frame.variables})
        except Exception as error:  # whatever the user's expression raises is his to see
            self._say(f"*** {traceback.format_exception_only(error)[-1].strip()}")
            return
        self._say(self._shown(value, show))

    def _shown(self, value: Any, show: Callable[[Any], str]) -> str:
        try:
            return show(value)
        except Exception as error:  # an object of the user's whose repr fails
            return f"*** its repr raised {type(error).__name__}: {error}"


__all__ = ["Debugger", "DebuggerFrame", "breakpoint"]
