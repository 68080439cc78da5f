"""`cond` and `switch`: one of several functions is run, by a value that only the running program knows."""
from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from perspicax.core import dtypes
from perspicax.core.avals import abstract_token
from perspicax.core.config import config
from perspicax.core.jaxpr import ClosedJaxpr, Var, eval_jaxpr
from perspicax.core.trace import stage_flat
from perspicax.core.tracer import get_aval
from perspicax.diagnose.boundary import public
from perspicax.lax import compare, convert
from perspicax.lax.bodies import Body, check_callable, definition_of, leaf_paths, stage_body
from perspicax.lax.branch_errors import BranchCallError, BranchOutputError, NoBranchesError, PredicateError
from perspicax.lax.branch_rules import Branches, by_platform, cond_p
from perspicax.lax.control_errors import NotAFunctionError
from perspicax.lax.forwarding import branches_around
from perspicax.lax.marks import refuse_parts_of_sums
from perspicax.lax.operand import operand as as_operand
from perspicax.lax.parameters import calling
from perspicax.lax.ref_threads import branches_with_refs
from perspicax.transform import trees as tree
from perspicax.transform.hooks import as_traced
from perspicax.transform.stage import check_arguments, function_name
from perspicax.xla.explicit import in_use

_ABSENT: Any = object()


@public
def cond(pred: Any, true_fun: Callable[..., Any], false_fun: Callable[..., Any], *operands: Any,
         operand: Any = _ABSENT) -> Any:
    """`true_fun(*operands)` where `pred` holds, else `false_fun(*operands)`; only one of them runs.

    Args:
        pred: boolean scalar; a number counts as true unless it is 0.
        true_fun: a function of the operands.
        false_fun: likewise, with a result of the same structure and types.
        operands: pytrees of arrays.
        operand: one operand for both; in place of `operands`.

    `cond(pred, true_operand, true_fun, false_operand, false_fun)` gives each function an operand of its own.

    Returns:
        The result of the function that ran. Under vmap with a batched `pred` both run, and each entry takes its own.

    Raises:
        PredicateError: `pred` is no scalar, or no number.
        BranchOutputError: the results differ in structure, shape or dtype.
        NotAFunctionError: a branch is no function.

    >>> cond(3 > 2, lambda x: x + 1, lambda x: x - 1, 10)
    Array(11, dtype=int32, weak_type=True)
    """
    if not (callable(true_fun) and callable(false_fun)) and len(operands) == 2 and callable(operands[1]) and callable(
            false_fun if callable(false_fun) else true_fun):
        return _cond_of_two(pred, true_fun, false_fun, *operands)
    operands = _operands("cond", operands, operand)
    check_callable(true_fun, "cond", "true_fun")
    check_callable(false_fun, "cond", "false_fun")
    index = _truth_index(pred)
    if config.jax_disable_jit:
        chosen = (true_fun, "true_fun") if bool(pred) else (false_fun, "false_fun")
        return calling(chosen[0], "cond", chosen[1], operands)
    return apply_branches("cond", index, (false_fun, true_fun), ("false_fun", "true_fun"), operands)


def _cond_of_two(pred: Any, true_operand: Any, true_fun: Any, false_operand: Any, false_fun: Any) -> Any:
    """The form in which each function has an operand of its own."""
    check_callable(true_fun, "cond", "true_fun")
    check_callable(false_fun, "cond", "false_fun")
    index = _truth_index(pred)
    if config.jax_disable_jit:
        chosen = (true_fun, "true_fun", true_operand) if bool(pred) else (false_fun, "false_fun", false_operand)
        return calling(chosen[0], "cond", chosen[1], (chosen[2],))
    return apply_branches("cond", index, (lambda _, x: false_fun(x), lambda x, _: true_fun(x)), ("false_fun", "true_fun"),
                   (true_operand, false_operand))


def _operands(transform: str, operands: tuple, single: Any) -> tuple:
    if single is _ABSENT:
        return operands
    if operands:
        raise BranchCallError(transform=transform, count=len(operands))
    return (single,)


