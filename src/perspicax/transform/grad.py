"""`grad`, `value_and_grad`, `jvp`, `vjp`, `linearize`: differentiation of functions of pytrees."""
from __future__ import annotations

import operator
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np

from perspicax.core import dtypes
from perspicax.core.config import local
from perspicax.core.jaxpr import eval_jaxpr
from perspicax.core.refs import RefCell, lent, write_all
from perspicax.core.trace import Zero
from perspicax.core.tracer import get_aval
from perspicax.core.tree_nodes import Partial
from perspicax.diagnose.boundary import public
from perspicax.transform import trees as tree
from perspicax.transform.accumulation import AccumulatingVJP
from perspicax.transform.errors import (
    ArgumentTypeError,
    DifferentiationInputError,
    NonScalarGradError,
    ReduceAxesError,
    TangentError,
)
from perspicax.transform.hooks import as_cotangent, as_traced, filled, instantiate, lax
from perspicax.transform.jvp import TapeTrace, jvp_flat, linearize_flat
from perspicax.transform.places import return_place
from perspicax.transform.ref_calls import check_aliases, has_refs, passed_for, with_arguments
from perspicax.transform.stage import (
    FlatFunction,
    check_arguments,
    debug_info,
    function_name,
    positional_names,
    short_repr,
    wraps,
)
from perspicax.transform.transpose import backward
from perspicax.xla.compile import without_dead_equations


def grad(fun: Callable[..., Any], argnums: int | Sequence[int] = 0, has_aux: bool = False, holomorphic: bool = False,
         allow_int: bool = False, reduce_axes: Sequence[Any] = ()) -> Callable[..., Any]:
    """The gradient of a scalar function, as a function of the same arguments.

    Args:
        fun: returns a scalar (shape `()`), or with `has_aux` a pair of a scalar and anything.
        argnums: which positional arguments to differentiate, an int or several.
        has_aux: whether `fun` returns `(value, aux)`.
        holomorphic: whether `fun` is complex-differentiable; then its arguments and result are complex.
        allow_int: differentiate integer arguments too; their gradients are of dtype `float0`.

    Returns:
        A function that returns the gradient (a pytree like the argument, or a tuple of them), or with `has_aux` the
        pair of gradient and aux.

    Raises:
        NonScalarGradError: `fun` does not return a scalar.
        DifferentiationInputError: an argument is not floating.

    >>> grad(lambda x: x ** 2)(3.0)
    Array(6., dtype=float32, weak_type=True)
    """
    both = _value_and_grad("grad", fun, argnums, has_aux, holomorphic, allow_int, reduce_axes)

    def gradient(*args: Any, **kwargs: Any) -> Any:
        value, found = both(*args, **kwargs)
        return (found, value[1]) if has_aux else found

    return wraps(fun, gradient)


def value_and_grad(fun: Callable[..., Any], argnums: int | Sequence[int] = 0, has_aux: bool = False,
                   holomorphic: bool = False, allow_int: bool = False,
                   reduce_axes: Sequence[Any] = ()) -> Callable[..., Any]:
    """The value and the gradient of a scalar function; arguments as for `grad`.

    Returns:
        A function that returns `(value, gradient)`, or with `has_aux` `((value, aux), gradient)`.
    """
    return _value_and_grad("value_and_grad", fun, argnums, has_aux, holomorphic, allow_int, reduce_axes)


