"""Loops and branches whose functions use references from outside: the references' values become carries, or results."""
from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any

from perspicax.core.refs import RefCell, carried, lent, read_all, taking_refs, write_all
from perspicax.core.tree_register import register_pytree_with_keys
from perspicax.transform import trees as tree
from perspicax.transform.errors import ArgumentTypeError
from perspicax.transform.hooks import as_traced
from perspicax.transform.ref_calls import PathPart, has_refs, held, passed_for, releasing, with_arguments
from perspicax.transform.stage import function_name


class WithRefs:
    """A carry or operand of the user's, and the values of references that come along."""

    __slots__ = ("own", "values")

    def __init__(self, values: list[Any], own: Any) -> None:
        self.values, self.own = values, own


register_pytree_with_keys(WithRefs, lambda w: (((PathPart("<references>"), w.values), (PathPart(""), w.own)), None),
                          lambda _, children: WithRefs(*children))

Loop = Callable[..., Any]
Cells = tuple[RefCell, ...]


def scan_with_refs(scan: Loop) -> Loop:
    """`scan`, whose function may use references."""
    @functools.wraps(scan)
    def call(f: Any, init: Any, *rest: Any, **options: Any) -> Any:
        xs = rest[0] if rest else options.get("xs")
        if has_refs(xs):
            return stepping(f, init, xs, *rest[1:], **{k: v for k, v in options.items() if k != "xs"})

        def attempt(cells: Cells) -> Any:
            if not cells:
                return scan(f, init, *rest, **options)
            written: set[int] = set()
            step = carried(cells, f, written)

            @functools.wraps(f, updated=())
            def body(carry: Any, x: Any) -> Any:
                values, (new, y) = step(carry.values, carry.own, x)
                return WithRefs(values, new), y

            last, ys = scan(body, WithRefs(read_all(cells), init), *rest, **options)
            write_all(cells, last.values, written)
            return last.own, ys

        return taking_refs(attempt)

    def stepping(f: Any, init: Any, xs: Any, *rest: Any, **options: Any) -> Any:
        """References in `xs`: each step gets references to the entries, and what it leaves in them is stacked."""
        cells, ((_, passed), _) = passed_for(((None, xs), {}), f, "scan")
        step = with_arguments(f)

        @functools.wraps(f, updated=())
        def body(carry: Any, x: Any) -> Any:
            values, result = step(carry, x)
            if not isinstance(result, (tuple, list)) or len(result) != 2:
                return result
            return result[0], (values, result[1])

        with lent(cells, "scan", function_name(f)):
            last, (values, ys) = call(body, init, passed, *rest, **options)
        write_all(cells, values)
        return last, ys

    return call


def map_with_refs(scan: Loop) -> Callable[[Loop], Loop]:
    """`map`, whose function may use references: then it is a `scan`, one entry after the other."""
    def decorate(map: Loop) -> Loop:
        @functools.wraps(map)
        def call(f: Any, xs: Any, **options: Any) -> Any:
            def attempt(cells: Cells) -> Any:
                return scan(lambda _, x: (None, f(x)), None, xs)[1] if cells or has_refs(xs) else map(f, xs, **options)

            return taking_refs(attempt)

        return call

    return decorate


class _TestWritesError(Exception):
    """The test of a loop writes to references; never leaves this file."""


def while_with_refs(while_loop: Loop) -> Loop:
    """`while_loop`, whose functions may use references.

    A test has nowhere to put what it writes. One that does is made once before the loop and at the end of each round, and
    its answer is carried.
    """
    @functools.wraps(while_loop)
    def call(cond_fun: Any, body_fun: Any, init_val: Any) -> Any:
        def attempt(cells: Cells) -> Any:
            if not cells:
                return while_loop(cond_fun, body_fun, init_val)
            written: set[int] = set()
            test, step = carried(cells, cond_fun), carried(cells, body_fun, written)

            @functools.wraps(cond_fun, updated=())
            def go_on(both: Any) -> Any:
                values, answer = test(both.values, both.own)
                if any(new is not old for new, old in zip(values, both.values)):
                    raise _TestWritesError
                return answer

            body = functools.wraps(body_fun, updated=())(lambda both: WithRefs(*step(both.values, both.own)))
            before = read_all(cells)
            try:
                last = while_loop(go_on, body, WithRefs(before, init_val))
            except _TestWritesError:
                test = carried(cells, cond_fun, written)
                last = tested_behind(test, step, cond_fun, body_fun, before, init_val)
            write_all(cells, last.values, written)
            return last.own

        return taking_refs(attempt)

    def tested_behind(test: Any, step: Any, cond_fun: Any, body_fun: Any, before: list, init_val: Any) -> WithRefs:
        def tested(values: list, own: Any) -> WithRefs:
            values, answer = test(values, own)
            return WithRefs([*values, answer], own)

        go_on = functools.wraps(cond_fun, updated=())(lambda both: both.values[-1])
        body = functools.wraps(body_fun, updated=())(lambda both: tested(*step(both.values[:-1], both.own)))
        last = while_loop(go_on, body, tested(before, tree.tree_map(as_traced, init_val)))
        return WithRefs(last.values[:-1], last.own)

    return call


def fori_with_refs(fori_loop: Loop) -> Loop:
    """`fori_loop`, whose function may use references."""
    @functools.wraps(fori_loop)
    def call(lower: Any, upper: Any, body_fun: Any, init_val: Any, **options: Any) -> Any:
        def attempt(cells: Cells) -> Any:
            if not cells:
                return fori_loop(lower, upper, body_fun, init_val, **options)
            written: set[int] = set()
            step = carried(cells, body_fun, written)
            body = functools.wraps(body_fun, updated=())(lambda i, both: WithRefs(*step(both.values, i, both.own)))
            last = fori_loop(lower, upper, body, WithRefs(read_all(cells), init_val), **options)
            write_all(cells, last.values, written)
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
            written: set[int] = set()
            result = apply_branches(transform, index, [_branch(cells, f, written) for f in functions], names,
                                    (read_all(cells), *operands), *rest)
            write_all(cells, result.values, written)
            return result.own

        return taking_refs(attempt)

    return call


def _branch(cells: Cells, fun: Callable[..., Any], written: set[int]) -> Callable[..., WithRefs]:
    step = carried(cells, fun, written)
    return functools.wraps(fun, updated=())(lambda values, *operands: WithRefs(*step(values, *operands)))


__all__ = ["branches_with_refs", "fori_with_refs", "map_with_refs", "scan_with_refs", "while_with_refs"]
