"""Universal functions as objects: functions of elements that can also reduce, accumulate, and update places.

The function itself stands in the slot `__call__`: Python calls it directly, without a method of this class in between.
"""
from __future__ import annotations

import functools
import operator
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from perspicax.core import dtypes
from perspicax.core.array import Array
from perspicax.core.avals import ShapedArray
from perspicax.core.deferral import eager_or_deferring
from perspicax.core.trace import stage_flat
from perspicax.core.tracer import get_aval
from perspicax.diagnose.boundary import public, public_methods
from perspicax.lax import shape as lax_shape
from perspicax.lax.convert import convert
from perspicax.lax.loops import scan
from perspicax.numpy.axes import one_axis
from perspicax.numpy.choice import where3
from perspicax.numpy.construct import asarray
from perspicax.numpy.creation import broadcast_to, filled
from perspicax.numpy.errors import ArgumentKindError, ArgumentValueError, ReductionError, UnsupportedArgumentError
from perspicax.numpy.indexing import at
from perspicax.numpy.joining import concatenate
from perspicax.numpy.logic import kind, refuse
from perspicax.numpy.promote import array_like
from perspicax.numpy.selection import take
from perspicax.numpy.shapes import expand_dims, moveaxis, ravel
from perspicax.numpy.vectorizing import vectorize
from perspicax.transform.jit import JitFunction
from perspicax.transform.jit_options import JitOptions

Rules = Mapping[str, Callable[..., Any]]


