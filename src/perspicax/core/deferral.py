"""Operations that wait until somebody needs their results: what nobody needs is never computed, or compiled.

A `DeferringTrace` stands where the evaluator would. It keeps each operation with its operands, and gives out `Deferred`
arrays; the type rules run at once, so that a mistake is reported where it is made. A `Deferred` array is as good as the
value: who asks it (`bool(x)`, `numpy.asarray(x)`, `print(x)`, an operation outside) starts its computation, by the
evaluator and from the same operands, so that the numbers are those of evaluation at once. Operations with effects run
when they are applied. Nothing but the arrays refers to a waiting operation: what is dropped is forgotten.
"""
from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

from perspicax.core import config as config_module
from perspicax.core.avals import AbstractValue
from perspicax.core.config import config, local
from perspicax.core.context import evaluator, use_trace
from perspicax.core.dtypes import check_int_fits
from perspicax.core.primitive import Primitive
from perspicax.core.trace import Trace
from perspicax.core.tracer import Tracer, get_aval

__all__ = ["Deferred", "DeferringTrace", "at_once", "deferring", "eager_or_deferring", "settled", "stand_in"]

state_key = config_module.state_key

UNKNOWN = object()
"""The result of an operation on something of which only the type is given."""


class Waiting:
    """An operation that has not run yet, or its results.

    Attributes:
        run: called with the values of the operands, gives the list of results; `None` when it has run.
        operands: what it is applied to, `Deferred` arrays among them.
        results: `None` until it has run.
    """

    __slots__ = ("operands", "results", "run")

    def __init__(self, run: Callable[[Sequence[Any]], Sequence[Any]] | None, operands: Sequence[Any],
                 results: Sequence[Any] | None = None) -> None:
        self.run, self.operands, self.results = run, operands, results

    def settle(self) -> Sequence[Any]:
        """The results, computed now if they are not there yet.

        Without recursion: a model is deeper than Python's stack.
        """
        pending = [self]
        while pending:
            last = pending[-1]
            if last.results is not None:
                pending.pop()
                continue
            before = [x.source for x in last.operands if type(x) is Deferred and x.source.results is None]
            if before:
                pending += before
                continue
            last._run()
            pending.pop()
        return self.results  # type: ignore[return-value]

    def _run(self) -> None:
        operands: list[Any] = [x.source.settle()[x.index] if type(x) is Deferred else x for x in self.operands]
        if any(x is UNKNOWN for x in operands):
            self.results = _Unknowns()
        else:
            run: Any = self.run
            with use_trace(evaluator()):
                self.results = run(operands)
        self.run, self.operands = None, ()


class _Unknowns(Sequence[Any]):
    """The results of an operation that cannot run."""

    def __getitem__(self, index: Any) -> Any:
        return UNKNOWN

    def __len__(self) -> int:
        return 0


class Deferred(Tracer):
    """An array whose value is computed when it is needed.

    To a user it is an array: whatever needs the value gets it. It is a `Tracer` to whoever must not look at values
    without need.
    """

    __slots__ = ("aval", "index", "source")
    hides = False

    def __init__(self, trace: DeferringTrace, aval: Any, source: Waiting, index: int) -> None:
        self._trace, self.aval, self.source, self.index = trace, aval, source, index

    def concrete(self) -> Any:
        found = self.source.settle()[self.index]
        return None if found is UNKNOWN else found

    def _asked(self, kind: str) -> Any:
        found = self.concrete()
        return self._ask(kind) if found is None else found

    def __repr__(self) -> str:
        found = self.concrete()
        return super().__repr__() if found is None else repr(found)

    def __str__(self) -> str:
        found = self.concrete()
        return super().__str__() if found is None else str(found)

    def __getattr__(self, name: str) -> Any:
        if (name.startswith("_") and not name.startswith("__array_")) or name in ("aval", "source", "index"):
            return super().__getattr__(name)
        found = self.concrete()
        return super().__getattr__(name) if found is None else getattr(found, name)

    def __array__(self, *args: Any, **kwargs: Any) -> np.ndarray:
        return np.asarray(self._asked("array")).__array__(*args, **kwargs)

    def tobytes(self, order: Any = "C") -> bytes:
        return self._asked("tobytes").tobytes(order)

    def __format__(self, spec: str) -> str:
        found = self.concrete()
        return super().__format__(spec) if found is None else format(found, spec)

    def __hash__(self) -> int:
        return hash(self._asked("hash"))

    def __reduce__(self) -> Any:
        return self._asked("pickle").__reduce__()


Deferred.__name__ = Deferred.__qualname__ = "ArrayImpl"  # Python's own messages name the class: of an array, to its user


