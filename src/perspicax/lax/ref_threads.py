"""Loops and branches whose functions use references from outside: the references' values become carries, or results."""
from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any

from perspicax.core.refs import RefCell, carried, read_all, taking_refs, write_all
from perspicax.core.tree_register import register_pytree_with_keys
from perspicax.transform.errors import ArgumentTypeError
from perspicax.transform.ref_calls import held, releasing


class WithRefs:
    """A carry or operand of the user's, and the values of references that come along."""

    __slots__ = ("own", "values")

    def __init__(self, values: list[Any], own: Any) -> None:
        self.values, self.own = values, own


class _Key:
    """A part of a path: nothing for what is the user's own, so that reports name it as he does."""

    __slots__ = ("text",)

    def __init__(self, text: str) -> None:
        self.text = text

    def __str__(self) -> str:
        return self.text

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Key) and self.text == other.text

    def __hash__(self) -> int:
        return hash(self.text)


register_pytree_with_keys(WithRefs, lambda w: (((_Key("<references>"), w.values), (_Key(""), w.own)), None),
                          lambda _, children: WithRefs(*children))

Loop = Callable[..., Any]
Cells = tuple[RefCell, ...]


def scan_with_refs(scan: Loop) -> Loop:
    """`scan`, whose function may use references."""
    @functools.wraps(scan)
    def call(f: Any, init: Any, *rest: Any, **options: Any) -> Any:
        def attempt(cells: Cells) -> Any:
            if not cells:
                return scan(f, init, *rest, **options)
            step = carried(cells, f)

            @functools.wraps(f, updated=())
            def body(carry: Any, x: Any) -> Any:
                values, (new, y) = step(carry.values, carry.own, x)
                return WithRefs(values, new), y

            last, ys = scan(body, WithRefs(read_all(cells), init), *rest, **options)
            write_all(cells, last.values)
            return last.own, ys

        return taking_refs(attempt)

    return call


def map_with_refs(scan: Loop) -> Callable[[Loop], Loop]:
    """`map`, whose function may use references: then it is a `scan`, one entry after the other."""
    def decorate(map: Loop) -> Loop:
        @functools.wraps(map)
        def call(f: Any, xs: Any, **options: Any) -> Any:
            def attempt(cells: Cells) -> Any:
                return scan(lambda _, x: (None, f(x)), None, xs)[1] if cells else map(f, xs, **options)

            return taking_refs(attempt)

        return call

    return decorate


def while_with_refs(while_loop: Loop) -> Loop:
    """`while_loop`, whose functions may use references; the test may read them."""
    @functools.wraps(while_loop)
    def call(cond_fun: Any, body_fun: Any, init_val: Any) -> Any:
        def attempt(cells: Cells) -> Any:
            if not cells:
                return while_loop(cond_fun, body_fun, init_val)
            test, step = carried(cells, cond_fun), carried(cells, body_fun)
            go_on = functools.wraps(cond_fun, updated=())(lambda both: test(both.values, both.own)[1])
            body = functools.wraps(body_fun, updated=())(lambda both: WithRefs(*step(both.values, both.own)))
            last = while_loop(go_on, body, WithRefs(read_all(cells), init_val))
            write_all(cells, last.values)
            return last.own

        return taking_refs(attempt)

    return call


def fori_with_refs(fori_loop: Loop) -> Loop:
    """`fori_loop`, whose function may use references."""
    @functools.wraps(fori_loop)
    def call(lower: Any, upper: Any, body_fun: Any, init_val: Any, **options: Any) -> Any:
        def attempt(cells: Cells) -> Any:
            if not cells:
                return fori_loop(lower, upper, body_fun, init_val, **options)
            step = carried(cells, body_fun)
            body = functools.wraps(body_fun, updated=())(lambda i, both: WithRefs(*step(both.values, i, both.own)))
            last = fori_loop(lower, upper, body, WithRefs(read_all(cells), init_val), **options)
            write_all(cells, last.values)
            return last.own

        return taking_refs(attempt)

    return call


def branches_with_refs(apply_branches: Callable[..., Any]) -> Callable[..., Any]:
    """The application of branches, which may use references."""
    @functools.wraps(apply_branches)
    def call(transform: str, index: Any, functions: Sequence[Any], names: Sequence[str], operands: tuple,
             *rest: Any) -> Any:
        def attempt(cells: Cells) -> Any:
            if not cells:
                try:
                    return apply_branches(transform, index, functions, names, operands, *rest)
                except ArgumentTypeError:
                    others = held(operands)
                    if others is None:
                        raise
                return call(transform, index, [releasing(f) for f in functions], names, others, *rest)
            result = apply_branches(transform, index, [_branch(cells, f) for f in functions], names,
                                    (read_all(cells), *operands), *rest)
            write_all(cells, result.values)
            return result.own

        return taking_refs(attempt)

    return call


def _branch(cells: Cells, fun: Callable[..., Any]) -> Callable[..., WithRefs]:
    step = carried(cells, fun)
    return functools.wraps(fun, updated=())(lambda values, *operands: WithRefs(*step(values, *operands)))


__all__ = ["branches_with_refs", "fori_with_refs", "map_with_refs", "scan_with_refs", "while_with_refs"]