@public_methods("reduce", "accumulate", "at", "reduceat", "outer")
class ufunc:
    """A function of elements, that broadcasts its arguments.

    Args:
        func: a function of `nin` scalars.
        nin: how many arguments it has.
        nout: how many results.
        name: by which it is shown; that of `func` by default.
        nargs: how many arguments there are; `nin` by default.
        identity: what changes nothing when it is the first argument, as 0 for a sum; `None` if there is no such value.
        call: what is called with arrays; `func`, vectorised, by default.
        reduce: the reduction, where there is a faster one than element by element; so for the others.
        accumulate: the running reduction.
        at: the update of places.
        reduceat: the reduction of parts.

    `jnp.add` and its like are such objects; `jnp.frompyfunc` makes one of a function.

    >>> jnp.add.reduce(jnp.array([[1., 2.], [3., 4.]]), axis=1)
    Array([3., 7.], dtype=float32)
    """

    __name__: str
    if TYPE_CHECKING:
        def __call__(self, *args: Any, out: None = None, where: None = None) -> Any:
            """The function itself."""

    __slots__ = ("__call__", "__dict__", "__weakref__", "_func", "_programs", "_rules", "identity", "nargs", "nin", "nout")

    def __init__(self, func: Callable[..., Any], /, nin: int, nout: int, *, name: str | None = None, nargs: int | None = None,
                 identity: Any = None, call: Callable[..., Any] | None = None, reduce: Callable[..., Any] | None = None,
                 accumulate: Callable[..., Any] | None = None, at: Callable[..., Any] | None = None,
                 reduceat: Callable[..., Any] | None = None) -> None:
        if not callable(func):
            raise ArgumentKindError(says=f"`frompyfunc` was given {func!r}.", why="it makes a ufunc of a function")
        for count in (nin, nout):
            if not hasattr(count, "__index__"):
                raise ArgumentKindError(says=f"`frompyfunc` was given {count!r} as a number of arguments or results.",
                                        why="it is an integer")
        self._func = func
        self.nin, self.nout = operator.index(nin), operator.index(nout)
        self.nargs = self.nin if nargs is None else operator.index(nargs)
        self.identity = identity
        rules = {"reduce": reduce, "accumulate": accumulate, "at": at, "reduceat": reduceat}
        self._rules: Rules = {n: rule for n, rule in rules.items() if rule is not None}
        self._programs: dict[Any, JitFunction] = {}
        self.__name__ = self.__qualname__ = name or str(getattr(func, "__name__", "ufunc"))
        self.__doc__ = func.__doc__
        self.__module__ = getattr(func, "__module__", None) or __name__
        self.__wrapped__ = func
        object.__setattr__(self, "__call__", _elementwise(self) if call is None else call)

    def __repr__(self) -> str:
        return f"<jnp.ufunc '{self.__name__}'>"

    def __eq__(self, other: object) -> bool:
        return self is other or (isinstance(other, ufunc) and self._key() == other._key())

    def __hash__(self) -> int:
        return hash((self._func, self.nin, self.nout))

    def __reduce__(self) -> Any:
        import sys

        if getattr(sys.modules.get(self.__module__), self.__name__, None) is self:
            return self.__name__
        return _rebuilt, self._key()

    def _key(self) -> tuple[Any, ...]:
        return self._func, self.nin, self.nout, self.identity

    def _two(self, method: str) -> None:
        """Raise unless it takes two arguments and has one result."""
        if self.nin != 2 or self.nout != 1:
            raise ArgumentValueError(says=f"`{self.__name__}` has no `{method}`.",
                                     why=f"that takes a function of two arguments with one result; it has {self.nin} and "
                                         f"{self.nout}")

    def _run(self, f: Callable[..., Any], *arrays: Any, **static: Any) -> Any:
        """One program when nothing is traced."""
        if not eager_or_deferring():
            return f(self.__call__, *arrays, **static)
        key = (f, *static.items())
        program = self._programs.get(key)
        if program is None:
            program = self._programs[key] = JitFunction(functools.partial(f, self.__call__, **static), JitOptions())
        return program(*arrays)

    def reduce(self, a: Any, axis: Any = 0, dtype: Any = None, out: None = None, keepdims: bool = False, initial: Any = None,
               where: Any = None) -> Array:
        """The function applied to the first two entries along an axis, then to what it gave and the third, and so on.

        Args:
            a: array.
            axis: the axis; `None` for all elements.
            dtype: in which it is computed.
            out: is not supported.
            keepdims: whether the axis stays, with size 1.
            initial: a value to begin with; the identity by default, if there is one.
            where: boolean array that broadcasts to `a`: which entries count; needs `initial`, or an identity.

        Raises:
            ReductionError: there are no entries, or there may be none by `where`, and nothing to begin with.
        """
        name = f"{self.__name__}.reduce"
        refuse(name, out=out)
        self._two("reduce")
        x = asarray(array_like(a, name))
        if where is not None and self.identity is None and initial is None:
            raise ReductionError(says=f"`{name}` was given `where` without `initial`.",
                                 why=f"where the mask leaves no entries there is no result: `{self.__name__}` has no identity")
        wanted = None if dtype is None else dtypes.requested_dtype(dtype, name)
        if type(axis) is int:
            one_axis(axis, x.ndim, name)
        rule = self._rules.get("reduce")
        if rule is not None:
            return rule(x, axis=axis, dtype=wanted, keepdims=keepdims, initial=initial, where=where)
        return self._reduced(name, x, axis, wanted, keepdims, initial, where)

    def _reduced(self, name: str, x: Any, axis: Any, dtype: Any, keepdims: bool, initial: Any, where: Any) -> Any:
        if isinstance(axis, (tuple, list)):
            raise UnsupportedArgumentError(function=name, argument=f"axis={axis}",
                                   why="the order in which entries are combined may matter; reduce one axis at a time")
        shape = x.shape
        if where is not None:
            where = broadcast_to(asarray(array_like(where, name, 6)), shape, name)
        if axis is None:
            x, where, place = ravel(x), None if where is None else ravel(where), 0
        else:
            place = one_axis(axis, x.ndim, name)
        if dtype is not None:
            x = convert(x, dtype, False)
        start = self.identity if initial is None else array_like(initial, name, 5)
        if start is None and x.shape[place] == 0:
            raise ReductionError(says=f"`{name}` has no result for {x.aval.str_short()} along axis {place}.",
                                 why=f"there are no entries, and `{self.__name__}` has no identity; `initial` says what is "
                                     "returned then")
        others = [v for v in (start, where) if v is not None]
        found = self._run(_folded, x, *others, axis=place, starts=start is not None)
        if not keepdims:
            return found
        return lax_shape.reshape(found, (1,) * len(shape)) if axis is None else expand_dims(found, place)

    def accumulate(self, a: Any, axis: int = 0, dtype: Any = None, out: None = None) -> Array:
        """What `reduce` gives for the entries up to each along an axis.

        Args:
            a: array.
            axis: the axis.
            dtype: in which it is computed.
            out: is not supported.
        """
        name = f"{self.__name__}.accumulate"
        refuse(name, out=out)
        self._two("accumulate")
        x = asarray(array_like(a, name))
        wanted = None if dtype is None else dtypes.requested_dtype(dtype, name)
        rule = self._rules.get("accumulate")
        if rule is not None:
            return rule(x, axis=axis, dtype=wanted)
        if axis is None or isinstance(axis, (tuple, list)):
            raise ArgumentValueError(says=f"`{name}` was given axis={axis}.", why="it runs along one axis")
        place = one_axis(axis, x.ndim, name)
        return self._run(_accumulated, x if wanted is None else convert(x, wanted, False), axis=place)

    def at(self, a: Any, indices: Any, b: Any = None, /, *, inplace: bool = True) -> Array:
        """An array with the function applied at places, again for each time that a place is named.

        Args:
            a: array.
            indices: index, as within brackets.
            b: second arguments, which broadcast to what is indexed; for functions of two arguments.
            inplace: must be False: arrays never change.

        Raises:
            UnsupportedArgumentError: `inplace` is not False.
        """
        name = f"{self.__name__}.at"
        if inplace:
            raise UnsupportedArgumentError(function=name, argument="inplace=True",
                                           why="arrays never change; with inplace=False the changed array is returned: "
                                               f"x = jnp.{name}(x, ..., inplace=False)")
        if (b is None) != (self.nin == 1) or self.nin not in (1, 2):
            raise ArgumentKindError(says=f"`{name}` was given {'no' if b is None else 'a'} second argument.",
                                    why=f"`{self.__name__}` takes {self.nin}")
        x = asarray(array_like(a, name, 0))
        rule = self._rules.get("at")
        if rule is not None:
            return rule(x, indices, b)
        positions = lax_shape.reshape(lax_shape.iota(dtypes.default_dtype("int"), x.size), x.shape)
        chosen = at(positions)[indices].get(mode="fill", fill_value=x.size)
        if b is None:
            return self._run(_updated, x, ravel(chosen))
        second = broadcast_to(asarray(array_like(b, name, 2)), chosen.shape, name)
        return self._run(_updated, x, ravel(chosen), ravel(second))

    def reduceat(self, a: Any, indices: Any, axis: int = 0, dtype: Any = None, out: None = None) -> Array:
        """What `reduce` gives for parts along an axis: from each index up to the next, the last to the end.

        Args:
            a: array.
            indices: vector of integers. Where the next is not larger, the entry itself is returned.
            axis: the axis.
            dtype: in which it is computed.
            out: is not supported.
        """
        name = f"{self.__name__}.reduceat"
        refuse(name, out=out)
        self._two("reduceat")
        x, index = asarray(array_like(a, name, 0)), asarray(array_like(indices, name, 1))
        if index.ndim != 1 or kind(index) not in ("int", "uint"):
            raise ArgumentValueError(says=f"`{name}` was given {index.aval.str_short()} as indices.",
                                     why="they are a vector of integers")
        if axis is None or isinstance(axis, (tuple, list)):
            raise ArgumentValueError(says=f"`{name}` was given axis={axis}.", why="it runs along one axis")
        place = one_axis(axis, x.ndim, name)
        wanted = None if dtype is None else dtypes.requested_dtype(dtype, name)
        x = x if wanted is None else convert(x, wanted, False)
        rule = self._rules.get("reduceat")
        return self._run(_reduced_parts, x, index, axis=place) if rule is None else rule(x, index, axis=place, dtype=wanted)

    def outer(self, A: Any, B: Any, /) -> Array:
        """The function of each pair of an element of `A` and one of `B`.

        Args:
            A: array.
            B: array.

        Returns:
            Array whose shape is that of `A` followed by that of `B`.
        """
        self._two("outer")
        x, y = [array_like(v, f"{self.__name__}.outer", i) for i, v in enumerate((A, B))]
        x = asarray(x)
        return self.__call__(lax_shape.reshape(x, x.shape + (1,) * len(np.shape(y))), y)


