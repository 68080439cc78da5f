"""Exponentials of what may be a NaN that the program itself holds.

XLA's compiler for CPUs takes `exp` of a constant NaN for something that cannot happen: `exp(where(c, x, nan))` in one program
then writes nothing at all, and the result is what lay in memory before. So such an exponential is told what to do with NaN.
Constants are followed through operations that are computed element by element; what a product or a reduction makes of them
is no constant to the compiler.
"""
from __future__ import annotations

import re

__all__ = ["guarded"]

_NAN = re.compile(r"(%\w+) = stablehlo\.constant dense<0x[7F](?:FC00000|FF8000000000000|E00|FC0)>")
_NAME = re.compile(r"%\w+")
_CALLED = re.compile(r"@\w+")
_OPERATION = re.compile(r'(%\w+)(?::\d+)? = "?(?:stablehlo\.|func\.|chlo\.)?(\w+)([^:\n]*)')  # up to the types
_EXPONENTIAL = re.compile(
    r'(%\w+) = "?((?:stablehlo|chlo)\.\w+)"?[ (](%\w+)\)?(.*?) : '
    r"(?:\(tensor<[^>]*>\) -> )?\(?tensor<((?:\d+x)*)(b?f\d+)>\)?(.*)")
_EXPONENTIALS = frozenset(("cosh", "exponential", "sinh"))

# operations that hand no entry of a constant on to where the compiler could see it
_STOPS = frozenset(("all_reduce", "compare", "convolution", "custom_call", "dot_general", "dynamic_slice", "fft", "gather",
                    "is_finite", "reduce", "reduce_window", "scatter", "sort", "while"))


def guarded(functions: list[str]) -> list[str]:
    """The functions of a module with NaN handed on by those exponentials that may get one of the program's own."""
    if not any(map(_NAN.search, functions)):
        return functions
    reached: set[str] = set()  # functions that are called with such a constant
    while True:
        before = len(reached)
        made = [_guarded(f, reached) for f in functions]
        if len(reached) == before:
            return made


def _guarded(function: str, reached: set[str]) -> str:
    head = function[:function.index("\n")]
    called = _CALLED.search(head)
    held = {found[1] for found in _NAN.finditer(function)}
    if called is not None and called[0] in reached:
        held.update(_NAME.findall(head))
    edits = {}
    for found in _OPERATION.finditer(function) if held else ():
        name, operation, operands = found.groups()
        if operation in _STOPS or held.isdisjoint(_NAME.findall(operands)):
            continue
        held.add(name)
        if operation == "call":
            reached.update(_CALLED.findall(operands))
        elif operation in _EXPONENTIALS:
            line = function[found.start():function.index("\n", found.start()) + 1]
            edits[line] = _with_nan(line)
    for line, instead in edits.items():
        function = function.replace(line, instead, 1)
    return function


def _with_nan(line: str) -> str:
    found = _EXPONENTIAL.fullmatch(line.rstrip("\n"))
    if found is None:  # of complex numbers
        return line
    name, operation, x, attributes, sizes, dtype, tail = found.groups()
    kind, flags, number = f"tensor<{sizes}{dtype}>", f"tensor<{sizes}i1>", name[1:]
    return (f'%exp{number} = "{operation}"({x}){attributes} : ({kind}) -> {kind}{tail}\n'
            f"%nan{number} = stablehlo.compare NE, {x}, {x}, FLOAT : ({kind}, {kind}) -> {flags}{tail}\n"
            f"{name} = stablehlo.select %nan{number}, {x}, %exp{number} : {flags}, {kind}{tail}\n")
