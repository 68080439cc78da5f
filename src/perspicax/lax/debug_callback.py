"""Callbacks that only look: `jax.debug.callback` and `jax.debug.print`. They change no value and no derivative.

Under vmap there is one call from the program for the whole batch, and the host calls the user's function once for each
entry. Derivatives pass them by: the function sees primal values.
"""
from __future__ import annotations

import functools
import logging
import string
import sys
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from perspicax.core.effects import Effect, Effects
from perspicax.core.primitive import NotLinear, OfPrimitive, Primitive
from perspicax.core.tracer import get_aval
from perspicax.diagnose.boundary import public
from perspicax.diagnose.frames import user_position
from perspicax.lax.callback import MappedFunction, array_of, call_now, emit_callback, map_operands
from perspicax.lax.callback_errors import CallbackArgumentError
from perspicax.lax.debug_errors import DebugFormatError
from perspicax.transform import trees as tree
from perspicax.transform.batch import BatchAxis
from perspicax.transform.stage import function_name


class DebugEffect(Effect):
    """A Python function looks at values."""

    in_custom_rules = True
    in_batched_branches = True

    def __repr__(self) -> str:
        return "Debug"


class OrderedDebugEffect(Effect):
    """The same, in program order."""

    ordered = True
    in_custom_rules = True
    in_batched_branches = True

    def __repr__(self) -> str:
        return "OrderedDebug"


debug_effect, ordered_debug_effect = DebugEffect(), OrderedDebugEffect()


class DebugFunction:
    """The Python side: gets the traced arguments as NumPy arrays, and calls the user's function with all of them.

    Attributes:
        fun: the user's function.
        in_tree: structure of `(args, kwargs)`.
        static: for each leaf its value, where it is no array; `None` in the place of arrays.
        avals: for each leaf its type, or `None` where it is no array.
        name, place: what the user calls it, and where he asked for the call.
    """

    __slots__ = ("avals", "fun", "in_tree", "name", "place", "static")

    def __init__(self, fun: Callable[..., Any], in_tree: Any, avals: Sequence[Any], static: Sequence[Any], name: str,
                 place: Any) -> None:
        self.place = place
        self.fun, self.in_tree, self.avals, self.static, self.name = fun, in_tree, tuple(avals), tuple(static), name

    def __repr__(self) -> str:
        return self.name

    def __call__(self, *arrays: Any) -> tuple:
        given = iter(arrays)
        leaves = [s if a is None else array_of(next(given), a) for a, s in zip(self.avals, self.static)]
        args, kwargs = self.in_tree.unflatten(leaves)
        self.fun(*args, **kwargs)
        return ()


class _MappedLook(MappedFunction):
    """A debugging callback on a whole batch: there is nothing to stack."""

    __slots__ = ()

    def __call__(self, *arrays: Any) -> tuple:
        for i in range(self.size):
            self.inner(*[x[i] if b else x for x, b in zip(arrays, self.batched)])
        return ()


# -- rules

def _batch(primitive: Primitive) -> Callable[..., Any]:
    def batch(axis: BatchAxis, args: tuple, axes: tuple, *, callback: Any, ordered: bool, partitioned: bool) -> tuple:
        moved, batched = map_operands(axis, args, axes)
        primitive(*moved, callback=_MappedLook(callback, batched, axis.size), ordered=ordered, partitioned=partitioned)
        return [], []

    return batch


def _jvp(primitive: Primitive) -> Callable[..., Any]:
    def jvp(primals: tuple, tangents: tuple, **params: Any) -> tuple:
        primitive(*primals, **params)
        return [], []

    return jvp


def _evaluate(*args: Any, callback: Any, **_: Any) -> list:
    call_now(callback, args, as_they_are=type(callback) is not _MappedLook)
    return []


def _effect_of(ordered: bool) -> Effect:
    return ordered_debug_effect if ordered else debug_effect


def _effects(ordered: bool, **_: Any) -> Effects:
    return frozenset((_effect_of(ordered),))


