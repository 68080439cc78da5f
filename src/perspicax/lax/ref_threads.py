"""Loops and branches whose functions use references from outside: the references' values become carries, or results."""
from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any

from perspicax.core.refs import RefCell, carried, read_all, taking_refs, write_all

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

            def body(carry: Any, x: Any) -> Any:
                values, (new, y) = step(carry[0], carry[1], x)
                return (values, new), y

            (values, last), ys = scan(body, (read_all(cells), init), *rest, **options)
            write_all(cells, values)
            return last, ys

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
            values, last = while_loop(lambda both: test(*both)[1], lambda both: step(*both), (read_all(cells), init_val))
            write_all(cells, values)
            return last

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
            values, last = fori_loop(lower, upper, lambda i, both: step(both[0], i, both[1]), (read_all(cells), init_val),
                                     **options)
            write_all(cells, values)
            return last

        return taking_refs(attempt)

    return call


def branches_with_refs(apply_branches: Callable[..., Any]) -> Callable[..., Any]:
    """The application of branches, which may use references."""
    @functools.wraps(apply_branches)
    def call(transform: str, index: Any, functions: Sequence[Any], names: Sequence[str], operands: tuple,
             *rest: Any) -> Any:
        def attempt(cells: Cells) -> Any:
            if not cells:
                return apply_branches(transform, index, functions, names, operands, *rest)
            values, result = apply_branches(transform, index, [carried(cells, f) for f in functions], names,
                                            (read_all(cells), *operands), *rest)
            write_all(cells, values)
            return result

        return taking_refs(attempt)

    return call


__all__ = ["branches_with_refs", "fori_with_refs", "map_with_refs", "scan_with_refs", "while_with_refs"]
