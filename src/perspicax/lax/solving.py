"""Equations solved by the user's own code, with the derivatives that the implicit function theorem gives.

The derivative of a solution does not depend on how it was found: where `A x = b`, `A dx = db - dA x`; where `f(x) = 0`,
`(df/dx) dx = -df`. So a solver is never differentiated itself.
"""
from __future__ import annotations

import weakref
from collections.abc import Callable, Sequence
from inspect import ismethod
from typing import Any, NamedTuple

from perspicax.core.config import local
from perspicax.core.effects import Effects
from perspicax.core.jaxpr import eval_jaxpr
from perspicax.core.primitive import Primitive
from perspicax.core.trace import Linear, Zero
from perspicax.diagnose.boundary import public
from perspicax.lax import elementwise
from perspicax.lax.bodies import Body, axis_names, check_callable, open_consts, stage_body
from perspicax.lax.carry import carry_fixpoint
from perspicax.lax.operand import operand
from perspicax.lax.parameters import calling
from perspicax.lax.solver_errors import SolverOutputError, TransposeSolveError
from perspicax.transform import trees as tree
from perspicax.transform.batch import BatchAxis, batch_jaxpr, to_axis
from perspicax.transform.custom_primitives import Callee, custom_jvp_call
from perspicax.transform.grad import linearize
from perspicax.transform.hooks import add_tangents, instantiate
from perspicax.transform.jvp import jvp_jaxpr
from perspicax.transform.linear_transpose import linear_transpose
from perspicax.transform.stage import check_arguments, function_name


class Solver(NamedTuple):
    """One thing for each of the four functions of a linear solve."""

    matvec: Any
    vecmat: Any
    solve: Any
    transpose_solve: Any

    def transposed(self) -> Solver:
        """The same for the transposed system."""
        return Solver(self.vecmat, self.matvec, self.transpose_solve, self.solve)


def _split(args: Sequence[Any], lengths: Solver) -> tuple[Solver, list[Any]]:
    groups, start = [], 0
    for n in lengths:
        groups.append(list(args[start:start + n]))
        start += n
    return Solver(*groups), list(args[start:])


def _bind_solve(consts: Solver, b: Sequence[Any], jaxprs: Solver) -> list[Any]:
    """A linear solve; constants that the jaxprs hold become operands."""
    opened: list[Any] = []
    groups: list[list[Any]] = []
    for jaxpr, group in zip(jaxprs, consts):
        if jaxpr is None:
            opened.append(None)
            groups.append([])
            continue
        closed, more = open_consts(jaxpr)
        opened.append(closed)
        groups.append([*more, *group])
    return linear_solve_p(*[c for group in groups for c in group], *b, const_lengths=Solver(*map(len, groups)),
                          jaxprs=Solver(*opened))


# -- rules of the linear solve

def _solve_jvp(primals: tuple, tangents: tuple, *, const_lengths: Solver, jaxprs: Solver) -> tuple[list, list]:
    consts, b = _split(primals, const_lengths)
    dconsts, db = _split(tangents, const_lengths)
    outs = linear_solve_p(*primals, const_lengths=const_lengths, jaxprs=jaxprs)
    n = len(b)
    x = outs[:n]
    right: list[Any] = list(db)
    moving = [type(t) is not Zero for t in dconsts.matvec]
    if any(moving):
        derived, moves = jvp_jaxpr(jaxprs.matvec, (*moving, *[False] * n))
        found = eval_jaxpr(derived.jaxpr, derived.consts, *consts.matvec, *x,
                           *[t for t in dconsts.matvec if type(t) is not Zero])
        moved = iter(found[n:])
        right = [add_tangents(t, elementwise.neg(next(moved))) if m else t for t, m in zip(right, moves)]
    if all(type(t) is Zero for t in right):
        return outs, [Zero.like(v) for v in outs]
    dx = _bind_solve(consts, [instantiate(t) for t in right], jaxprs)[:n]
    return outs, [*dx, *[Zero.like(v) for v in outs[n:]]]


def _solve_transpose(cts: list, *operands: Any, const_lengths: Solver, jaxprs: Solver) -> list:
    if jaxprs.transpose_solve is None:
        raise TransposeSolveError(position=local.place)
    consts, b = _split(operands, const_lengths)
    back = _bind_solve(consts.transposed(), [instantiate(ct) for ct in cts[:len(b)]], jaxprs.transposed())
    return [*[None] * (len(operands) - len(b)), *[ct if type(x) is Linear else None for ct, x in zip(back, b)]]


