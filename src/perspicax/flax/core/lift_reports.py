"""Reports of lifted control flow in the user's terms: his own result and carry, and variables by their collections."""
from __future__ import annotations

import dataclasses
import inspect
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from perspicax import tree_util
from perspicax.diagnose.errors import PerspicaxError
from perspicax.diagnose.place import Position
from perspicax.diagnose.report import Fix
from perspicax.diagnose.source import code_of
from perspicax.flax.error_base import article
from perspicax.flax.tree_errors import LiftError

__all__ = ["axes_in_users_terms", "gradients_in_users_terms", "in_users_terms", "noted", "of_pair", "tangents_in_users_terms"]


@contextmanager
def in_users_terms(whole: int, functions: Mapping[str, Callable[..., Any]], carry: bool = False) -> Iterator[None]:
    """Within it, errors of `lax.cond` and of loops speak of what the user's functions return.

    What the lifted functions return is a tuple of that and of groups of variables.

    Args:
        whole: where in the tuple the user's own result stands.
        functions: by the parameter of the transformation, the user's functions.
        carry: whether this is a loop, whose first function is the body.

    Raises:
        LiftError: the results agree, but the variables that the functions leave do not.
    """
    try:
        yield
    except PerspicaxError as error:
        if not hasattr(error, "mismatches") or not (error.rows or error.mismatches):  # type: ignore[attr-defined]
            raise
        _translate(error, whole, functions, carry)
        raise


def _translate(error: Any, whole: int, functions: Mapping[str, Callable[..., Any]], carry: bool) -> None:
    own = f"[{whole}]"
    rows = tuple([(path.removeprefix(own), a, b) for path, a, b in error.rows if path.startswith(own)])
    found = tuple([dataclasses.replace(each, path=each.path[1:]) for each in error.mismatches
                   if each.path and getattr(each.path[0], "idx", None) == whole])
    if carry:
        error.function = getattr(next(iter(functions.values())), "__name__", "function")
    if not rows and not found:
        raise _of_variables(error, carry) from None
    error.rows, error.mismatches = rows, found
    if carry:
        body = next(iter(functions.values()))
        error.carry, error.definition, error.lifted = _second_parameter(body), _place(body), True
    else:
        error.definitions = tuple([_place(functions.get(parameter)) for parameter, _ in error.functions])


def _of_variables(error: Any, carry: bool) -> LiftError:
    names = [error.function] if carry else [name for _, name in error.functions]
    fixes: tuple[Fix, ...] = ()
    functions = " and ".join([f"`{name}`" if name != "<lambda>" else "a lambda" for name in names])
    before, after = ("before", "afterwards") if carry else ("by the first", "by the other")
    lines = [f"    {_variable(path)}  {a.str_short()} {before}, {b.str_short()} {after}" for path, a, b in error.rows]
    for each in error.mismatches:
        sides = ((getattr(each, "missing", ()), before), (getattr(each, "extra", ()), after))
        verb = "is there" if carry else "is made"
        there = "; ".join([f"{', '.join(map(repr, names))} {verb} {where} alone" for names, where in sides if names])
        lines.append(f"    {_variable(tree_util.keystr(each.path))}: {there or 'differs in structure'}")
    listed = "\n".join(dict.fromkeys(lines))
    if carry:
        says = f"{functions}, the body of a lifted {error.transform}, changes variables or their types:\n{listed}"
        why = "each step of a compiled loop works on the same types: variables that it carries exist before it, and keep theirs"
        fixes = (Fix("make them before the loop, in the module that is given to it"),)
    else:
        says = f"{functions}, branches of a lifted {error.transform}, leave different variables:\n{listed}"
        why = "only one of them runs, and what follows is compiled for one set of variables and one type of each"
        if error.mismatches and "<lambda>" not in names:
            fixes = (Fix("let all of them make theirs when the module is initialised", code=(
                f"if self.is_initializing():\n    for branch in ({', '.join(names)}):\n        branch(self, x)")),)
    return LiftError(says=says, why=why, fixes=fixes)


def _variable(path: str) -> str:
    """`variables['params']['kernel']`, of a path through groups and scopes."""
    at = path.find("['")
    return f"variables{path[at:] if at >= 0 else ''}"


def _second_parameter(fn: Callable[..., Any]) -> str:
    try:
        return list(inspect.signature(fn).parameters)[1]
    except (TypeError, ValueError, IndexError):  # a builtin, or `*args`
        return "carry"


def _place(fn: Callable[..., Any] | None) -> Position | None:
    code = code_of(fn)
    return None if code is None else Position(code, 0)


def _argument_name(fn: Callable[..., Any], index: int) -> str:
    """The name of an argument of `fn` that comes after its scope or module."""
    kinds = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    try:
        names = [name for name, each in inspect.signature(fn).parameters.items() if each.kind in kinds]
    except (TypeError, ValueError):  # a builtin
        names = []
    return names[index + 1] if index + 1 < len(names) else f"args[{index}]"


def _users_name(fn: Callable[..., Any], name: str) -> str:
    """What the user calls a value of the lifted function, whose arguments are groups of variables and `args`."""
    found = re.match(r"args\[(\d+)\]", name)
    if found:
        return _argument_name(fn, int(found[1])) + name[found.end():]
    return _variable(name) if name.startswith(("variables[", "moving[")) else name


