"""Mutable references, as what they are: boxes with a value, which belongs to one trace.

There are no references in programs that run. A function that uses a reference of an outer trace cannot be staged as it is:
the use raises, and the loop, branch or `jit` that stages the function starts anew, with the reference's value among its
operands and results. Programs without references pay nothing for this.

A jaxpr that is made to be looked at (`make_jaxpr`, `jit(f).trace`) has them: its trace keeps references (`keeps_refs`), and
what is done to one becomes an equation (`api/ref_primitives.py`). Before such a jaxpr is compiled it is applied to boxes.
"""
from __future__ import annotations

import functools
import threading
import weakref
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple, TypeVar

from perspicax.core.avals import AbstractValue
from perspicax.core.config import local
from perspicax.core.context import use_trace
from perspicax.core.ref_errors import OuterRefError, RefValueError
from perspicax.core.trace import JaxprTrace, JaxprTracer, Trace
from perspicax.core.tracer import Tracer, get_aval

T = TypeVar("T")


class AbstractRef(AbstractValue):
    """The type of a reference.

    Args:
        inner_aval: the type of its value.
        memory_space, kind: as in `new_ref`.
    """

    __slots__ = ("inner_aval", "kind", "memory_space")

    weak_type = False

    def __init__(self, inner_aval: Any, memory_space: Any = None, kind: Any = None) -> None:
        self.inner_aval, self.memory_space, self.kind = inner_aval, memory_space, kind

    shape = property(lambda self: self.inner_aval.shape)
    dtype = property(lambda self: self.inner_aval.dtype)
    ndim = property(lambda self: self.inner_aval.ndim)
    size = property(lambda self: self.inner_aval.size)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, AbstractRef) and (self.inner_aval, self.memory_space, self.kind) == (
            other.inner_aval, other.memory_space, other.kind)

    def __hash__(self) -> int:
        return hash((AbstractRef, self.inner_aval, self.memory_space, self.kind))

    def str_short(self, short_dtypes: bool = False, **_: Any) -> str:
        return f"Ref{{{self.inner_aval.str_short(short_dtypes)}}}"


class Recording(NamedTuple):
    """What makes equations of references (`api/refs.py` does).

    Attributes:
        cell: what users hold, of a value, or of a traced one whose type is an `AbstractRef`.
        read, write: a reference in the current trace, which keeps references.
    """

    cell: Callable[[Any], RefCell]
    read: Callable[[Any], Any]
    write: Callable[[Any, Any], None]


recording: list[Recording] = []
load_rules: list[Callable[[], None]] = []
"""Fills `recording`; set by `api`, whose module few programs need."""


def recording_rules() -> Recording:
    """What makes equations of references; loaded by the first of them, which may be no more than a type."""
    if not recording:
        load_rules[0]()
    return recording[0]


class _Lent(threading.local):
    """The references whose values a running call has got as arguments: (reference, transformation, function)."""

    cells: tuple[tuple[RefCell, str, str], ...] = ()


_lent = _Lent()