def _value_and_grad(transform: str, fun: Callable[..., Any], argnums: int | Sequence[int], has_aux: bool, holomorphic: bool,
                    allow_int: bool, reduce_axes: Sequence[Any]) -> Callable[..., Any]:
    refuse_reduce_axes("grad", reduce_axes)
    several = not hasattr(argnums, "__index__")
    numbers = argument_numbers("grad", fun, argnums)

    def value_and_gradient(*args: Any, **kwargs: Any) -> Any:
        _check_argnums(fun, numbers, args)
        chosen = tuple([args[n] for n in numbers])
        leaves, in_tree = tree.flatten((chosen, {}))
        avals = check_arguments(leaves, in_tree, fun, "grad")
        moving = [_check_input(a, i, in_tree, fun, holomorphic, allow_int, numbers, args) for i, a in enumerate(avals)]
        positions = [n + len(args) if n < 0 else n for n in numbers]

        def rebuild(chosen: tuple) -> tuple[list, dict]:
            full = list(args)
            for n, v in zip(positions, chosen[0]):
                full[n] = v
            return full, kwargs

        flat = FlatFunction(fun, in_tree, "grad", rebuild, has_aux)
        others = [n for n in range(len(args)) if n not in positions]
        outs, tangents, tape = linearize_flat(flat, leaves, moving, debug_info("grad", fun, in_tree, static=others))
        result = flat.out_tree.unflatten(outs)
        value_tree = flat.value_tree if has_aux else flat.out_tree
        if value_tree.num_nodes != 1 or value_tree.num_leaves != 1:
            raise NonScalarGradError(function=function_name(fun), kind=_kind_of_structure(value_tree, outs, has_aux),
                                     got=_structure_words(value_tree), transform=transform, position=return_place(fun))
        value = outs[0]
        ct = _output_cotangent(value, fun, holomorphic, transform)
        cts = _pull_back(tape, tangents[:1], [ct])
        found = iter(cts)
        grads = [_finish(next(found), a) if m else np.zeros(a.shape, dtypes.float0) for m, a in zip(moving, avals)]
        gradient = in_tree.unflatten(grads)[0]
        gradient = gradient if several else gradient[0]
        return ((value, result[1]), gradient) if has_aux else (value, gradient)

    return wraps(fun, value_and_gradient)


def argument_numbers(transform: str, fun: Any, argnums: Any) -> tuple[int, ...]:
    """The positions that `argnums` gives.

    Raises:
        DifferentiationInputError: it is neither an int nor a sequence of ints.
    """
    try:
        return tuple(map(operator.index, (argnums,) if hasattr(argnums, "__index__") else argnums))
    except TypeError:
        names = positional_names(fun, len(getattr(getattr(fun, "__code__", None), "co_varnames", ())))
        near = str(names.index(argnums)) if isinstance(argnums, str) and argnums in names else ""
        raise DifferentiationInputError(function=function_name(fun), kind="argnums type", name=near,
                                        type_text=short_repr(argnums), transform=transform) from None


def _finish(ct: Any, aval: Any) -> Any:
    """A gradient as an array of the argument's type."""
    return lax().zeros(as_cotangent(aval.to_tangent_aval())) if type(ct) is Zero else as_traced(ct)


def _check_argnums(fun: Any, numbers: Sequence[int], args: tuple) -> None:
    for n in numbers:
        if not -len(args) <= n < len(args):
            raise DifferentiationInputError(function=function_name(fun), kind="argnums", name=str(n),
                                            type_text=str(len(args)))
    check_distinct("grad", fun, numbers, len(args))


def check_distinct(transform: str, fun: Any, numbers: Sequence[int], count: int) -> None:
    """Each of `count` positional arguments is differentiated once.

    Raises:
        DifferentiationInputError: `numbers` has one of them twice.
    """
    found = [n % count for n in numbers]
    for i, n in enumerate(found):
        if n in found[:i]:
            name = positional_names(fun, count)[n]
            raise DifferentiationInputError(function=function_name(fun), kind="argnums repeated", name=name,
                                            type_text=str(tuple(numbers)), transform=transform)


def _check_input(aval: Any, index: int, in_tree: Any, fun: Any, holomorphic: bool, allow_int: bool,
                 numbers: Sequence[int], args: tuple) -> bool:
    dtype = aval.dtype
    inexact = not getattr(aval, "extended", False) and dtypes.issubdtype(dtype, np.inexact)
    kind = ""
    if holomorphic:
        kind = "" if inexact and dtypes.issubdtype(dtype, np.complexfloating) else "holomorphic"
    elif not inexact and not allow_int:
        kind = "integer"
    if kind:
        raise DifferentiationInputError(function=function_name(fun), kind=kind, type_text=aval.str_short(),
                                        name=_leaf_name(fun, index, in_tree, numbers, args))
    return inexact


def _leaf_name(fun: Any, index: int, in_tree: Any, numbers: Sequence[int], args: tuple) -> str:
    chosen = in_tree.unflatten(list(range(in_tree.num_leaves)))[0]
    names = positional_names(fun, len(args))
    for n, arg in zip(numbers, chosen):
        for path, leaf in tree.flatten_with_path(arg)[0]:
            if leaf == index:
                return f"{names[n]}{tree.keystr(path)}"
    return f"argument {index}"


