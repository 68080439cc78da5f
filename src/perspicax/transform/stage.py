"""Between a user's function of pytrees and the flat functions that traces work on.

Arguments are flattened, static ones set aside, names of arguments and results kept for reports (made only when asked).
"""
from __future__ import annotations

import functools
import inspect
import types
from collections.abc import Callable, Sequence
from typing import Any

import perspicax.core.report_hooks  # noqa: F401  (installs the reports of traced values)
from perspicax.core.jaxpr import DebugInfo
from perspicax.core.ref_errors import RefValueError
from perspicax.core.refs import RefCell
from perspicax.core.tracer import Tracer, get_aval, typers
from perspicax.diagnose.frames import INTERNAL, kind_of
from perspicax.transform import trees as tree
from perspicax.transform.errors import ArgumentTypeError, AuxiliaryResultError, ReturnedTypeError

calls_watched: list[Callable[[FlatFunction, Sequence[Any], dict], Callable[[bool], None] | None]] = []
"""Sanitizers that are told before a function of the user's is called by a transformation, and with what arguments.

What they return is called after, with whether the function has returned.
"""


class FlatFunction:
    """`fun` as a function of flat operands that returns flat results.

    After a call these are known:

    Attributes:
        out_tree: the structure of the result.
        value_tree, count: with `has_aux`, those of the value alone, and of how many leaves; they come first. What comes
            behind may be anything.
    """

    __slots__ = ("count", "fun", "has_aux", "in_tree", "out_tree", "rebuild", "transform", "value_tree")

    def __init__(self, fun: Callable[..., Any], in_tree: Any, transform: str,
                 rebuild: Callable[[Any], tuple[Sequence[Any], dict]] | None = None, has_aux: bool = False) -> None:
        self.fun = fun
        self.in_tree = in_tree
        self.out_tree: Any = None
        self.transform = transform
        self.rebuild = rebuild
        self.has_aux, self.count = has_aux, 0
        self.value_tree: Any = None

    def __call__(self, *leaves: Any) -> list[Any]:
        args, kwargs = self.in_tree.unflatten(leaves)
        if self.rebuild is not None:
            args, kwargs = self.rebuild((args, kwargs))
        result = self.fun(*args, **kwargs) if not calls_watched else self._watched(args, kwargs)
        if self.has_aux:
            return self._with_aux(result)
        outs, self.out_tree = tree.flatten(result)
        check_results(outs, result, self.fun, self.transform)
        return outs

    def _watched(self, args: Sequence[Any], kwargs: dict) -> Any:
        after = [tell for watch in calls_watched if (tell := watch(self, args, kwargs)) is not None]
        done = False
        try:
            result = self.fun(*args, **kwargs)
            done = True
        finally:
            for tell in after:
                tell(done)
        return result

    def _with_aux(self, result: Any) -> list[Any]:
        if not isinstance(result, (tuple, list)) or len(result) != 2:
            from perspicax.diagnose.definitions import definition_of  # only an error needs it

            raise AuxiliaryResultError(function=function_name(self.fun), transform=self.transform,
                                       got=type(result).__name__ if not isinstance(result, Tracer) else "array",
                                       definition=definition_of(self.fun))
        values, self.value_tree = tree.flatten(result[0])
        self.count = len(values)
        check_results(values, result[0], self.fun, self.transform)
        outs, self.out_tree = tree.flatten(tuple(result))
        return outs


def check_results(outs: Sequence[Any], result: Any, fun: Any, transform: str) -> None:
    """Raise when a leaf of what `fun` returned is no array.

    Raises:
        ReturnedTypeError: naming the path of the leaf.
    """
    for i, x in enumerate(outs):
        if type(x) not in typers and not isinstance(x, Tracer):
            try:
                get_aval(x)
            except TypeError:
                refuse_refs(outs, result, fun, transform)
                raise ReturnedTypeError(function=function_name(fun), transform=transform, value_type=type(x).__name__,
                                        path=result_path(result, i), value=short_repr(x)) from None


def refuse_refs(outs: Sequence[Any], result: Any, fun: Any, transform: str) -> None:
    """Raise when a leaf of what a traced function returned is a reference.

    Raises:
        RefValueError: naming the path of the leaf.
    """
    for i, x in enumerate(outs):
        if isinstance(x, RefCell):
            raise RefValueError(kind="returned", operation=transform, expected=x.inner_aval().str_short(),
                                got=function_name(fun), names=(result_path(result, i),)) from None