def _emit(b: Any, *operands: Any, callback: Any, ordered: bool, partitioned: bool) -> list:
    return emit_callback(b, operands, callback, _effect_of(ordered))


def _look(name: str) -> Primitive:
    made = Primitive(
        name, params=("callback", "ordered", "partitioned"), multiple_results=True, cache_types=False, handles_extended=True,
        type_rule=lambda *avals, **_: [], jvp=OfPrimitive(_jvp),
        transpose=NotLinear("a Python function looks at a tangent, which reverse mode never computes"),
        batch=OfPrimitive(_batch), emit=_emit, evaluate=_evaluate, effects=_effects,
        source="jaxlib's `xla_ffi_python_cpu_callback`")
    made.extra["callback"] = True
    return made


debug_callback_p = _look("debug_callback")
debug_print_p = _look("debug_print")


def _bind(primitive: Primitive, fun: Callable[..., Any], args: tuple, kwargs: dict, name: str, ordered: bool,
          partitioned: bool) -> None:
    leaves, in_tree = tree.flatten((args, kwargs))
    avals: list[Any] = []
    static: list[Any] = []
    operands: list[Any] = []
    for x in leaves:
        try:
            aval = get_aval(x)
        except TypeError:  # a text, say: the function gets it as it is
            avals.append(None)
            static.append(x)
        else:
            avals.append(aval)
            static.append(None)
            operands.append(x)
    host = DebugFunction(fun, in_tree, avals, static, name, user_position(2))
    primitive(*operands, callback=host, ordered=bool(ordered), partitioned=bool(partitioned))


# -- the public functions

@public
def callback(callback: Callable[..., None] | None = None, *args: Any, ordered: bool = False, partitioned: bool = False,
             **kwargs: Any) -> Any:
    """Call a Python function that only looks at values: what it returns is not used.

    Args:
        callback: the function; without it, a decorator for one is returned.
        args, kwargs: pytrees; arrays reach the function as arrays, everything else as it is.
        ordered: whether calls keep program order. Others may happen in any order, but all do happen.
        partitioned: on several devices, whether each of them calls with its part. Differs: taken and not used, since a
            program on one device has one part.

    Returns:
        Nothing. Under vmap the function is called once for each entry; in a differentiated function, with primal values.

    Raises:
        CallbackArgumentError: `callback` is no function.
        JaxRuntimeError: at `jax.effects_barrier()` or the next use of a result, if the function raised; what it raised is
            the cause.
    """
    if callback is None:
        return functools.partial(_decorated, ordered, partitioned)
    if not callable(callback):
        raise CallbackArgumentError(what="debug.callback", kind="function", got=type(callback).__name__)
    _bind(debug_callback_p, callback, args, kwargs, function_name(callback), ordered, partitioned)
    return None


def _decorated(ordered: bool, partitioned: bool, fun: Callable[..., Any]) -> Callable[..., None]:
    """A function that calls `fun` back whenever it is called."""
    @functools.wraps(fun)
    def call(*args: Any, **kwargs: Any) -> None:
        callback(fun, *args, ordered=ordered, partitioned=partitioned, **kwargs)

    return call


@public
def print(fmt: str, *args: Any, ordered: bool = False, partitioned: bool = False, skip_format_check: bool = False,
          _use_logging: bool = False, **kwargs: Any) -> None:
    """Print values of a running program.

    Args:
        fmt: a format text as `str.format` takes it: `"x is {x:.3f}"`.
        args, kwargs: what it formats: pytrees; arrays appear with their values.
        ordered: whether lines keep program order.
        partitioned: as in `callback`.
        skip_format_check: whether to leave out the check that `fmt` uses all arguments and no others.

    Raises:
        DebugFormatError: `fmt` and the arguments do not fit.
        JaxRuntimeError: at `jax.effects_barrier()` or the next use of a result, if a value does not fit its format.

    >>> print("{} and {y}", 1, y=jnp.arange(2))
    1 and [0 1]
    """
    if not skip_format_check:
        check_format(fmt, args, kwargs)
    options: Any = np.get_printoptions()
    show = _Logger(fmt, options, user_position(2)) if _use_logging else _Printer(fmt, options)
    _bind(debug_print_p, show, args, kwargs, "debug.print", ordered, partitioned)


