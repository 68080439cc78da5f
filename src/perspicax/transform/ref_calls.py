"""Transformed functions that get references: their values become arguments and results, or they are closed over."""
from __future__ import annotations

import functools
import weakref
from collections.abc import Callable, Sequence
from typing import Any

from perspicax.core.ref_errors import RefArgumentError, RefValueError
from perspicax.core.refs import RefCell, carried, lent, read_all, write_all
from perspicax.core.tracer import get_aval
from perspicax.core.tree_register import register_pytree_with_keys
from perspicax.transform import trees as tree
from perspicax.transform.stage import debug_info, function_name, refuse_refs

KEYWORD = "values of references"  # no parameter of a user's can have this name


class PathPart:
    """A part of a path: nothing for what the user does not see, so that reports name what is his own as he does."""

    __slots__ = ("text",)

    def __init__(self, text: str) -> None:
        self.text = text

    def __str__(self) -> str:
        return self.text

    def __eq__(self, other: object) -> bool:
        return isinstance(other, PathPart) and self.text == other.text

    def __hash__(self) -> int:
        return hash(self.text)


class Passed:
    """A node of a pytree in the place of a reference that is an argument: its leaf is the reference's value."""

    __slots__ = ("kind", "value")

    def __init__(self, kind: type[RefCell], value: Any) -> None:
        self.kind, self.value = kind, value


register_pytree_with_keys(Passed, lambda p: (((PathPart(""), p.value),), p.kind),
                          lambda kind, children: Passed(kind, next(iter(children))))


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
        if not cells:
            raise RefArgumentError(function=function_name(self.fun))
        check_aliases(leaves, structure, self.fun, "jit")
        passed = _passed(leaves, structure)
        if self._as_arguments is None:
            self._as_arguments = self.wrap(with_arguments(self.fun))
        with lent(cells, "jit", function_name(self.fun)):
            values, result = self._as_arguments(*passed[0], **passed[1])
        write_all(cells, values)
        return result


def _with_closed(fun: Callable[..., Any], cells: list[weakref.ref[RefCell]]) -> Callable[..., Any]:
    @functools.wraps(fun)
    def call(*args: Any, **kwargs: Any) -> tuple[list, Any]:
        values = kwargs.pop(KEYWORD)
        return carried([c for c in [r() for r in cells] if c is not None], fun)(values, *args, **kwargs)

    return call


def _passed(leaves: Sequence[Any], structure: Any) -> Any:
    return structure.unflatten([Passed(type(x), x.read()) if isinstance(x, RefCell) else x for x in leaves])


def with_arguments(fun: Callable[..., Any]) -> Callable[..., Any]:
    """`fun` as a function of `Passed` values in place of references: it returns their new values, and the result."""
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
        refuse_refs(tree.leaves(result), result, fun, "jit")
        return [c.read() for c in made], result

    return call


# -- references as arguments of other transformations

def check_aliases(leaves: Sequence[Any], structure: Any, fun: Callable[..., Any], operation: str) -> None:
    """Raise where a reference is an argument twice.

    Args:
        leaves, structure: of `(args, kwargs)`.
        fun: the function.
        operation: what it is given to.

    Raises:
        RefValueError: naming the arguments.
    """
    seen: dict[int, int] = {}
    for i, x in enumerate(leaves):
        if isinstance(x, RefCell) and seen.setdefault(id(x), i) != i:
            names = (debug_info(operation, fun, structure).arg_names or ())
            same = [j for j, y in enumerate(leaves) if y is x]
            raise RefValueError(kind="alias", operation=operation, expected=get_aval(x.read()).str_short(),
                                got=function_name(fun), names=tuple([names[j] for j in same]))


def passed_for(args: Any, fun: Callable[..., Any], operation: str) -> tuple[list[RefCell], Any]:
    """The references among the leaves of `args`, and `args` with `Passed` values in their place.

    Args:
        args: `(args, kwargs)`.
        fun: the function.
        operation: what it is given to.

    Raises:
        RefValueError: one of them is given twice.
    """
    leaves, structure = tree.flatten(args)
    check_aliases(leaves, structure, fun, operation)
    cells = [x for x in leaves if isinstance(x, RefCell)]
    return cells, _passed(leaves, structure) if cells else args


def has_refs(args: Any) -> bool:
    """Whether there are references among the leaves."""
    return any(isinstance(x, RefCell) for x in tree.leaves(args))


class Held:
    """A node without leaves in the place of a reference that is an argument."""

    __slots__ = ("cell",)

    def __init__(self, cell: RefCell) -> None:
        self.cell = cell


tree.register_pytree_node(Held, lambda h: ((), h.cell), lambda cell, _: Held(cell))


def held(args: Any) -> Any:
    """`args` with the references out of the way; `None` where there are none."""
    leaves, structure = tree.flatten(args)
    if not any(isinstance(x, RefCell) for x in leaves):
        return None
    return structure.unflatten([Held(x) if isinstance(x, RefCell) else x for x in leaves])


def releasing(fun: Callable[..., Any]) -> Callable[..., Any]:
    """`fun` as a function of arguments that `held` gave: it uses the references as if it closed over them."""
    @functools.wraps(fun, updated=())
    def call(*args: Any, **kwargs: Any) -> Any:
        args, kwargs = tree.tree_map(lambda x: x.cell if isinstance(x, Held) else x, (args, kwargs),
                                     is_leaf=lambda x: isinstance(x, Held))
        return fun(*args, **kwargs)

    return call


__all__ = ["Held", "PathPart", "RefCalls", "check_aliases", "has_refs", "held", "passed_for", "releasing", "with_arguments"]