class RefCell:
    """A box. `jax.Ref` is the one kind of it that users see."""

    __slots__ = ("__weakref__", "_done", "_home", "_value")

    def __init__(self, value: Any) -> None:
        home: Trace = local.trace
        self._home = home
        self._value = value
        self._done = ""
        if type(home) is JaxprTrace:
            home.met_refs = True

    def read(self) -> Any:
        """The value.

        Raises:
            OuterRefError: the current trace stages a function that has to take the reference along.
            RefValueError: the function got the reference as an argument too; or it was freed.
        """
        _, recorder = self._between()
        if self._done == "free_ref":
            raise RefValueError(kind="done", operation="get", expected="", got=self._done)
        if recorder is not None:
            with use_trace(recorder):
                return recording_rules().read(self)
        return self._value

    def write(self, value: Any) -> None:
        """Replace the value.

        Raises:
            OuterRefError: as `read`; or the value belongs to a trace within the reference's own.
            RefValueError: as `read`; or the reference was frozen.
        """
        inner, recorder = self._between()
        if self._done:
            raise RefValueError(kind="done", operation="set", expected="", got=self._done)
        if isinstance(value, Tracer) and value._trace in inner:
            raise OuterRefError(type_text=self._type(), kind="write")
        if recorder is not None:
            with use_trace(recorder):
                recording_rules().write(self, value)
        else:
            self._value = value

    def recorder(self, writes: bool = False) -> JaxprTrace | None:
        """The current trace, where it keeps references: what is done to this one is an equation of it.

        Args:
            writes: whether it will be written to.

        Raises:
            OuterRefError, RefValueError: as `read` and `write`.
        """
        inner, recorder = self._between()
        if self._done and (writes or self._done == "free_ref"):
            raise RefValueError(kind="done", operation="set" if writes else "get", expected="", got=self._done)
        return recorder if not inner else None

    def variable(self, trace: JaxprTrace) -> JaxprTracer:
        """What stands for it in the jaxpr of a trace that keeps references."""
        value = self._value
        if isinstance(value, JaxprTracer) and value._trace is trace and type(value.aval) is AbstractRef:
            return value
        aval = AbstractRef(self.inner_aval())
        return JaxprTracer(trace, aval, trace.const(self, aval))

    def inner_aval(self) -> Any:
        """The type of its value."""
        aval = get_aval(self._value)
        return aval.inner_aval if type(aval) is AbstractRef else aval

    def finish(self, how: str) -> None:
        """No more writes (`freeze`), or no more use (`free_ref`), of a reference that a staged function made."""
        if type(self._home) is JaxprTrace:
            self._done = how

    def _between(self) -> tuple[list[Trace], JaxprTrace | None]:
        """The traces from the current one up to the reference's own, or up to one that keeps references, and that one."""
        for cell, transform, function in _lent.cells:
            if cell is self:
                raise RefValueError(kind="closed", operation=transform, expected=self._type(), got=function)
        trace: Trace | None = local.trace
        found: list[Trace] = []
        while trace is not self._home:
            if trace is None or self._home.dead:
                raise OuterRefError(type_text=self._type(), kind="ended")
            if type(trace) is JaxprTrace:
                if trace.keeps_refs:
                    return found, trace
                error = OuterRefError(type_text=self._type())
                error.__dict__["cell"] = weakref.ref(self)  # an error must keep no traced value alive
                raise error
            found.append(trace)
            trace = trace.parent
        home = self._home
        return found, home if type(home) is JaxprTrace and home.keeps_refs else None

    def _type(self) -> str:
        text: str = self.inner_aval().str_short()
        return text


def carried(cells: Sequence[RefCell], fun: Callable[..., Any],
            written: set[int] | None = None) -> Callable[..., tuple[list, Any]]:
    """`fun` as a function of the cells' values too: `(values, *args)` gives `(new values, result)`.

    Args:
        cells: references.
        fun: a function that may use them.
        written: gets the positions of those that a call has written to.
    """
    @functools.wraps(fun, updated=())
    def call(values: Sequence[Any], *args: Any, **kwargs: Any) -> tuple[list, Any]:
        before = [(c._home, c._value, c._done) for c in cells]
        try:
            for c, value in zip(cells, values):
                c._home, c._value = local.trace, value
            result = fun(*args, **kwargs)
            if written is not None:
                written.update([i for i, (c, value) in enumerate(zip(cells, values)) if c._value is not value])
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


def with_cells(fun: Callable[..., Any]) -> Callable[..., Any]:
    """`fun`, which gets a reference in place of each operand whose type is an `AbstractRef`."""
    def call(*flat: Any) -> Any:
        return fun(*[recording_rules().cell(x) if type(get_aval(x)) is AbstractRef else x for x in flat])

    return call


def read_all(cells: Sequence[RefCell]) -> list[Any]:
    """The values of several references."""
    return [c.read() for c in cells]


def write_all(cells: Sequence[RefCell], values: Sequence[Any], written: set[int] | None = None) -> None:
    """Replace the values of several references; only of those in `written`, where that is known."""
    for i, (c, value) in enumerate(zip(cells, values)):
        if written is None or i in written:
            c.write(value)


def outer_cell(error: OuterRefError) -> RefCell:
    """The reference that an error tells of, where the current trace may use it; else raises the error."""
    reference = error.__dict__.get("cell")
    cell = reference() if reference is not None else None
    if cell is None:
        raise error
    cell.recorder()  # raises the same for the next construct further out
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


__all__ = [
    "AbstractRef", "Recording", "RefCell", "carried", "lent", "load_rules", "outer_cell", "read_all", "recording",
    "recording_rules", "taking_refs", "with_cells", "write_all",
]
