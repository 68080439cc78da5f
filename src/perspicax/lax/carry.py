"""What loops have in common: a carry that keeps its type, and marks on carries that spread through the body."""
from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from perspicax.core.jaxpr import ClosedJaxpr
from perspicax.core.promotion import promote_types
from perspicax.core.tracer import get_aval
from perspicax.diagnose.errors import PerspicaxError
from perspicax.lax.bodies import Body, definition_of, leaf_paths
from perspicax.lax.control_errors import CarryTypeError
from perspicax.transform.hooks import lax
from perspicax.transform.stage import function_name
from perspicax.xla.explicit import in_use


def stacked(aval: Any, length: int) -> Any:
    """The type of `length` values of type `aval`, one behind the other."""
    return aval.batched(length, 0)


def carry_fixpoint(step: Callable[[tuple], Sequence[bool]], start: Sequence[bool]) -> list[bool]:
    """The smallest set of marked carries that contains `start` and is closed under the body.

    Args:
        step: which carries the body marks, given those that are marked before it.
    """
    marked = list(start)
    while True:
        joined = [a or b for a, b in zip(marked, step(tuple(marked)))]
        if joined == marked:
            return marked
        marked = joined


def regroup(items: Sequence[Any], sizes: Sequence[int], order: Sequence[int]) -> list:
    """Consecutive groups of `items`, put together again in another order."""
    groups, start = [], 0
    for n in sizes:
        groups.append(items[start:start + n])
        start += n
    return [v for i in order for v in groups[i]]


def reordered(closed: ClosedJaxpr, sizes: Sequence[int], order: Sequence[int], out_sizes: Sequence[int] = (),
              out_order: Sequence[int] = ()) -> ClosedJaxpr:
    """The same jaxpr with groups of inputs (and of results) in another order; one object for each order."""
    def make() -> ClosedJaxpr:
        body = closed.jaxpr
        outvars = regroup(body.outvars, out_sizes, out_order) if out_sizes else body.outvars
        return ClosedJaxpr(body.replace(invars=regroup(body.invars, sizes, order), outvars=outvars), closed.consts)

    return closed.derive(("reordered", tuple(sizes), tuple(order), tuple(out_sizes), tuple(out_order)), make)


def chosen(closed: ClosedJaxpr, invars: Sequence[int], outvars: Sequence[int]) -> ClosedJaxpr:
    """The jaxpr with these of its inputs, in this order, and these of its results; one object for each choice."""
    def make() -> ClosedJaxpr:
        body = closed.jaxpr
        return ClosedJaxpr(body.replace(invars=[body.invars[i] for i in invars], outvars=[body.outvars[i] for i in outvars]),
                           closed.consts)

    return closed.derive(("chosen", tuple(invars), tuple(outvars)), make)


def unchanged(closed: ClosedJaxpr, start: int, count: int) -> list[bool]:
    """Which carries come out as they go in; they are the inputs from `start` on, and the first results."""
    invars, outvars = closed.jaxpr.invars, closed.jaxpr.outvars
    return [outvars[i] is invars[start + i] for i in range(count)]


def _promoted(given: Any, returned: Any) -> Any:
    """The type to start with, when a weakly typed carry comes back as another type, or a carry varies along more axes of a
    mesh than it did; `None` where there is none."""
    if returned.vma - given.vma:
        wider = given.varying(given.vma | returned.vma)
        return wider if returned.strong.varying(wider.vma) is wider.strong else _promoted(wider, returned)
    returned = returned.varying(given.vma)
    if not given.weak_type or given.shape != returned.shape or given.extended or returned.extended:
        return None
    number = _NUMBERS.get(given.dtype.kind)
    wanted = returned.strong.laid(given.explicit)
    fits = number is not None and wanted is not given.strong and promote_types(number, wanted.dtype) == wanted.dtype
    return wanted if fits else None


_NUMBERS: dict[str, type] = {"i": int, "f": float, "c": complex}  # how a weak type meets others