def _solve_batch(axis: BatchAxis, args: tuple, axes: tuple, *, const_lengths: Solver,
                 jaxprs: Solver) -> tuple[list, list]:
    consts, b = _split(args, const_lengths)
    const_axes, b_axes = _split(axes, const_lengths)
    n = len(b)
    marked = Solver(*[tuple([a is not None for a in group]) for group in const_axes])

    def spread(marks: tuple) -> list[bool]:
        found = [batch_jaxpr(j, axis, (*m, *marks))[1][:n] for j, m in zip(jaxprs, marked) if j is not None]
        return [any(column) for column in zip(*found)]

    marks = tuple(carry_fixpoint(spread, [a is not None for a in b_axes]))
    derived: list[Any] = []
    flags: list[Sequence[bool]] = []
    for jaxpr, group in zip(jaxprs, marked):
        if jaxpr is None:
            derived.append(None)
            continue
        extra = len(jaxpr.out_avals) - n
        made, found = batch_jaxpr(jaxpr, axis, (*group, *marks), (*marks, *[False] * extra))
        derived.append(made)
        flags.append(found)
    moved = Solver(*[[to_axis(x, a, 0, axis.size) if a is not None else x for x, a in zip(xs, group)]
                     for xs, group in zip(consts, const_axes)])
    b = [to_axis(x, a, 0, axis.size) if m else x for x, a, m in zip(b, b_axes, marks)]
    outs = _bind_solve(moved, b, Solver(*derived))
    aux = flags[sum(j is not None for j in jaxprs[:2])][n:]
    return outs, [0 if m else None for m in (*marks, *aux)]


def _solve_operands(args: Sequence[Any], const_lengths: Solver) -> list[Any]:
    consts, b = _split(args, const_lengths)
    return [*consts.solve, *b]


def _solve_effects(jaxprs: Solver, **_: Any) -> Effects:
    return jaxprs.solve.effects


linear_solve_p = Primitive(
    "custom_linear_solve", params=("const_lengths", "jaxprs"), multiple_results=True, cache_types=False,
    handles_extended=True,
    type_rule=lambda *avals, jaxprs, **_: list(jaxprs.solve.out_avals),
    jvp=_solve_jvp, transpose=_solve_transpose, batch=_solve_batch,
    emit=lambda b, *args, const_lengths, jaxprs: b.call(jaxprs.solve, _solve_operands(args, const_lengths), "solve"),
    evaluate=lambda *args, const_lengths, jaxprs: eval_jaxpr(
        jaxprs.solve.jaxpr, jaxprs.solve.consts, *_solve_operands(args, const_lengths)),
    effects=_solve_effects,
    source="implicit differentiation of A x = b")
linear_solve_p.extra["axis_names"] = lambda jaxprs, **_: axis_names(jaxprs)


@public
def custom_linear_solve(matvec: Callable[..., Any], b: Any, solve: Callable[..., Any],
                        transpose_solve: Callable[..., Any] | None = None, symmetric: bool = False,
                        has_aux: bool = False) -> Any:
    """The solution `x` of `matvec(x) = b`, found by `solve`, with derivatives that do not go through `solve`.

    Args:
        matvec: a linear function; its result is like `b`.
        b: pytree of arrays.
        solve: `solve(matvec, b) -> x`, a pytree like `b`.
        transpose_solve: `transpose_solve(vecmat, b) -> x` for the transposed system; reverse mode needs it.
        symmetric: the system is its own transpose; `solve` serves both.
        has_aux: `solve` and `transpose_solve` return `(x, aux)`; `aux` has no derivative.

    Returns:
        `x`, or `(x, aux)`.

    Raises:
        SolverOutputError: `matvec` or a solver returns something of another structure or shape than `b`.
        TransposeSolveError: reverse mode, but there is no `transpose_solve`.

    >>> custom_linear_solve(lambda x: 2 * x, jnp.ones(2), lambda matvec, b: b / 2)
    Array([0.5, 0.5], dtype=float32)
    """
    check_callable(matvec, "custom_linear_solve", "matvec")
    check_callable(solve, "custom_linear_solve", "solve")
    if transpose_solve is not None:
        check_callable(transpose_solve, "custom_linear_solve", "transpose_solve")
    leaves, b_tree = tree.flatten(b)
    in_tree = tree.flatten(((b,), {}))[1]
    avals = check_arguments(leaves, in_tree, matvec, "custom_linear_solve")
    leaves = [operand(x) for x in leaves]

    def staged(fun: Callable[..., Any], name: str, aux: bool) -> Body:
        body = stage_body(fun, "custom_linear_solve", in_tree, avals, parameter=name)
        _check_like(body, name, b_tree, avals, aux)
        return body

    forward = staged(matvec, "matvec", False)
    solver = staged(_given(forward, solve, matvec, ("custom_linear_solve", "solve")), "solve", has_aux)
    bodies: Solver = Solver(forward, None, solver, None)
    if symmetric:
        bodies = Solver(forward, forward, solver, solver)
    elif transpose_solve is not None:
        vecmat = forward.found.get("vecmat")
        if vecmat is None:
            vecmat = forward.found["vecmat"] = _Transposed(_reference(matvec), b_tree.unflatten(avals))
        bodies = Solver(forward, staged(vecmat, "vecmat", False), solver,
                        staged(_given(forward, transpose_solve, vecmat, ("custom_linear_solve", "transpose_solve")),
                               "transpose_solve", has_aux))
    outs = _bind_solve(Solver(*[[] if body is None else body.consts for body in bodies]), leaves,
                       Solver(*[None if body is None else body.closed for body in bodies]))
    return solver.out_tree.unflatten(outs)