@contextmanager
def axes_in_users_terms(fn: Callable[..., Any], in_axes: Any, out_axes: Any,
                        passing: list[PerspicaxError]) -> Iterator[None]:
    """Within it, errors of `jax.vmap` speak of the axes that the user gave, and of his arguments and result.

    Args:
        fn: the user's function, of a scope or module and arguments.
        in_axes, out_axes: as he gave them.
        passing: the errors that come out of `fn`, which speak of something else.
    """
    try:
        yield
    except PerspicaxError as error:
        if any(error is own for own in passing):
            raise
        match type(error).__name__:
            case "BatchSizeError":
                rows = error.rows  # type: ignore[attr-defined]
                error.rows = tuple([(_users_name(fn, name), *rest) for name, *rest in rows])  # type: ignore[attr-defined]
                error.in_axes = ()  # type: ignore[attr-defined]  # they were those of the lifted function
            case "BatchAxisError":
                _of_axes(error, fn, in_axes, out_axes)
        raise


def _of_axes(error: Any, fn: Callable[..., Any], in_axes: Any, out_axes: Any) -> None:
    """Speak of the axes of the user's function."""
    error.name = _users_name(fn, error.name)
    match error.option, error.kind:
        case "out_axes", "tree":
            error.axes, error.structure = out_axes, error.structure.children()[0]
        case "out_axes", "mapped result" if error.got.startswith("result[0]"):
            error.got = f"result{error.got.removeprefix('result[0]')}"
        case "out_axes", "mapped result":
            error.option, error.got = "variable_axes", _variable(error.got)
        case "out_axes", "range" if error.got not in map(str, tree_util.tree_leaves(out_axes)):
            error.option = "variable_axes"
        case "in_axes", "tree":
            _of_one_argument(error, fn, in_axes)


def _of_one_argument(error: Any, fn: Callable[..., Any], in_axes: Any) -> None:
    """Speak of the first argument that the axes do not fit."""
    several = isinstance(in_axes, (tuple, list))
    for index, structure in enumerate(error.structure.children()):
        axes = in_axes[index] if several else in_axes
        try:
            tree_util.tree_map(lambda axis, below: None, axes, structure.unflatten(range(structure.num_leaves)),
                               is_leaf=lambda axis: axis is None)
        except ValueError:
            error.axes, error.structure, error.index = axes, structure, index
            error.name = _argument_name(fn, index)
            return


@contextmanager
def tangents_in_users_terms(fn: Callable[..., Any], primals: tuple[Any, Any], moves: tuple[Any, Any],
                            passing: list[PerspicaxError]) -> Iterator[None]:
    """Within it, errors of `jax.jvp` speak of the arguments of `fn`, and of variables by their collections.

    Args:
        fn: the user's function, of a scope or module and arguments.
        primals: for each scope the variables that move; and the arguments.
        moves: their tangents.
        passing: the errors that come out of `fn`, which speak of something else.
    """
    try:
        yield
    except PerspicaxError as found:
        error: Any = found
        if type(error).__name__ != "TangentError" or any(error is own for own in passing):
            raise
        (moving, args), (given, tangents) = primals, moves
        if error.kind != "tree":
            error.name = _users_name(fn, error.name)
        elif tree_util.tree_structure(args) != tree_util.tree_structure(tangents):
            error.expected, error.got = tree_util.tree_structure(args), tree_util.tree_structure(tangents)
            error.arguments = tuple([_argument_name(fn, index) for index in range(len(args))])
        else:
            error.expected, error.got = tree_util.tree_structure(moving), tree_util.tree_structure(given)
            error.arguments = ("variables",) if len(moving) == 1 else tuple(
                [f"variables[{index}]" for index in range(len(moving))])
        raise


@contextmanager
def gradients_in_users_terms(name: str, passing: list[PerspicaxError]) -> Iterator[None]:
    """Within it, errors of `jax.value_and_grad` name the lifted transformation that the user called.

    Args:
        name: its name.
        passing: the errors that come out of the user's function, which speak of something else.
    """
    try:
        yield
    except PerspicaxError as found:
        error: Any = found
        if getattr(error, "transform", None) == "value_and_grad" and not any(error is own for own in passing):
            error.transform = name
            error.lifted = True
        raise


@contextmanager
def noted(passing: list[PerspicaxError]) -> Iterator[None]:
    """Within it, the errors that come out of the user's function are noted."""
    try:
        yield
    except PerspicaxError as error:
        passing.append(error)
        raise


def of_pair(result: Any, fn: Callable[..., Any]) -> tuple[Any, Any]:
    """What a function returns that has further values beside its result.

    Raises:
        LiftError: it is no pair.
    """
    if isinstance(result, (tuple, list)) and len(result) == 2:
        return result[0], result[1]
    what = f"{len(result)} values" if isinstance(result, (tuple, list)) else article(result)
    name = getattr(fn, "__name__", "function")
    raise LiftError(says=f"With `has_aux=True` a function returns a pair, but `{name}` returned {what}.",
                    why="the first of both is differentiated, the second is handed on as it is")