def settle_carry(stage: Callable[[list], tuple[Body, Sequence[Any]]], carry_avals: Sequence[Any],
                 report: Callable[[list[tuple[int, Any, Any]]], CarryTypeError], operands: Sequence[Any] = (),
                 first: int = 0) -> tuple[Body, list[Any]]:
    """The body staged for a carry that comes out as it goes in, and the types of that carry.

    A weakly typed carry (a Python number) whose dtype the body changes becomes what the body makes of it. Weak types need
    not agree: what is compiled is the same. A carry that lies on no mesh becomes split as it comes out, and where a split one
    comes out as a value that lies on no mesh, that is split as the carry. Where the body cannot do with a carry that is split
    so, it gets one whose split is left to the compiler.

    Args:
        stage: the body for carries of the given types, and the types in which they come out.
        carry_avals: types of the first carry.
        report: makes the error for those that differ: index, type that goes in, type that comes out.
        operands: the operands of the body, without what it closes over; the carry is found among them from `first` on, as it
            is among the results.

    Raises:
        CarryTypeError: a carry changes its type.
    """
    avals = list(carry_avals)
    otherwise: tuple[Body, list[Any]] | None = None
    while True:
        try:
            body, returned = stage(avals)
        except PerspicaxError:
            if otherwise is None:
                raise
            return otherwise
        wrong = [(i, a, b) for i, (a, b) in enumerate(zip(avals, returned))
                 if a is not b and a.strong is not b.strong.varying(a.vma | b.vma)]
        if not wrong:
            return body, avals
        promoted = {i: wider for i, a, b in wrong if (wider := _promoted(a, b)) is not None}
        if not promoted:
            laid, body, wrong = _laid_alike(body, wrong, operands, first)
            if wrong:
                if otherwise is None:
                    raise report(wrong)
                return otherwise
            if not laid:
                return body, avals
            avals = [laid.get(i, a) for i, a in enumerate(avals)]
            otherwise = otherwise or (_with_split_carries(body, avals, first), avals)
            continue
        # the others may agree once these have changed; numbers among them keep their type, and stop to give way
        others = {i: a.strong for i, a, _ in wrong}
        avals = [{**others, **promoted}.get(i, a) for i, a in enumerate(avals)]


def carry_type_error(fun: Any, transform: str, name: str, structure: Any,
                     wrong: Sequence[tuple[int, Any, Any]]) -> CarryTypeError:
    """The error for carries that change their type, by path."""
    paths = leaf_paths(structure)
    return CarryTypeError(function=function_name(fun), kind="type", transform=transform, carry=name,
                          rows=tuple([(paths[i], a, b) for i, a, b in wrong]), definition=definition_of(fun))


def check_carry_structure(fun: Any, transform: str, name: str, expected: Any, got: Any) -> None:
    """Raise when the carry comes out in another structure.

    Raises:
        CarryTypeError: with every place where the two differ.
    """
    if expected != got:
        from perspicax.core.tree_mismatch import mismatches  # only an error needs it

        raise CarryTypeError(function=function_name(fun), kind="structure", transform=transform, carry=name,
                             mismatches=tuple(mismatches(expected, got)), definition=definition_of(fun))


def _laid_alike(body: Body, wrong: Sequence[tuple[int, Any, Any]], operands: Sequence[Any],
                first: int) -> tuple[dict[int, Any], Body, list]:
    """What is done for carries of which one side alone is split, while the other lies on no mesh.

    Returns:
        By index, the types of the carries that are to become split; the body, with the results split that are to become so;
        those of `wrong` for which nothing can be done.
    """
    if not in_use:
        return {}, body, list(wrong)
    from perspicax.lax.off_mesh import off_mesh, results_off_mesh, with_laid_results  # for its weight: few programs need it

    carries: dict[int, Any] = {}
    lays: list[Any] = [None] * len(body.closed.out_avals)
    rest = []
    for i, given, returned in wrong:
        sides = [getattr(a, "explicit", None) for a in (given, returned)]
        part = sides[0] if sides[1] is None else sides[1]
        fits = None in sides and part is not None and given.ndim == returned.ndim and (
            given.laid(part).strong is returned.strong.laid(part).varying(given.vma | returned.vma))
        if fits and sides[0] is None and off_mesh(operands[first + i]):
            carries[i] = given.laid(part)
        elif fits and sides[1] is None and results_off_mesh(body, operands)[first + i]:
            lays[first + i] = part
        else:
            rest.append((i, given, returned))
    return carries, with_laid_results(body, tuple(lays)) if any(p is not None for p in lays) else body, rest


def _with_split_carries(body: Body, avals: Sequence[Any], first: int) -> Body:
    """The body for a carry of these types."""
    from perspicax.lax.off_mesh import with_split_operands  # for its weight: few programs need it

    return with_split_operands(body, avals, len(body.consts) + first)


def as_typed(leaves: Sequence[Any], avals: Sequence[Any], others: Sequence[Any] = ()) -> list[Any]:
    """Operands in the types that a carry was settled to; those that become split are laid on the mesh of `others`."""
    return [x if get_aval(x) is a else _converted(x, a, others) for x, a in zip(leaves, avals)]


def _converted(x: Any, aval: Any, others: Sequence[Any]) -> Any:
    own = get_aval(x)
    if own.explicit is not aval.explicit:  # type: ignore[attr-defined]
        from perspicax.lax.off_mesh import laid_among  # for its weight: few programs need it

        x = laid_among(x, aval.explicit, others)
    return x if get_aval(x) is aval else lax().convert(x, aval)


__all__ = ["as_typed", "carry_fixpoint", "carry_type_error", "check_carry_structure", "chosen", "regroup", "reordered",
           "settle_carry", "stacked", "unchanged"]