def _scalar(x: Any, transform: str, name: str) -> Any:
    try:
        aval: Any = get_aval(x)
    except TypeError:
        got = "None" if x is None else f"a {type(x).__name__}"
        raise PredicateError(transform=transform, what=name, kind="value", got=got) from None
    if aval.shape:
        raise PredicateError(transform=transform, what=name, kind="shape", got=aval.str_short())
    return aval


def _truth_index(pred: Any) -> Any:
    """The index of the branch that a truth value names."""
    aval = _scalar(pred, "cond", "pred")
    if aval.extended or (aval.dtype.kind not in "biuf" and not dtypes.issubdtype(aval.dtype, np.floating)):
        raise PredicateError(transform="cond", what="pred", kind="dtype", got=aval.str_short())
    pred = as_operand(pred)
    if aval.dtype != dtypes.bool_:
        pred = compare.ne(pred, np.zeros((), aval.dtype))
    elif isinstance(pred, (bool, np.bool_)):
        return np.int32(pred)
    return convert.convert_element_type(pred, np.int32)


@public
def switch(index: Any, branches: Sequence[Callable[..., Any]], *operands: Any, operand: Any = _ABSENT) -> Any:
    """`branches[index](*operands)`; only that one runs.

    Args:
        index: integer scalar; one below 0 names the first branch, one too large the last.
        branches: functions of the operands, with results of the same structure and types.
        operands: pytrees of arrays.
        operand: one operand for all; in place of `operands`.

    Returns:
        The result of the branch that ran. Under vmap with a batched `index` all run, and each entry takes its own.

    Raises:
        PredicateError: `index` is no integer scalar.
        BranchOutputError: the results differ in structure, shape or dtype.
        NoBranchesError: there are no branches.

    >>> switch(1, [lambda x: x, lambda x: -x], 3)
    Array(-3, dtype=int32, weak_type=True)
    """
    if not isinstance(branches, Sequence):
        raise NotAFunctionError(transform="switch", parameter="branches", got=type(branches).__name__)
    for i, branch in enumerate(branches):
        check_callable(branch, "switch", f"branches[{i}]")
    operands = _operands("switch", operands, operand)
    aval = _scalar(index, "switch", "index")
    if aval.extended or not dtypes.issubdtype(aval.dtype, np.integer):
        raise PredicateError(transform="switch", what="index", kind="dtype", got=aval.str_short())
    if not branches:
        raise NoBranchesError()
    if len(branches) == 1:
        return calling(branches[0], "switch", "branches[0]", operands)
    last = len(branches) - 1
    if config.jax_disable_jit:
        taken = min(max(int(index), 0), last)
        return calling(branches[taken], "switch", f"branches[{taken}]", operands)
    names = [f"branches[{i}]" for i in range(last + 1)]
    return apply_branches("switch", _within(as_operand(index), aval.dtype, last), tuple(branches), names, operands)


def _within(index: Any, dtype: Any, last: int) -> Any:
    """The index as int32, from 0 to `last`. A dtype that holds more is clamped first, lest large numbers wrap around."""
    if np.can_cast(dtype, np.int32):
        return compare.clamp(np.int32(0), convert.convert_element_type(index, np.int32), np.int32(last))
    inside = compare.clamp(np.zeros((), dtype), index, np.asarray(last, dtype))
    return convert.convert_element_type(inside, np.int32)


@branches_with_refs
def apply_branches(transform: str, index: Any, functions: Sequence[Callable[..., Any]], names: Sequence[str],
                   operands: tuple, platforms: Any = None) -> Any:
    """Stage the functions for the operands, bring their results to one type, and apply `cond`."""
    leaves, in_tree = tree.flatten((operands, {}))
    avals = check_arguments(leaves, in_tree, functions[-1], transform)
    leaves = [as_operand(x) for x in leaves]
    order = range(len(functions)) if transform != "cond" else (1, 0)  # `true_fun` comes first for the user
    staged = {i: stage_body(functions[i], transform, in_tree, avals, parameter=names[i]) for i in order}
    bodies = [staged[i] for i in range(len(functions))]
    bodies = _laid_alike(bodies, leaves)
    _check_results(transform, [functions[i] for i in order], [names[i] for i in order], [bodies[i] for i in order])
    closed, consts = _with_common_consts(bodies, order)
    closed, handed_on = branches_around(closed)
    along = get_aval(index).vma
    if along:
        refuse_parts_of_sums(transform, [*map(get_aval, [*consts, *leaves]), *closed[0].out_avals], along)
        closed = tuple([_varied(branch, along) for branch in closed])
    given = [*consts, *leaves]
    outs = iter(cond_p(index, *given, branches=closed, **by_platform(platforms)))
    return bodies[0].out_tree.unflatten([next(outs) if i is None else as_traced(given[i]) for i in handed_on])


