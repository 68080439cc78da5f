"""Draws that are made again and again: one program for the whole of such a call.

What a sampler does at first spares compilations: pieces of fixed size, and NumPy. Whoever draws the same again and again is
served best by one program of just that, which JAX makes at the first call. It is compiled when as much time was spent on the
steps as it costs itself, and found by the types of the arguments: so none of them is looked at again. Its bits are those of
the sampler under `jit`, and these are those of the steps, which tests compare.
"""
from __future__ import annotations

import functools
import time
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from perspicax.core.config import local, state_key
from perspicax.core.context import evaluator
from perspicax.core.jaxpr import DebugInfo
from perspicax.core.option import option_named
from perspicax.core.trace import stage_flat
from perspicax.core.tracer import get_aval
from perspicax.core.tracer_errors import ConcretizationTypeError
from perspicax.random.chunks import LARGE
from perspicax.transform.jit import also_cleared
from perspicax.transform.jit_primitive import program_for
from perspicax.xla import compile as compilation
from perspicax.xla import sharding as shardings
from perspicax.xla.array import ArrayImpl
from perspicax.xla.dispatch import as_array, checking
from perspicax.xla.kept import KeptArrays

PRICE = 0.03  # seconds of the processor spent on steps; a program for one shape takes 0.05 to 0.15 to compile
LOOPS = 10.  # the price of a program with loops, in multiples of `PRICE`: it takes 0.5 to 2 seconds
SHARE = 0.5  # of the price, the most that one call counts for: in its time may fall a collection of garbage
MAX_KINDS = 1024
FACTS = frozenset({type(None), bool, int, float, str})  # classes of arguments that are what they are for ever
INT32 = range(-(1 << 31), 1 << 31)
STEPS = "steps"  # in the place of the program of calls that have none: what they return is large, or cannot be staged
_EVALUATOR = evaluator()
_numbers = KeptArrays()
also_cleared.append(_numbers.clear)
_disabled, _words_told = option_named("jax_disable_jit"), option_named("jax_legacy_prng_key")

Run = Callable[[Sequence[ArrayImpl]], ArrayImpl]


def drawn(numbers: str = "", arrays: str = "", price: float = 1.) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Decorate a sampler, whose first argument is a key.

    Args:
        numbers: the names of parameters that are numbers or arrays, and never decide shapes: operands of the program.
        arrays: of those that are operands where they are arrays, and static where they are numbers.
        price: what is spent on steps before the program is compiled, in multiples of `PRICE`.
    """
    def decorate(function: Callable[..., Any]) -> Callable[..., Any]:
        code = getattr(function, "__wrapped__", function).__code__
        names = code.co_varnames[1:code.co_argcount]
        operands = {**dict.fromkeys(arrays.split(), False), **dict.fromkeys(numbers.split(), True)}
        kinds: dict[Any, Any] = {}
        also_cleared.append(kinds.clear)

        @functools.wraps(function)
        def draw(key: Any, *args: Any, **kwargs: Any) -> Any:
            if (local.trace is not _EVALUATOR or checking.careful or type(key) is not ArrayImpl or key._place is not None
                    or len(args) > len(names) or _disabled.touched or _words_told.touched):
                return function(key, *args, **kwargs)
            state = state_key()
            kind: list[Any] = [state, key.aval]
            given = [key]
            for name, x in (*zip(names, args), *kwargs.items()):
                own = type(x)
                if name in operands and _is_operand(x, operands[name]):
                    array = x if own is ArrayImpl else as_array(x) if own is np.ndarray else _number(x, state)
                    if array._place is not None:
                        return function(key, *args, **kwargs)
                    given.append(array)
                    kind += name, array.aval
                elif own in FACTS:
                    kind += name, x, own
                elif (own is tuple or own is list) and FACTS.issuperset(map(type, x)):
                    kind += name, tuple(x), tuple(map(type, x))
                elif isinstance(x, type | np.dtype):
                    kind += name, x, own
                else:  # it may be another one at the next call: an array that tells a shape, or an object that holds one
                    return function(key, *args, **kwargs)
            known = tuple(kind)
            found = kinds.get(known, 0.)
            if type(found) is not float:
                return function(key, *args, **kwargs) if found is STEPS else found(given)
            started, before = time.process_time(), compilation.programs()
            made = function(key, *args, **kwargs)
            if compilation.programs() == before:  # else the time was that of what is shared
                cost = price * PRICE
                found += min(time.process_time() - started, cost * SHARE)
                if len(kinds) >= MAX_KINDS:
                    kinds.clear()
                kinds[known] = found if found < cost else _whole(function, names, operands, key, args, kwargs, made)
            return made

        return draw

    return decorate


def _is_operand(x: Any, number: bool) -> bool:
    """Whether an argument is an array, or a number that stands for one. An array without axes may tell a size."""
    kind = type(x)
    if kind is ArrayImpl:
        return number or x.aval.ndim > 0
    if kind is np.ndarray:
        return x.dtype.kind in "biufc" and (number or x.ndim > 0)
    return number and (kind is float or (kind is int and x in INT32) or (isinstance(x, np.generic) and x.dtype.kind in "biufc"))


def _number(x: float, state: Any) -> ArrayImpl:
    """A number as an operand; the same array for the same number, whose way to the device takes as long as a draw."""
    kept = (state, type(x), x if x else str(x))  # zeros have signs
    found = _numbers.get(kept)
    if found is None:
        if len(_numbers) >= MAX_KINDS:
            _numbers.clear()
        found = _numbers[kept] = as_array(x)
    return found


def _whole(function: Callable[..., Any], names: Sequence[str], operands: dict[str, bool], key: ArrayImpl, args: tuple,
           kwargs: dict[str, Any], made: Any) -> Run | str:
    """The program of a call that returned `made`, or `STEPS`."""
    if type(made) is not ArrayImpl or made.aval.size > LARGE or not made.aval.size or made._place is not None:
        return STEPS
    given = [*args, *kwargs.values()]
    places = [i for i, (name, x) in enumerate(zip((*names[:len(args)], *kwargs), given))
              if name in operands and _is_operand(x, operands[name])]
    avals: list[Any] = [key.aval, *[get_aval(given[i]) for i in places]]

    def call(key: Any, *values: Any) -> list[Any]:
        whole = [*given]
        for i, x in zip(places, values):
            whole[i] = x
        return [function(key, *whole[:len(args)], **dict(zip(kwargs, whole[len(args):])))]

    try:
        closed = stage_flat(call, avals, DebugInfo("jit", function.__name__))
    except ConcretizationTypeError:  # an array that a program cannot take for what the steps did
        return STEPS
    if tuple(closed.out_avals) != (made.aval,):
        return STEPS
    program = program_for(closed, shardings.default_sharding(), False, name=function.__name__)
    return lambda arrays: program(arrays)[0]


__all__ = ["LOOPS", "PRICE", "drawn"]
