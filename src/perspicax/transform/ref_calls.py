"""Jitted functions that use references: their values are further arguments, and further results."""
from __future__ import annotations

import functools
import weakref
from collections.abc import Callable
from typing import Any

from perspicax.core.ref_errors import RefValueError
from perspicax.core.refs import RefCell, carried, read_all, write_all
from perspicax.transform import trees as tree

KEYWORD = "values of references"  # no parameter of a user's can have this name


class Passed:
    """A node of a pytree in the place of a reference that is an argument: its leaf is the reference's value."""

    __slots__ = ("kind", "value")

    def __init__(self, kind: type[RefCell], value: Any) -> None:
        self.kind, self.value = kind, value


tree.register_pytree_node(Passed, lambda p: ((p.value,), p.kind), lambda kind, children: Passed(kind, children[0]))


class RefCalls:
    """What a jitted function needs besides, once references were met.

    Attributes:
        wrap: makes a jitted function of the same options.
        fun: the user's function.
        closed: the references that it closes over.
    """

    __slots__ = ("_as_arguments", "_closing", "closed", "fun", "wrap")

    def __init__(self, fun: Callable[..., Any], wrap: Callable[[Callable[..., Any]], Callable[..., Any]]) -> None:
        self.fun, self.wrap = fun, wrap
        self.closed: tuple[weakref.ref[RefCell], ...] = ()
        self._closing: tuple[tuple, Any] = ((), None)
        self._as_arguments: Any = None

    def add(self, cell: RefCell) -> None:
        """The function closes over this reference too."""
        self.closed = (*self.closed, weakref.ref(cell))

    def call(self, args: tuple, kwargs: dict) -> Any:
        """Call the function with the references that it closes over."""
        cells = tuple([c for c in [r() for r in self.closed] if c is not None])
        kept, jitted = self._closing
        if [r() for r in kept] != list(cells) or jitted is None:
            jitted = self.wrap(_with_closed(self.fun, [weakref.ref(c) for c in cells]))
            self._closing = (tuple([weakref.ref(c) for c in cells]), jitted)
        values, result = jitted(*args, **kwargs, **{KEYWORD: read_all(cells)})
        write_all(cells, values)
        return result

    def call_with_arguments(self, args: tuple, kwargs: dict) -> Any:
        """Call the function with references among its arguments."""
        leaves, structure = tree.flatten((args, kwargs))
        cells = [x for x in leaves if isinstance(x, RefCell)]
        if len({id(c) for c in cells}) < len(cells):
            raise RefValueError(kind="alias", operation="jit", expected="", got="")
        passed = structure.unflatten([Passed(type(x), x.read()) if isinstance(x, RefCell) else x for x in leaves])
        if self._as_arguments is None:
            self._as_arguments = self.wrap(_with_arguments(self.fun))
        values, result = self._as_arguments(*passed[0], **passed[1])
        write_all(cells, values)
        return result


def _with_closed(fun: Callable[..., Any], cells: list[weakref.ref[RefCell]]) -> Callable[..., Any]:
    @functools.wraps(fun)
    def call(*args: Any, **kwargs: Any) -> tuple[list, Any]:
        values = kwargs.pop(KEYWORD)
        return carried([c for c in [r() for r in cells] if c is not None], fun)(values, *args, **kwargs)

    return call


def _with_arguments(fun: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(fun)
    def call(*args: Any, **kwargs: Any) -> tuple[list, Any]:
        made: list[RefCell] = []

        def received(x: Any) -> Any:
            if not isinstance(x, Passed):
                return x
            made.append(x.kind(x.value))
            return made[-1]

        args, kwargs = tree.tree_map(received, (args, kwargs), is_leaf=lambda x: isinstance(x, Passed))
        result = fun(*args, **kwargs)
        return [c.read() for c in made], result

    return call


__all__ = ["RefCalls"]
