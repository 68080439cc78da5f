"""Mutable references, as what they are: boxes with a value, which belongs to one trace.

There are no references in jaxprs. A function that uses a reference of an outer trace cannot be staged as it is: the use
raises, and the loop, branch or `jit` that stages the function starts anew, with the reference's value among its operands and
results. Programs without references pay nothing for this.
"""
from __future__ import annotations

import functools
import threading
import weakref
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, TypeVar

from perspicax.core.config import local
from perspicax.core.ref_errors import OuterRefError, RefValueError
from perspicax.core.trace import JaxprTrace, Trace
from perspicax.core.tracer import Tracer, get_aval

T = TypeVar("T")


class _Lent(threading.local):
    """The references whose values a running call has got as arguments: (reference, transformation, function)."""

    cells: tuple[tuple[RefCell, str, str], ...] = ()


_lent = _Lent()


class RefCell:
    """A box. `jax.Ref` is the one kind of it that users see."""

    __slots__ = ("__weakref__", "_done", "_home", "_value")

    def __init__(self, value: Any) -> None:
        self._home: Trace = local.trace
        self._value = value
        self._done = ""

    def read(self) -> Any:
        """The value.

        Raises:
            OuterRefError: the current trace stages a function that has to take the reference along.
            RefValueError: the function got the reference as an argument too; or it was freed.
        """
        self._between()
        if self._done == "free_ref":
            raise RefValueError(kind="done", operation="get", expected="", got=self._done)
        return self._value

    def write(self, value: Any) -> None:
        """Replace the value.

        Raises:
            OuterRefError: as `read`; or the value belongs to a trace within the reference's own.
            RefValueError: as `read`; or the reference was frozen.
        """
        inner = self._between()
        if self._done:
            raise RefValueError(kind="done", operation="set", expected="", got=self._done)
        if isinstance(value, Tracer) and value._trace in inner:
            raise OuterRefError(type_text=self._type(), kind="write")
        self._value = value

    def finish(self, how: str) -> None:
        """No more writes (`freeze`), or no more use (`free_ref`), of a reference that a staged function made."""
        if type(self._home) is JaxprTrace:
            self._done = how

    def _between(self) -> list[Trace]:
        """The traces from the current one up to the reference's own."""
        for cell, transform, function in _lent.cells:
            if cell is self:
                raise RefValueError(kind="closed", operation=transform, expected=self._type(), got=function)
        trace: Trace | None = local.trace
        found: list[Trace] = []
        while trace is not self._home:
            if trace is None or self._home.dead:
                raise OuterRefError(type_text=self._type(), kind="ended")
            if type(trace) is JaxprTrace:
                error = OuterRefError(type_text=self._type())
                error.__dict__["cell"] = weakref.ref(self)  # an error must keep no traced value alive
                raise error
            found.append(trace)
            trace = trace.parent
        return found

    def _type(self) -> str:
        return get_aval(self._value).str_short()


def carried(cells: Sequence[RefCell], fun: Callable[..., Any]) -> Callable[..., tuple[list, Any]]:
    """`fun` as a function of the cells' values too: `(values, *args)` gives `(new values, result)`."""
    @functools.wraps(fun, updated=())
    def call(values: Sequence[Any], *args: Any, **kwargs: Any) -> tuple[list, Any]:
        before = [(c._home, c._value, c._done) for c in cells]
        try:
            for c, value in zip(cells, values):
                c._home, c._value = local.trace, value
            result = fun(*args, **kwargs)
            return [c._value for c in cells], result
        finally:
            for c, (home, value, done) in zip(cells, before):
                c._home, c._value, c._done = home, value, done

    return call


@contextmanager
def lent(cells: Sequence[RefCell], transform: str, function: str) -> Iterator[None]:
    """The call of `function` with the cells' values as arguments: it cannot use the cells themselves meanwhile."""
    before = _lent.cells
    _lent.cells = (*before, *[(c, transform, function) for c in cells])
    try:
        yield
    finally:
        _lent.cells = before


def read_all(cells: Sequence[RefCell]) -> list[Any]:
    """The values of several references."""
    return [c.read() for c in cells]


def write_all(cells: Sequence[RefCell], values: Sequence[Any]) -> None:
    """Replace the values of several references."""
    for c, value in zip(cells, values):
        c.write(value)


def outer_cell(error: OuterRefError) -> RefCell:
    """The reference that an error tells of, where the current trace may use it; else raises the error."""
    reference = error.__dict__.get("cell")
    cell = reference() if reference is not None else None
    if cell is None:
        raise error
    cell.read()  # raises the same for the next construct further out
    return cell


def taking_refs(attempt: Callable[[tuple[RefCell, ...]], T]) -> T:
    """`attempt(cells)`, with as many cells as it turns out to need."""
    cells: tuple[RefCell, ...] = ()
    while True:
        try:
            return attempt(cells)
        except OuterRefError as error:
            cell = outer_cell(error)
            if cell in cells:
                raise
            cells = (*cells, cell)


__all__ = ["RefCell", "carried", "lent", "outer_cell", "read_all", "taking_refs", "write_all"]