def _varied(branch: ClosedJaxpr, axes: frozenset) -> ClosedJaxpr:
    """A branch for operands that vary along axes of a mesh. Where the choice does, devices that have chosen otherwise take no
    part in a sum within: the cotangent of an operand that is the same for all is summed outside."""
    def make() -> ClosedJaxpr:
        avals = [a if a is abstract_token else a.varying(a.vma | axes) for a in branch.in_avals]
        return stage_flat(lambda *xs: eval_jaxpr(branch.jaxpr, branch.consts, *xs), avals, branch.debug_info)

    return branch.derive(("varied", axes), make)


def _laid_alike(bodies: list[Body], operands: Sequence[Any]) -> list[Body]:
    """The branches, with results of some that lie on no mesh split as those of others are."""
    if not in_use:
        return bodies
    from perspicax.lax.off_mesh import laid_alike  # for its weight: few programs need it

    return laid_alike(bodies, operands)


def _check_results(transform: str, functions: Sequence[Any], names: Sequence[str], bodies: Sequence[Body]) -> None:
    first = bodies[0]
    for f, name, body in zip(functions[1:], names[1:], bodies[1:]):
        called = ((names[0], function_name(functions[0])), (name, function_name(f)))
        if body.out_tree != first.out_tree:
            from perspicax.core.tree_mismatch import mismatches  # only an error needs it

            raise BranchOutputError(transform=transform, functions=called, kind="structure",
                                    mismatches=tuple(mismatches(first.out_tree, body.out_tree)),
                                    definitions=(definition_of(functions[0]), definition_of(f)))
        wrong = [(i, a, b) for i, (a, b) in enumerate(zip(first.closed.out_avals, body.closed.out_avals))
                 if a.strong.varying(b.vma) is not b.strong]
        if wrong:
            paths = leaf_paths(first.out_tree)
            raise BranchOutputError(transform=transform, functions=called, kind="type",
                                    rows=tuple([(paths[i], a, b) for i, a, b in wrong]),
                                    definitions=(definition_of(functions[0]), definition_of(f)))


def _with_common_consts(bodies: Sequence[Body], order: Sequence[int]) -> tuple[Branches, list[Any]]:
    """The jaxprs with the constants of all of them in front, each once, in the order in which the bodies were staged."""
    if not any(b.consts for b in bodies):
        return tuple([b.closed for b in bodies]), []
    numbers: dict[int, int] = {}
    consts: list[Any] = []
    avals: list[Any] = []
    for i in order:
        body = bodies[i]
        for x, v in zip(body.consts, body.closed.jaxpr.invars):
            if id(x) not in numbers:
                numbers[id(x)] = len(consts)
                consts.append(x)
                avals.append(v.aval)
    made = []
    for b in bodies:
        places = tuple([numbers[id(x)] for x in b.consts])

        def wide(b: Body = b, places: tuple[int, ...] = places) -> ClosedJaxpr:
            body = b.closed.jaxpr
            own = dict(zip(places, body.invars))
            front = [own[k] if k in own else Var(a) for k, a in enumerate(avals)]
            return ClosedJaxpr(body.replace(invars=[*front, *body.invars[len(places):]]))

        made.append(b.closed.derive(("common constants", places, tuple(avals)), wide))
    return tuple(made), consts


__all__ = ["apply_branches", "cond", "switch"]
