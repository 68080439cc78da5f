"""Errors of functions that take arguments apart."""
from __future__ import annotations

from typing import Any

from perspicax.diagnose.errors import PerspicaxError
from perspicax.diagnose.report import Fix, Report

__all__ = ["ArgumentPartError", "LocalShapeError", "SafeMapError"]


class ArgumentPartError(PerspicaxError, ValueError):
    """Arguments cannot be parted as asked for.

    Attributes:
        function: the function, where it is known.
        kind: `position` (there is none), `unhashable` (a fixed argument) or `both` (static and donated).
        name: the position or name of the argument.
        got: how many arguments there are, or the class of the argument.
    """

    function: str
    kind: str
    name: str
    got: str

    @property
    def report(self) -> Report:
        f = self.function
        match self.kind:
            case "position":
                return Report(says=f"`argnums_partial` of `{f}` keeps argument {self.name}, but there are {self.got}.",
                              why="positions are counted from 0, or backwards from -1")
            case "unhashable":
                return Report(says=f"The argument `{self.name}` of `{f}`, which `argnums_partial` fixes, is a {self.got}, "
                                   "which cannot be hashed.",
                              why="what is made for a function is kept by the values of its fixed arguments",
                              fixes=(Fix("pass something hashable, such as a tuple"),
                                     Fix(code="argnums_partial(f, dyn_argnums, args, require_static_args_hashable=False)")))
            case _:
                return Report(says=f"Argument {self.name} is static and donated.",
                              why="a static argument is a Python value; only the memory of arrays can be donated")


class SafeMapError(PerspicaxError, ValueError):
    """`safe_map` was given sequences of different lengths.

    Attributes:
        function: the function that should be applied.
        lengths: of the sequences.
    """

    function: str
    lengths: tuple[int, ...]

    @property
    def report(self) -> Report:
        return Report(says=f"`safe_map` of `{self.function}` got sequences of lengths "
                           f"{', '.join(map(str, self.lengths))}.",
                      why="it takes one entry of each at a time, and leaves none over")


class LocalShapeError(PerspicaxError, ValueError):
    """The shape of an array of all processes does not fit the data of this one.

    Attributes:
        expected: the shape of the data.
        got: the shape of the whole.
        local: that of this process's part; empty where this process has all of it.
    """

    expected: tuple[int, ...]
    got: tuple[Any, ...]
    local: tuple[int, ...] = ()

    @property
    def report(self) -> Report:
        if self.local:
            part = "" if self.local == self.got else f", nor that of this process's part, {self.local}"
            return Report(says=f"The data of this process has shape {self.expected}, which is {'neither' if part else 'not'} "
                               f"that of the whole array, {self.got}{part}.",
                          why="along each axis, the data is as long as the whole, or as the part that the devices of this "
                              "process hold")
        return Report(says=f"`global_shape` is {self.got}, but the data of the only process has shape {self.expected}.",
                      why="with one process, its part is the whole array", fixes=(Fix("leave `global_shape` out"),))