def _rebuilt(func: Callable[..., Any], nin: int, nout: int, identity: Any) -> ufunc:
    return ufunc(func, nin, nout, identity=identity)


def _elementwise(owner: ufunc) -> Callable[..., Any]:
    """The call of a ufunc of the user's: the function, vectorised and compiled."""
    name, nin = owner.__name__, owner.nin
    program = JitFunction(vectorize(owner._func), JitOptions())

    @public
    def call(*args: Any, out: None = None, where: None = None) -> Any:
        refuse(name, out=out, where=where)
        if len(args) != nin:
            raise ArgumentKindError(says=f"`{name}` was given {len(args)} {'argument' if len(args) == 1 else 'arguments'}.",
                                    why=f"it takes {nin}")
        return program(*[array_like(x, name, i) for i, x in enumerate(args)])

    return call


# -- element by element, for functions of which nothing is known

def _result_type(f: Callable[..., Any], x: Any, y: Any) -> Any:
    """The dtype of the function's result for elements of two arrays."""
    avals = [ShapedArray((), get_aval(v).dtype) for v in (x, y)]  # type: ignore[attr-defined]
    return stage_flat(lambda a, b: [asarray(f(a, b))], avals).out_avals[0].dtype  # type: ignore[attr-defined]


def _folded(f: Callable[..., Any], x: Any, *others: Any, axis: int, starts: bool) -> Any:
    """A reduction; `others` are a value to begin with, where there is one, and a mask, where there is one."""
    x = moveaxis(x, axis, 0)
    mask = others[-1] if len(others) > int(starts) else None
    begin: Any = others[0] if starts else x[0]
    dtype = _result_type(f, begin if starts else x, x)
    carry = convert(broadcast_to(asarray(begin), x.shape[1:], "reduce"), dtype, False)
    rest = x if starts else x[1:]

    def step(made: Any, entry: Any) -> tuple[Any, None]:
        value, counts = entry if mask is not None else (entry, None)
        found = convert(f(made, value), dtype, False)
        return (found if counts is None else where3(counts, found, made)), None

    if mask is None:
        return scan(step, carry, rest)[0]
    return scan(step, carry, (rest, moveaxis(mask, axis, 0)[0 if starts else 1:]))[0]