def _kind_of_structure(structure: Any, outs: Sequence[Any], has_aux: bool) -> str:
    """What was returned in place of a scalar: nothing (`none`), a scalar and something besides (`pair`), or a `tree`."""
    if structure.num_leaves == 0 and structure.num_nodes == 1:
        return "none"
    children = structure.children()
    if not has_aux and len(children) == 2 and structure.num_nodes == 1 + sum([c.num_nodes for c in children]) and (
            children[0].num_nodes == 1 and children[0].num_leaves == 1 and get_aval(outs[0]).shape == ()):
        return "pair"
    return "tree"


def _output_cotangent(value: Any, fun: Any, holomorphic: bool, transform: str) -> Any:
    aval: Any = get_aval(value)
    if aval.shape != ():
        raise NonScalarGradError(function=function_name(fun), kind="shape", got=aval.str_short(), transform=transform,
                                 position=return_place(fun))
    complex_ = dtypes.issubdtype(aval.dtype, np.complexfloating)
    if not dtypes.issubdtype(aval.dtype, np.inexact) or complex_ != holomorphic:
        kind = "holomorphic" if holomorphic else "complex" if complex_ else "integer"
        raise NonScalarGradError(function=function_name(fun), kind=kind, got=aval.str_short(), transform=transform,
                                 position=return_place(fun))
    return filled(aval, 1)


def _structure_words(structure: Any) -> str:
    """What a function returned, as a report names it: `a dict with keys 'a', 'b'`."""
    from perspicax.core.tree_mismatch import mismatches  # only a report needs it

    found = mismatches(0, structure)
    return getattr(found[0], "actual", str(structure)) if found else str(structure)


def _pull_back(tape: TapeTrace, tangents: Sequence[Any], cts: Sequence[Any]) -> list[Any]:
    """Cotangents of the tape's arguments for cotangents of the results."""
    pairs = [(t, ct) for t, ct in zip(tangents, cts) if type(t) is not Zero]
    closed = tape.close([t for t, _ in pairs])
    tape.dead = True
    return backward(closed.jaxpr, closed.consts, [ct for _, ct in pairs])


# -- jvp

def jvp(fun: Callable[..., Any], primals: Sequence[Any], tangents: Sequence[Any], has_aux: bool = False) -> Any:
    """Value and directional derivative of `fun`: forward mode.

    Args:
        fun: the function.
        primals: a tuple of its positional arguments.
        tangents: a tuple of pytrees like `primals`; integer arguments have tangents of dtype `float0`.
        has_aux: whether `fun` returns `(value, aux)`.

    Returns:
        `(value, tangent)`, with `has_aux` `(value, tangent, aux)`.

    Raises:
        TangentError: a tangent's structure, shape or dtype does not fit.
    """
    if not isinstance(primals, (tuple, list)) or not isinstance(tangents, (tuple, list)):
        raise TangentError(function=function_name(fun), kind="sequence", name="",
                           expected="tuples", got=f"{type(primals).__name__} and {type(tangents).__name__}")
    leaves, in_tree = tree.flatten((tuple(primals), {}))
    moves, moves_tree = tree.flatten((tuple(tangents), {}))
    if in_tree != moves_tree:
        raise TangentError(function=function_name(fun), kind="tree", name="", expected=in_tree.children()[0],
                           got=moves_tree.children()[0], arguments=tuple(positional_names(fun, len(primals))))
    try:
        avals = check_arguments(leaves, in_tree, fun, "jvp")
    except ArgumentTypeError:
        if not has_refs(leaves):
            raise
        return _jvp_with_refs(fun, (tuple(primals), {}), (tuple(tangents), {}), has_aux)
    checked = [_check_tangent(t, a, "jvp", fun, in_tree, i) for i, (t, a) in enumerate(zip(moves, avals))]
    flat = FlatFunction(fun, in_tree, "jvp", has_aux=has_aux)
    outs, douts = jvp_flat(flat, leaves, checked, debug_info("jvp", fun, in_tree))
    result = flat.out_tree.unflatten(outs)
    if not has_aux:
        return result, flat.out_tree.unflatten([_tangent_out(t) for t in douts])
    value, aux = result
    return value, flat.value_tree.unflatten([_tangent_out(t) for t in douts[:flat.count]]), aux


