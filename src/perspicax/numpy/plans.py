"""Plans for eager calls: what NumPy is to do for operands of these types, found out once.

`flip(x, 0)` checks its axis, asks where `x` lies, and what type the result has; that takes longer than to reverse a few
entries. All of it depends on the types of the operands and the other arguments alone, and so it is kept. A plan is made for
small arrays that lie where arrays lie by themselves and whose call is right; everything else goes the general way, which
also writes the reports.
"""
from __future__ import annotations

import functools
from collections.abc import Callable
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
        plans: dict[Any, Act | None] = {}

        def at_once(args: tuple, kwargs: dict[str, Any]) -> Any:
            if not kwargs and len(args) == 1 and type(args[0]) is ArrayImpl:
                [x] = args
                act = plans.get(x.aval, _NEW)
                if act is not _NEW:
                    if act is None or x._place is not None:
                        return NotImplemented
                    value = x._np
                    found = act(x.value() if value is None else value)
                    return found if found is NotImplemented else moved(x, found) if moves else computed(found)
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
            kept = key[0] if len(key) == 1 else tuple(key)
            try:
                act = plans.get(kept, _NEW)
            except TypeError:  # an argument that cannot be hashed
                return NotImplemented
            if act is _NEW:
                if len(plans) >= MAX_PLANS:
                    plans.clear()
                act = plans[kept] = _made(plan, arrays, args, kwargs)
            if act is None:
                return NotImplemented
            values = []
            for array in arrays:
                if array._place is not None:
                    return NotImplemented
                value = array._np
                values.append(array.value() if value is None else value)
            found = act(*values)
            if found is NotImplemented:
                return found
            return moved(arrays[0], found) if moves else computed(found)

        @functools.wraps(function)
        def call(*args: Any, **kwargs: Any) -> Any:
            try:
                if local.trace is _EVALUATOR and not checking.careful:
                    found = at_once(args, kwargs)
                    if found is not NotImplemented:
                        return found
                return function(*args, **kwargs)
            except Exception as error:
                trim(error)
                raise

        return call

    return decorate


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
    if not avals or any(a.extended or a.explicit is not None or a.size > HOST_LIMIT or beyond_numpy(a) for a in avals):
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