class _Given:
    """A solver as a function of the rest; it does not keep the two functions alive, so that what is staged goes with them."""

    __slots__ = ("__name__", "__weakref__", "first", "function", "linear", "role")

    def __init__(self, function: Callable[[], Any], first: Callable[[], Any], role: tuple[str, str], linear: bool) -> None:
        self.function, self.first, self.role, self.linear = function, first, role, linear
        self.__name__ = function_name(function())

    def __call__(self, *args: Any) -> Any:
        first = self.first()
        first = linearize(first, args[0])[1] if self.linear else first
        return calling(self.function(), *self.role, (first, *args[self.linear:]))


class _Transposed:
    """`vecmat`: the transpose of `matvec`, which it does not keep alive."""

    __slots__ = ("__name__", "__weakref__", "like", "matvec")

    def __init__(self, matvec: Callable[[], Any], like: Any) -> None:
        self.matvec, self.like = matvec, like
        self.__name__ = function_name(matvec())

    def __call__(self, y: Any) -> Any:
        return linear_transpose(self.matvec(), self.like)(y)[0]


def _reference(fun: Any) -> Callable[[], Any]:
    """What returns the function: a weak reference where there can be one that lasts."""
    if not ismethod(fun):
        try:
            return weakref.ref(fun)
        except TypeError:
            pass
    return lambda: fun


def _given(forward: Body, solve: Any, first: Any, role: tuple[str, str], linear: bool = False) -> _Given:
    """`solve` with its first argument (`linear`: the linear function that this is near a point); the same object for the
    same functions, so that it is staged once.

    Args:
        forward: the body of the equation, which keeps the object as long as the equation and the solver live.
        role: the function that it is given to and its parameter there, for reports.
    """
    made = _Given(_reference(solve), _reference(first), role, linear)
    kept = forward.found.setdefault(("given", linear, type(first) is _Transposed), weakref.WeakKeyDictionary())
    try:
        return made if ismethod(solve) else kept.setdefault(solve, made)
    except TypeError:  # it cannot be hashed, or weakly referenced
        return made


def _check_like(body: Body, name: str, b_tree: Any, avals: Sequence[Any], aux: bool) -> None:
    result = body.out_tree.unflatten(range(body.out_tree.num_leaves))
    if aux:
        if not isinstance(result, tuple) or len(result) != 2:
            raise SolverOutputError(transform="custom_linear_solve", function=name, like="(x, aux)",
                                    expected="a pair, as has_aux=True says", got=str(body.out_tree))
        result = result[0]
    found = tree.flatten(result)[1]
    if found != b_tree:
        raise SolverOutputError(transform="custom_linear_solve", function=name, like="b", expected=str(b_tree),
                                got=str(found))
    outs = body.closed.out_avals[:len(avals)]
    if any(o.shape != a.shape for o, a in zip(outs, avals)):
        raise SolverOutputError(transform="custom_linear_solve", function=name, like="b", expected=_types(avals),
                                got=_types(outs))


def _types(avals: Sequence[Any]) -> str:
    return ", ".join([a.str_short() for a in avals])


# -- roots