def _accumulated(f: Callable[..., Any], x: Any, *, axis: int) -> Any:
    x = moveaxis(x, axis, 0)
    dtype = _result_type(f, x, x)
    if x.shape[0] == 0:
        return moveaxis(convert(x, dtype, False), 0, axis)
    first = convert(x[0], dtype, False)

    def step(made: Any, value: Any) -> tuple[Any, Any]:
        found = convert(f(made, value), dtype, False)
        return found, found

    _, found = scan(step, first, x[1:])
    return moveaxis(concatenate([first[None], found]), 0, axis)


def _updated(f: Callable[..., Any], x: Any, positions: Any, *second: Any) -> Any:
    """One place after the other, since places may be named again."""
    if second:
        dtype = _result_type(f, x, second[0])
    else:
        dtype = stage_flat(lambda a: [asarray(f(a))], [ShapedArray((), x.dtype)]).out_avals[0].dtype  # type: ignore[attr-defined]
    flat = convert(ravel(x), dtype, False)

    def step(made: Any, entry: Any) -> tuple[Any, None]:
        place, *others = entry
        found = f(made[place], *others)
        return at(made)[place].set(convert(found, dtype, False), mode="drop"), None

    return lax_shape.reshape(scan(step, flat, (positions, *second))[0], x.shape)


def _reduced_parts(f: Callable[..., Any], x: Any, starts: Any, *, axis: int) -> Any:
    """All parts side by side, an entry of each at a time."""
    x = moveaxis(x, axis, 0)
    n = x.shape[0]
    dtype = _result_type(f, x, x)
    if starts.shape[0] == 0:
        return moveaxis(filled(ShapedArray((0, *x.shape[1:]), dtype), 0), 0, axis)
    ends = concatenate([starts[1:], np.full(1, n, starts.dtype)])
    made = convert(take(x, starts, 0), dtype, False)

    def step(made: Any, offset: Any) -> tuple[Any, None]:
        place = starts + offset
        inside = lax_shape.reshape(place < ends, (place.shape[0], *(1,) * (x.ndim - 1)))
        found = convert(f(made, take(x, place, 0, mode="clip")), dtype, False)
        return where3(inside, found, made), None

    return moveaxis(scan(step, made, np.arange(1, n, dtype=starts.dtype))[0], 0, axis)


@public
def frompyfunc(func: Callable[..., Any], /, nin: int, nout: int, *, identity: Any = None) -> ufunc:
    """A ufunc of a function of scalars: it broadcasts, and can reduce, accumulate, and update places.

    Args:
        func: a function of `nin` scalars with `nout` results; it is traced.
        nin: how many arguments it has.
        nout: how many results.
        identity: what changes nothing when it is the first argument; `None` if there is no such value.

    >>> frompyfunc(lambda a, b: a + 2 * b, 2, 1).reduce(jnp.arange(4))
    Array(12, dtype=int32)
    """
    return ufunc(func, nin, nout, identity=identity)


__all__ = ["frompyfunc", "ufunc"]