def _jvp_with_refs(fun: Callable[..., Any], primals: tuple[tuple, dict], tangents: tuple[tuple, dict], has_aux: bool) -> Any:
    """`jvp` with references among the primals: their tangents are references, to which the tangents of writes are written."""
    cells, (passed, _) = passed_for(primals, fun, "jvp")
    moving, moved = _passed_tangents(primals, tangents, fun, "jvp")

    def given(primals: tuple, tangents: tuple) -> None:
        """What reports name the arguments by."""

    given.__name__ = function_name(fun)
    all_leaves, all_tree = tree.flatten(((primals[0], tangents[0]), {}))
    check_aliases(all_leaves, all_tree, given, "jvp")

    def both(*args: Any) -> Any:
        values, result = with_arguments(fun)(*args)
        if not has_aux or not isinstance(result, (tuple, list)) or len(result) != 2:
            return (values, result) if not has_aux else result
        return (values, result[0]), result[1]

    with lent((*cells, *moving), "jvp", function_name(fun)):
        (values, out), (dvalues, dout), *aux = jvp(wraps(fun, both), passed, moved, has_aux)
    write_all(cells, values)
    write_all(moving, dvalues)
    return (out, dout, *aux)


def _passed_tangents(primals: Any, tangents: Any, fun: Any, transform: str) -> tuple[list[RefCell], tuple]:
    """The references among the tangents, which stand where the primals have some, and the tangents with their values.

    Args:
        primals, tangents: `(args, kwargs)`.
        fun: the function.
        transform: what was called.

    Raises:
        TangentError: the tangent of a reference is none.
    """
    moves, in_tree = tree.flatten(tangents)
    for i, (x, t) in enumerate(zip(tree.leaves(primals), moves)):
        if isinstance(x, RefCell) and not isinstance(t, RefCell):
            args = primals[0]
            raise TangentError(function=function_name(fun), kind="type", transform=transform, got=get_aval(t).str_short(),
                               name=_leaf_name(fun, i, in_tree, range(len(args)), args),
                               expected=f"Ref{{{x.inner_aval().str_short()}}}")
    moving, (moved, _) = passed_for(tangents, fun, transform)
    return moving, moved


def _linearize_with_refs(fun: Any, primals: tuple, has_aux: bool) -> Any:
    """`linearize` with references among the primals: the linear function takes references for their tangents, and writes to
    them."""
    cells, (passed, _) = passed_for((primals, {}), fun, "linearize")

    def both(*args: Any) -> Any:
        values, result = with_arguments(fun)(*args)
        if not has_aux or not isinstance(result, (tuple, list)) or len(result) != 2:
            return (values, result) if not has_aux else result
        return (values, result[0]), result[1]

    with lent(cells, "linearize", function_name(fun)):
        (values, out), push, *aux = linearize(wraps(fun, both), *passed, has_aux=has_aux)
    write_all(cells, values)

    def push_refs(push: Any, *tangents: Any) -> Any:
        moving, moved = _passed_tangents((primals, {}), (tangents, {}), fun, "linearize")
        dvalues, dout = push(*moved)
        write_all(moving, dvalues)
        return dout

    return (out, Partial(push_refs, push), *aux)


def _tangent_out(t: Any) -> Any:
    if type(t) is Zero:
        return np.zeros(t.aval.shape, dtypes.float0) if t.aval.dtype == dtypes.float0 else lax().zeros(t.aval)  # type: ignore
    return t


def _check_tangent(t: Any, aval: Any, transform: str, fun: Any, in_tree: Any, index: int) -> Any:
    """A tangent as traces take it. `fun` may be a function's name where the function itself is not known any more."""
    wanted = aval.to_tangent_aval()
    if type(t) is Zero:
        return t
    given: Any = get_aval(t)
    if given.shape != wanted.shape or given.dtype != wanted.dtype:
        named = isinstance(fun, str)
        args = in_tree.unflatten(list(range(in_tree.num_leaves)))[0]
        numbers = range(len(args))
        name = _leaf_name(None if named else fun, index, in_tree, numbers, args)
        raise TangentError(function=fun if named else function_name(fun), kind="type", name=name, transform=transform,
                           expected=wanted.str_short(), got=given.str_short())
    if wanted.dtype == dtypes.float0:
        return Zero(wanted)
    return t if given.memory is wanted.memory else lax().in_memory(t, wanted.memory)


# -- linearize and vjp

