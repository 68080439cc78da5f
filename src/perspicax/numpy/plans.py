"""Plans for eager calls: what NumPy is to do for operands of these types, found out once.

`flip(x, 0)` checks its axis, asks where `x` lies, and what type the result has; that takes longer than to reverse a few
entries. All of it depends on the types of the operands and the other arguments alone, and so it is kept. A plan is made for
small arrays that lie where arrays lie by themselves and whose call is right; everything else goes the general way, which
also writes the reports.
"""
from __future__ import annotations

import functools
from collections.abc import Callable
from types import NoneType
from typing import Any

import numpy as np

from perspicax.core.avals import ShapedArray
from perspicax.core.config import local
from perspicax.core.context import evaluator
from perspicax.diagnose.boundary import trim
from perspicax.numpy.construct import asarray
from perspicax.numpy.hosted import computed, moved
from perspicax.xla.array import ArrayImpl, beyond_numpy
from perspicax.xla.dispatch import HOST_LIMIT, checking

__all__ = ["axis_of", "planned"]

MAX_PLANS = 4096
_EVALUATOR = evaluator()
_NEW: Any = object()

_ARRAYS = {ArrayImpl}

Act = Callable[..., Any]


class _Plan:
    """What NumPy does for a call, and the type of what it made last; without `act`, the general way is taken."""

    __slots__ = ("act", "moves", "out")

    def __init__(self, act: Act | None, moves: bool) -> None:
        self.act, self.moves, self.out = act, moves, None

    def result(self, x: ArrayImpl, found: Any) -> ArrayImpl:
        """The array that holds what `act` found for `x`, and perhaps for others."""
        out: Any = self.out
        if out is not None and type(found) is np.ndarray and found.shape == out.shape and (
                self.moves or found.dtype is out.dtype):
            return ArrayImpl(out, None, found)
        made = moved(x, found) if self.moves else computed(found)
        self.out = made.aval
        return made


_Form = tuple[bool, dict[tuple, _Plan]]  # whether there are two arrays
_PLAIN = frozenset((bool, int, float, complex, str, NoneType))
"""Classes whose values, with their class, say all that a plan has to know, and have a hash."""