@public
def custom_root(f: Callable[..., Any], initial_guess: Any, solve: Callable[..., Any], tangent_solve: Callable[..., Any],
                has_aux: bool = False) -> Any:
    """A root of `f`, found by `solve`, with derivatives that do not go through `solve`.

    Args:
        f: a function whose root is wanted; its result is like its argument.
        initial_guess: pytree of arrays.
        solve: `solve(f, initial_guess) -> x` with `f(x) = 0`.
        tangent_solve: `tangent_solve(g, y) -> x` with `g(x) = y`, for the linear function `g` that `f` is near the root;
            it is linear in `y`. For scalars `lambda g, y: y / g(1.0)`; for several unknowns something that uses
            `custom_linear_solve`, or a matrix: `lambda g, y: jnp.linalg.solve(jax.jacobian(g)(y), y)`.
        has_aux: `solve` returns `(x, aux)`; `aux` has no derivative.

    Returns:
        The root, or `(root, aux)`. It depends on what `f` closes over; `initial_guess` has no derivative.

    Raises:
        SolverOutputError: `f` or a solver returns something of another structure than `initial_guess`.

    >>> custom_root(lambda x: x ** 2 - 4., 1., lambda f, x: jnp.float32(2.), lambda g, y: y / g(1.))
    Array(2., dtype=float32)
    """
    for name, function in (("f", f), ("solve", solve), ("tangent_solve", tangent_solve)):
        check_callable(function, "custom_root", name)
    leaves, guess_tree = tree.flatten(initial_guess)
    in_tree = tree.flatten(((initial_guess,), {}))[1]
    avals = check_arguments(leaves, in_tree, f, "custom_root")
    leaves = [operand(x) for x in leaves]
    equation = stage_body(f, "custom_root", in_tree, avals)
    solver = stage_body(_given(equation, solve, f, ("custom_root", "solve")), "custom_root", in_tree, avals)
    root_avals = list(solver.closed.out_avals[:len(leaves)])
    _check_root("solve", solver, guess_tree, has_aux)
    _check_root("f", equation, guess_tree, False)
    if root_avals != list(avals):
        equation = stage_body(f, "custom_root", in_tree, root_avals)
    pair_tree = tree.flatten(((initial_guess, initial_guess), {}))[1]
    inverse = stage_body(_given(equation, tangent_solve, f, ("custom_root", "tangent_solve"), True), "custom_root", pair_tree,
                         [*root_avals, *[a.to_tangent_aval() for a in equation.closed.out_avals]])
    _check_root("tangent_solve", inverse, guess_tree, False)
    return solver.out_tree.unflatten(_Root(equation, solver, inverse, len(leaves))(leaves))


def _check_root(name: str, body: Body, guess_tree: Any, aux: bool) -> None:
    found = body.out_tree
    if aux:
        result = found.unflatten(range(found.num_leaves))
        if not isinstance(result, tuple) or len(result) != 2:
            raise SolverOutputError(transform="custom_root", function=name, like="(x, aux)",
                                    expected="a pair, as has_aux=True says", got=str(found))
        found = tree.flatten(result[0])[1]
    if found != guess_tree:
        raise SolverOutputError(transform="custom_root", function=name, like="initial_guess", expected=str(guess_tree),
                                got=str(found))


class _Root:
    """The call of a solver, whose derivative is that of the equation."""

    def __init__(self, equation: Body, solver: Body, inverse: Body, count: int) -> None:
        self.equation, self.solver, self.inverse, self.count = equation.closed, solver.closed, inverse.closed, count
        self.consts = [equation.consts, solver.consts, inverse.consts]
        self.lengths = [len(group) for group in self.consts]

    def __call__(self, guess: Sequence[Any]) -> list[Any]:
        return self.call([*[c for group in self.consts for c in group], *guess])

    def call(self, args: Sequence[Any]) -> list[Any]:
        return custom_jvp_call(*args, name="custom_root", call_jaxpr=Callee(self.solve, "custom_root"), jvp=self.rule,
                               num_consts=0, symbolic_zeros=True)

    def split(self, args: Sequence[Any]) -> tuple[list, list, list, list]:
        a, b, c = self.lengths
        return list(args[:a]), list(args[a:a + b]), list(args[a + b:a + b + c]), list(args[a + b + c:])

    def solve(self, *args: Any) -> list[Any]:
        _, consts, _, guess = self.split(args)
        return eval_jaxpr(self.solver.jaxpr, self.solver.consts, *consts, *guess)

    def rule(self, primals: Sequence[Any], tangents: Sequence[Any]) -> tuple[list, list]:
        consts, _, inverse_consts, _ = self.split(primals)
        dconsts = self.split(tangents)[0]
        outs = self.call(primals)
        root = outs[:self.count]
        moving = [type(t) is not Zero for t in dconsts]
        if not any(moving):
            return outs, [Zero.like(v) for v in outs]
        derived, _ = jvp_jaxpr(self.equation, (*moving, *[False] * self.count), True)
        found = eval_jaxpr(derived.jaxpr, derived.consts, *consts, *root, *[t for t in dconsts if type(t) is not Zero])
        steps = eval_jaxpr(self.inverse.jaxpr, self.inverse.consts, *inverse_consts, *root, *found[self.count:])
        return outs, [*[elementwise.neg(t) for t in steps], *[Zero.like(v) for v in outs[self.count:]]]


__all__ = ["Solver", "custom_linear_solve", "custom_root", "linear_solve_p"]