def _property_of_value(name: str) -> Any:
    return property(lambda self: getattr(self._asked("place"), name))


def _method_of_value(name: str) -> Any:
    return lambda self, *args, **kwargs: getattr(self._asked("place"), name)(*args, **kwargs)


# What other tracers have no answer to; the value has one.
for _name in ("committed", "is_fully_addressable", "is_fully_replicated", "addressable_shards", "global_shards"):
    setattr(Deferred, _name, _property_of_value(_name))
for _name in ("addressable_data", "devices", "delete", "is_deleted", "unsafe_buffer_pointer", "on_device_size_in_bytes",
              "__dlpack__"):
    setattr(Deferred, _name, _method_of_value(_name))


class DeferringTrace(Trace):
    """Keeps operations until their results are needed. It never dies: what a user has kept goes on to have a value."""

    __slots__ = ("state",)

    def __init__(self) -> None:
        self.parent = evaluator()
        self.dead = False
        self.debug = None
        self.state = state_key()

    def process(self, primitive: Primitive, args: tuple, values: tuple) -> Any:
        if (primitive.effects is not None and primitive.effects_of(values)) or state_key() is not self.state:
            return self._run(primitive, args, values)
        operands = [_kept(x) for x in args]
        try:
            out = primitive.infer(tuple([get_aval(x) for x in operands]), values)
        except TypeError:
            # the evaluator accepts it after all (NumPy constants of 64 bits), or raises the report
            return self._run(primitive, args, values)

        def run(operands: Sequence[Any]) -> Sequence[Any]:
            found = evaluator().process(primitive, tuple(operands), values)
            return found if primitive.multiple_results else (found,)

        found = self.defer(run, operands, out if primitive.multiple_results else (out,))
        return found if primitive.multiple_results else found[0]

    def defer(self, run: Callable[[Sequence[Any]], Sequence[Any]], operands: Sequence[Any],
              avals: Sequence[AbstractValue]) -> list[Deferred]:
        """The results of a function, which runs when one of them is needed.

        Args:
            run: called with the operands' values, in the evaluator.
            operands: arrays or numbers.
            avals: the types of the results.
        """
        source = Waiting(run, operands)
        return [Deferred(self, aval, source, i) for i, aval in enumerate(avals)]

    def _run(self, primitive: Primitive, args: tuple, values: tuple) -> Any:
        known = tuple([settled(x) for x in args])
        if any(type(x) is Deferred for x in known):  # only its type is given: nor can the results have values
            out = primitive.infer(tuple([get_aval(x) for x in known]), values)
            return [stand_in(self, a) for a in out] if primitive.multiple_results else stand_in(self, out)
        with use_trace(evaluator()):
            return evaluator().process(primitive, known, values)


def _kept(x: Any) -> Any:
    """An operand as it is now: the user may write to a NumPy array before the operation runs."""
    if type(x) is int:
        check_int_fits(x, get_aval(x).dtype)
    return x.copy() if isinstance(x, np.ndarray) else x


def settled(x: Any) -> Any:
    """The value of a `Deferred` array, unless only its type is known; anything else as it is."""
    if type(x) is not Deferred:
        return x
    found = x.concrete()
    return x if found is None else found


def stand_in(trace: DeferringTrace, aval: AbstractValue) -> Deferred:
    """An array of which nothing but the type is known; nor is the value of what depends on it."""
    return Deferred(trace, aval, Waiting(None, (), _Unknowns()), 0)


@contextlib.contextmanager
def deferring() -> Iterator[DeferringTrace | None]:
    """A `with` block whose operations wait until their results are needed.

    Gives the trace; `None`, and all is as ever, where operations are being transformed or watched, or each is to be
    looked at (`jax_disable_jit`, `jax_debug_nans`, `jax_debug_infs`).
    """
    if local.trace is not evaluator() or config.jax_disable_jit or config.jax_debug_nans or config.jax_debug_infs:
        yield None
        return
    trace = DeferringTrace()
    with use_trace(trace):
        yield trace


@contextlib.contextmanager
def at_once() -> Iterator[None]:
    """A `with` block within `deferring`, whose operations run at once; elsewhere it changes nothing."""
    if type(local.trace) is not DeferringTrace:
        yield
        return
    with use_trace(evaluator()):
        yield


def eager_or_deferring(args: Sequence[Any] = ()) -> bool:
    """Whether operations on these values are only evaluated, now or later, and not transformed."""
    trace = local.trace
    if trace is not evaluator() and type(trace) is not DeferringTrace:
        return False
    return not any(isinstance(x, Tracer) and type(x) is not Deferred for x in args)