def log(fmt: str, *args: Any, ordered: bool = False, partitioned: bool = False, skip_format_check: bool = False,
        **kwargs: Any) -> None:
    """As `print`, but to Python's logger `jax.debug`, at level INFO and with the user's line.

    Raises:
        DebugFormatError: `fmt` and the arguments do not fit.
    """
    print(fmt, *args, ordered=ordered, partitioned=partitioned, skip_format_check=skip_format_check, _use_logging=True,
          **kwargs)


_DEFAULTS = np.get_printoptions()


class _Printer:
    """Formats and prints, with the print options of where the program was written: callbacks run in threads of their own."""

    __slots__ = ("fmt", "options")

    def __init__(self, fmt: str, options: dict[str, Any]) -> None:
        self.fmt = fmt
        self.options = None if options == _DEFAULTS else {k: v for k, v in options.items() if k != "legacy" or v}

    def text(self, args: tuple, kwargs: dict) -> str:
        if self.options is None:
            return self.fmt.format(*args, **kwargs)
        with np.printoptions(**self.options):
            return self.fmt.format(*args, **kwargs)

    def __call__(self, *args: Any, **kwargs: Any) -> None:
        sys.stdout.write(self.text(args, kwargs) + "\n")


class _Logger(_Printer):
    """The same, to a logger."""

    __slots__ = ("line", "path")

    line: int
    path: str

    def __init__(self, fmt: str, options: dict[str, Any], position: Any) -> None:
        super().__init__(fmt, options)
        span = None if position is None else position.span()
        self.path = "" if span is None else span.filename
        self.line = 0 if span is None else span.line

    def __call__(self, *args: Any, **kwargs: Any) -> None:
        logger = logging.getLogger("jax.debug")
        if logger.isEnabledFor(logging.INFO):
            logger.handle(logger.makeRecord(logger.name, logging.INFO, self.path, self.line, self.text(args, kwargs), (), None))


class _Uses(string.Formatter):
    """Formats nothing: notes which arguments a format text names."""

    def __init__(self) -> None:
        self.positions: set[int] = set()
        self.names: set[str] = set()

    def get_field(self, field_name: str, args: Any, kwargs: Any) -> tuple[Any, Any]:
        first = field_name.partition(".")[0].partition("[")[0]
        (self.positions.add(int(first)) if first.isdigit() else self.names.add(first))
        return "", first

    def format_field(self, value: Any, format_spec: str) -> str:
        return ""


def check_format(fmt: Any, args: Sequence[Any], kwargs: dict[str, Any], what: str = "debug.print",
                 may_be_unused: bool = False) -> None:
    """Whether a format text names all arguments (unless they `may_be_unused`) and no others.

    Raises:
        DebugFormatError: it does not.
    """
    if not isinstance(fmt, str):
        raise DebugFormatError(what=what, kind="text", fmt=type(fmt).__name__)
    uses = _Uses()
    try:
        uses.vformat(fmt, (), {})
    except ValueError as error:  # braces that do not match, say
        raise DebugFormatError(what=what, kind="syntax", fmt=fmt, detail=str(error)) from None
    lacking = [str(i) for i in sorted(uses.positions) if i >= len(args)] + sorted(uses.names - set(kwargs))
    if lacking:
        raise DebugFormatError(what=what, kind="missing", fmt=fmt, fields=tuple(lacking), count=len(args),
                               names=tuple(kwargs))
    unused = [str(i) for i in range(len(args)) if i not in uses.positions] + [n for n in kwargs if n not in uses.names]
    if unused and not may_be_unused:
        raise DebugFormatError(what=what, kind="unused", fmt=fmt, fields=tuple(unused), count=len(args), names=tuple(kwargs))


__all__ = ["DebugEffect", "OrderedDebugEffect", "callback", "check_format", "debug_callback_p", "debug_print_p", "log",
           "print"]