def linearize(fun: Callable[..., Any], *primals: Any, has_aux: bool = False) -> Any:
    """Value of `fun` and its derivative there, as a linear function that can be called (and jitted) often.

    Returns:
        `(value, f_jvp)` where `f_jvp(*tangents)` is the directional derivative; with `has_aux` also the aux. The tangents of
        references are references.
    """
    if has_refs(primals):
        return _linearize_with_refs(fun, primals, has_aux)
    taken = _take_apart("linearize", fun, primals, has_aux)
    # What no result's tangent needs is not computed: it may be the tangent map of a function without a forward-mode rule.
    taken.shape.jaxpr = without_dead_equations(taken.shape.jaxpr)[0]
    f_jvp = Partial(taken.shape.push, taken.residuals)
    return (taken.result, f_jvp, taken.aux) if has_aux else (taken.result, f_jvp)


class _TakenApart(NamedTuple):
    """A function at some primals: its value there, and its derivative as residuals and what is done with them."""

    result: Any
    aux: Any
    residuals: list[Any]
    shape: LinearShape


def _take_apart(transform: str, fun: Any, primals: tuple, has_aux: bool) -> _TakenApart:
    leaves, in_tree = tree.flatten((primals, {}))
    avals = check_arguments(leaves, in_tree, fun, transform)
    moving = [a.to_tangent_aval() is a for a in avals]
    flat = FlatFunction(fun, in_tree, transform, has_aux=has_aux)
    outs, tangents, tape = linearize_flat(flat, leaves, moving, debug_info(transform, fun, in_tree))
    result = flat.out_tree.unflatten(outs)
    aux, out_tree = None, flat.out_tree
    if has_aux:
        (result, aux), out_tree = result, flat.value_tree
        outs, tangents = outs[:flat.count], tangents[:flat.count]
    moves = [type(t) is not Zero for t in tangents]
    closed = tape.close([t for t in tangents if type(t) is not Zero])
    tape.dead = True
    shape = LinearShape(jaxpr=closed.jaxpr, in_tree=in_tree, out_tree=out_tree, moves_in=moving, moves_out=moves,
                        in_avals=avals, out_avals=[get_aval(x) for x in outs], name=function_name(fun))
    return _TakenApart(result, aux, closed.consts, shape)


class VJP:
    """The pull-back that `vjp` returns: cotangents of the result to cotangents of the arguments. A pytree.

    Its leaves are the residuals, so that it can be returned from jitted functions and stored.
    """

    def __init__(self, consts: list[Any], shape: LinearShape) -> None:
        self.consts, self.shape = consts, shape

    def __repr__(self) -> str:
        return f"<pull-back of `{self.shape.name}`>"

    @public
    def __call__(self, ct: Any, *rest: Any) -> Any:
        return self.shape.pull_back(self.consts, ct, *rest)

    @public
    def with_refs(self, *accumulators: Any) -> AccumulatingVJP:
        """The same pull-back, told what to do with each cotangent.

        Args:
            accumulators: one for each argument, of the argument's structure: a `jax.Ref`, to which the cotangent is added;
                `jax.ad.GradValue()`, and it is returned; or `jax.ad.DontWant()`.

        Returns:
            A function of the result's cotangent; where the cotangent was added or left out, its result has
            `jax.ad.GradRef()` or `jax.ad.DidntWant()`.

        Raises:
            AccumulatorError: the structure is another, or a leaf is none of these.
            RefValueError: by that function, where a reference has another type than the cotangent.
        """
        return AccumulatingVJP(lambda *cts: self.shape.cotangents(self.consts, *cts), self.shape, accumulators)