def short_repr(x: Any) -> str:
    """A value as a report shows it."""
    text = repr(x)
    return text if len(text) <= 60 else f"{text[:57]}..."


def result_path(result: Any, index: int) -> str:
    """The path of a leaf of a result: `result['loss']`."""
    path, _ = tree.flatten_with_path(result)[0][index]
    return f"result{tree.keystr(path)}"


def function_name(fun: Any) -> str:
    """What reports and jaxprs call a function."""
    while isinstance(fun, functools.partial):
        fun = fun.func
    name = getattr(fun, "__name__", None)
    return name if isinstance(name, str) else type(fun).__name__


def debug_info(transform: str, fun: Any, in_tree: Any, signature_args: int | None = None,
               static: Sequence[int] = (), static_names: Sequence[str] = ()) -> DebugInfo:
    """What is known about a staged function; names are worked out only when asked."""
    place = None
    inner = inspect.unwrap(fun) if callable(fun) and hasattr(fun, "__wrapped__") else fun
    code = getattr(inner, "__code__", None)
    if code is not None:
        place = (code, 0)
    return DebugInfo(transform, function_name(fun), place,
                     arg_names=_ArgNames(fun, in_tree, tuple(static), tuple(static_names)), fun=fun)


class _ArgNames:
    """Names of flat arguments: `x`, `params['w']`, `args[0]`; computed when called.

    Holds the function weakly: debug info must not keep closures alive.
    """

    __slots__ = ("code", "fun", "in_tree", "static", "static_names")

    def __init__(self, fun: Any, in_tree: Any, static: tuple[int, ...], static_names: tuple[str, ...]) -> None:
        import weakref

        try:
            self.fun = weakref.ref(fun)
        except TypeError:
            self.fun = lambda: None  # type: ignore[assignment]
        self.code = getattr(fun, "__code__", None)
        self.in_tree, self.static, self.static_names = in_tree, static, static_names

    def __call__(self) -> list[str]:
        count = self.in_tree.num_leaves
        args, kwargs = self.in_tree.unflatten(list(range(count)))
        names = positional_names(self.fun() or _hollow(self.code), len(args) + len(self.static), self.static)
        found: dict[int, str] = {}
        for name, arg in [*zip(names, args), *kwargs.items()]:
            for path, leaf in tree.flatten_with_path(arg)[0]:
                found[leaf] = f"{name}{tree.keystr(path)}"
        return [found.get(i, f"argument {i}") for i in range(count)]


def _hollow(code: Any) -> Any:
    """A function with the signature of one that is gone, and none of what it closed over."""
    if not isinstance(code, types.CodeType):
        return None
    return types.FunctionType(code, {}, closure=tuple([types.CellType() for _ in code.co_freevars]))


def positional_names(fun: Any, count: int, static: Sequence[int] = ()) -> list[str]:
    """Names of the first `count` positional parameters, without the static ones; `args[i]` where there is no name."""
    names: list[str] = []
    try:
        parameters = list(inspect.signature(fun).parameters.values()) if fun is not None else []
    except (TypeError, ValueError):
        parameters = []
    for p in parameters:
        if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD):
            names.append(p.name)
        elif p.kind is p.VAR_POSITIONAL:
            names += [f"{p.name}[{i}]" for i in range(count - len(names))]
            break
    names += [f"args[{i}]" for i in range(len(names), count)]
    return [n for i, n in enumerate(names[:count]) if i not in static]


def check_arguments(leaves: Sequence[Any], in_tree: Any, fun: Any, transform: str) -> list[Any]:
    """The types of flat arguments.

    Raises:
        ArgumentTypeError: naming the argument that is no array.
    """
    avals = []
    for i, x in enumerate(leaves):
        try:
            avals.append(get_aval(x))
        except TypeError as error:
            if type(error).__name__ not in ("NotAnArrayError", "TypeError"):
                raise
            names = _ArgNames(fun, in_tree, (), ())()
            code = getattr(fun, "__code__", None)
            ours = code is not None and kind_of(code.co_filename) == INTERNAL
            raise ArgumentTypeError(function=function_name(fun), transform="" if ours else transform, name=names[i],
                                    value_type=type(x).__name__, value=short_repr(x)) from None
    return avals


def wraps(fun: Callable[..., Any], wrapper: Any) -> Any:
    """Give `wrapper` the name, docstring and signature of `fun`, where it has them."""
    for name in ("__module__", "__name__", "__qualname__", "__doc__"):
        value = getattr(fun, name, None)
        if value is not None:
            setattr(wrapper, name, value)
    wrapper.__wrapped__ = fun
    return wrapper