def planned(plan: Callable[..., Act | None], moves: bool = True) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Decorate a public function whose eager results NumPy makes; errors leave it with the user's frames only.

    Args:
        plan: gets the arguments of a call with types in the place of arrays, and lists of types in that of their lists. It
            returns a function of the arrays' values, which returns the result's, or `NotImplemented`; or `None` where the
            call is none of those that it knows, above all where it is a mistake. What options choose, such as the dtype of
            indices, is looked up in the function that it returns.
        moves: whether the result has the dtype and weak type of the first array; else its dtype alone tells its type.
    """
    def decorate(function: Callable[..., Any]) -> Callable[..., Any]:
        alone: dict[Any, _Plan] = {}  # of calls with one array and nothing else
        forms: dict[tuple, _Form | None] = {}
        plans: dict[Any, _Plan] = {}

        def known(key: Any, arrays: list[ArrayImpl], args: tuple, kwargs: dict[str, Any], kept: dict[Any, _Plan]) -> _Plan:
            found = kept.get(key)
            if found is None:
                if len(kept) >= MAX_PLANS:
                    kept.clear()
                found = kept[key] = _Plan(_made(plan, arrays, args, kwargs), moves)
            return found

        def by_form(form: tuple, given: tuple, args: tuple, kwargs: dict[str, Any]) -> Any:
            """For one or two arrays, and numbers after them."""
            kinds = forms.get(form, _NEW)
            if kinds is _NEW:
                kinds = forms[form] = _form(given)
            if kinds is None:
                return by_parts(args, kwargs)
            both, kept = kinds
            x = given[0]
            key = (x.aval, given[1].aval, *given[2:]) if both else (x.aval, *given[1:])
            found = kept.get(key)
            if found is None:
                found = known(key, list(given[:1 + both]), args, kwargs, kept)
            act = found.act
            if act is None or x._place is not None:
                return NotImplemented
            value = x._np
            if value is None:
                value = x.value()
            if both:
                y = given[1]
                if y._place is not None:
                    return NotImplemented
                other = y._np
                made = act(value, y.value() if other is None else other)
            else:
                made = act(value)
            return made if made is NotImplemented else found.result(x, made)

        def by_parts(args: tuple, kwargs: dict[str, Any]) -> Any:
            """For lists, tuples, NumPy arrays and what else there is."""
            key: list[Any] = []
            arrays: list[ArrayImpl] = []
            for x in args:
                kind = type(x)
                if kind is np.ndarray:
                    x = asarray(x)
                    kind = type(x)
                if kind is ArrayImpl:
                    arrays.append(x)
                    key.append(x.aval)
                elif kind is not tuple and kind is not list:
                    key += kind, x
                elif x and set(map(type, x)) == _ARRAYS:
                    arrays += x
                    key += kind, *[y.aval for y in x]
                else:
                    key += kind, _kinds(x), tuple(x)
            for name, x in kwargs.items():
                kind = type(x)
                key += (name, kind, x) if kind is not tuple and kind is not list else (name, kind, _kinds(x), tuple(x))
            try:
                found = known(tuple(key), arrays, args, kwargs, plans)
            except TypeError:  # an argument that cannot be hashed
                return NotImplemented
            if found.act is None:
                return NotImplemented
            values = []
            for array in arrays:
                if array._place is not None:
                    return NotImplemented
                value = array._np
                values.append(array.value() if value is None else value)
            made = found.act(*values)
            return made if made is NotImplemented else found.result(arrays[0], made)

        @functools.wraps(function)
        def call(*args: Any, **kwargs: Any) -> Any:
            try:
                if local.trace is _EVALUATOR and not checking.careful:
                    if kwargs:
                        made = by_form((*map(type, args), *kwargs, *map(type, kwargs.values())), (*args, *kwargs.values()),
                                       args, kwargs)
                    elif len(args) == 1 and type(args[0]) is ArrayImpl:
                        [x] = args
                        found = alone.get(x.aval)
                        if found is None:
                            found = known(x.aval, [x], args, kwargs, alone)
                        if found.act is None or x._place is not None:
                            return function(x)
                        value = x._np
                        made = found.act(x.value() if value is None else value)
                        if made is not NotImplemented:
                            return found.result(x, made)
                    else:
                        made = by_form((*map(type, args),), args, args, kwargs)
                    if made is not NotImplemented:
                        return made
                return function(*args, **kwargs)
            except Exception as error:
                trim(error)
                raise

        return call

    return decorate


def _form(given: tuple) -> _Form | None:
    """Where the plans for arguments of these classes are kept; `None` if the classes do not say enough."""
    if not given or type(given[0]) is not ArrayImpl:
        return None
    both = len(given) > 1 and type(given[1]) is ArrayImpl
    return (both, {}) if _PLAIN.issuperset(map(type, given[1 + both:])) else None


def _described(x: Any) -> Any:
    if type(x) is ArrayImpl:
        return x.aval
    if type(x) is np.ndarray:
        return asarray(x).aval
    return [y.aval for y in x] if type(x) in (list, tuple) and x and type(x[0]) is ArrayImpl else x


def _kinds(x: Any) -> tuple:
    """The classes of the entries: 1, 1.0 and True are equal, and not all of them are sizes."""
    return tuple([_kinds(y) if type(y) is tuple else type(y) for y in x])


def _made(plan: Callable[..., Act | None], arrays: list[ArrayImpl], args: tuple, kwargs: dict[str, Any]) -> Act | None:
    avals = [x.aval for x in arrays]
    if not avals or any(a.extended or a.explicit is not None or a.memory is not None or a.size > HOST_LIMIT or beyond_numpy(a)
                        for a in avals):
        return None
    try:
        return plan(*map(_described, args), **kwargs)
    except TypeError:  # an argument too many, or of a class that the plan does not know
        return None


def axis_of(axis: Any, aval: ShapedArray) -> int | None:
    """An axis of arrays of a type, counted from the front; `None` for what is none."""
    ndim = len(aval.shape)
    if type(axis) is not int or not -ndim <= axis < ndim:
        return None
    return axis + ndim if axis < 0 else axis