class LinearShape:
    """What a linear function that was taken apart is besides its residuals; compared by identity.

    Attributes:
        jaxpr: moving tangents to moving tangents, with the residuals as constvars.
        in_tree, out_tree: structures of the arguments (with `{}`) and of the result.
        moves_in, moves_out: which leaves have a tangent that is not zero.
        in_avals, out_avals: types of the leaves.
        name: of the function.
    """

    __slots__ = ("in_avals", "in_tree", "jaxpr", "moves_in", "moves_out", "name", "out_avals", "out_tree")
    in_avals: list
    in_tree: Any
    jaxpr: Any
    moves_in: list
    moves_out: list
    name: str
    out_avals: list
    out_tree: Any

    def __init__(self, **fields: Any) -> None:
        for name, value in fields.items():
            setattr(self, name, value)

    @public
    def push(self, consts: list[Any], *dprimals: Any) -> Any:
        """Tangents of the result."""
        given, given_tree = tree.flatten((dprimals, {}), lambda x: type(x) is Zero)
        if given_tree != self.in_tree:
            expected, got = self.in_tree.children()[0], given_tree.children()[0]
            raise TangentError(function=self.name, kind="tree", name="", expected=expected, got=got, transform="linearize",
                               arguments=tuple([f"args[{i}]" for i in range(len(expected.children()))]))
        checked = [_check_tangent(t, a, "linearize", self.name, self.in_tree, i)
                   for i, (t, a) in enumerate(zip(given, self.in_avals))]
        found = iter(eval_jaxpr(self.jaxpr, consts, *[instantiate(t) for t, m in zip(checked, self.moves_in) if m]))
        return self.out_tree.unflatten([next(found) if m else _tangent_out(Zero(a.to_tangent_aval()))
                                        for m, a in zip(self.moves_out, self.out_avals)])

    def pull_back(self, consts: list[Any], *cts: Any) -> Any:
        """Cotangents of the arguments."""
        return self.in_tree.unflatten(self.cotangents(consts, *cts))[0]

    def cotangents(self, consts: list[Any], *cts: Any) -> list[Any]:
        """Cotangents of the leaves of the arguments."""
        if len(cts) != 1:
            raise TangentError(function=self.name, kind="count", name="", expected="1", got=str(len(cts)))
        leaves, given_tree = tree.flatten(cts[0], lambda x: type(x) is Zero)
        if given_tree != self.out_tree:
            raise TangentError(function=self.name, kind="cotangent tree", name="", expected=self.out_tree, got=given_tree,
                               transform="vjp")
        checked = [self._check(ct, a, i) for i, (ct, a) in enumerate(zip(leaves, self.out_avals))]
        back = backward(self.jaxpr, consts, [ct for ct, m in zip(checked, self.moves_out) if m])
        found = iter(back)
        return [_tangent_out(next(found) if m else Zero(as_cotangent(a.to_tangent_aval())))
                for m, a in zip(self.moves_in, self.in_avals)]

    def _check(self, ct: Any, aval: Any, index: int) -> Any:
        wanted = aval.to_tangent_aval()
        if type(ct) is Zero:
            return ct
        given: Any = get_aval(ct)
        if wanted.dtype == dtypes.float0 and given.strong is aval.strong:
            return Zero(wanted)  # the cotangent of an integer is known, whatever is given for it
        if given.shape != wanted.shape or given.dtype != wanted.dtype:
            raise TangentError(function=self.name, kind="cotangent type", name=result_name(self.name, self.out_tree, index),
                               transform="pull-back", expected=wanted.str_short(), got=given.str_short())
        return Zero(wanted) if wanted.dtype == dtypes.float0 else ct


tree.register_pytree_node(VJP, lambda v: (tuple(v.consts), v.shape), lambda shape, consts: VJP(list(consts), shape))


def vjp(fun: Callable[..., Any], *primals: Any, has_aux: bool = False, reduce_axes: Sequence[Any] = ()) -> Any:
    """Value of `fun` and its pull-back: reverse mode.

    Returns:
        `(value, pull_back)`, with `has_aux` `(value, pull_back, aux)`; `pull_back(ct)` returns a tuple of cotangents,
        one for each argument. The pull-back is a pytree and can be called often.

    Raises:
        AuxiliaryResultError: with `has_aux`, `fun` does not return a pair.
        TangentError: by the pull-back, for a cotangent whose structure, shape or dtype is not the result's.
    """
    refuse_reduce_axes("vjp", reduce_axes)
    taken = _take_apart("vjp", fun, primals, has_aux)
    pull_back = VJP(taken.residuals, taken.shape)
    return (taken.result, pull_back, taken.aux) if has_aux else (taken.result, pull_back)


def result_name(function: str, out_tree: Any, index: int) -> str:
    """What a report calls a leaf of a function's result: `f(...)['loss']`."""
    path, _ = tree.flatten_with_path(out_tree.unflatten(list(range(out_tree.num_leaves))))[0][index]
    return f"{function}(...){tree.keystr(path)}"


def refuse_reduce_axes(transform: str, reduce_axes: Sequence[Any]) -> None:
    """Raise for an option that JAX has retired.

    Raises:
        ReduceAxesError: it is not empty.
    """
    if reduce_axes:
        raise ReduceAxesError(transform=transform, value=repr(reduce_axes))


__all__ = [
    "argument_numbers", "check_distinct", "grad", "jvp", "linearize", "local", "refuse_reduce_axes", "result_name",
    "value_and_grad", "vjp",
]
