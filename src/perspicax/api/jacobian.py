"""All derivatives of all outputs: `jacfwd`, `jacrev`, `hessian`."""
from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from perspicax.api.errors import ArgumentNumberError, JacobianError
from perspicax.api.wrapping import transformation
from perspicax.core import dtypes, tree
from perspicax.core.tracer import get_aval
from perspicax.core.tree_paths import keystr
from perspicax.lax import compare, convert, shape, slicing
from perspicax.transform.grad import argument_numbers, check_distinct, jvp, vjp
from perspicax.transform.stage import check_arguments, function_name, positional_names, wraps
from perspicax.transform.vmap import vmap

__all__ = ["hessian", "jacfwd", "jacobian", "jacrev"]


def _jacfwd(fun: Callable[..., Any], argnums: int | Sequence[int] = 0, has_aux: bool = False,
            holomorphic: bool = False) -> Callable[..., Any]:
    """The Jacobian of `fun`, column by column, in forward mode: best when there are more outputs than inputs.

    Args:
        fun: a function of pytrees of arrays.
        argnums: which positional arguments to differentiate, an int or several.
        has_aux: whether `fun` returns `(value, aux)`.
        holomorphic: whether `fun` is complex-differentiable; then its arguments are complex.

    Returns:
        A function of the same arguments. For an output of shape `[*out]` and an input of shape `[*in]` the Jacobian has
        shape `[*out, *in]`; it is a pytree like the result, each leaf of which is a pytree like the argument (or a
        tuple of them). With `has_aux`, a pair of it and the aux.

    Raises:
        JacobianError: an argument is not floating.

    >>> jacfwd(lambda x: x ** 2)(jnp.array([1., 2.]))
    Array([[2., 0.],
           [0., 4.]], dtype=float32)
    """
    def jacobian_of(*args: Any, **kwargs: Any) -> Any:
        problem = _Problem("jacfwd", fun, argnums, args, kwargs, holomorphic)
        problem.check_inputs(allow_int=False)

        def push(tangents: Any) -> Any:
            if has_aux:
                value, moved, aux = jvp(problem.of_chosen, problem.chosen, tangents, has_aux=True)
                return value, moved, aux
            return jvp(problem.of_chosen, problem.chosen, tangents)

        basis = _basis(problem.chosen)
        out_axes = (None, -1, None) if has_aux else (None, -1)
        _, columns, *aux = vmap(push, in_axes=(0,), out_axes=out_axes)(basis)
        problem.check_outputs(columns)
        found = tree.tree_map(lambda y: problem.split_inputs(y), columns)
        return (found, aux[0]) if has_aux else found

    return wraps(fun, jacobian_of)


def _jacrev(fun: Callable[..., Any], argnums: int | Sequence[int] = 0, has_aux: bool = False, holomorphic: bool = False,
            allow_int: bool = False) -> Callable[..., Any]:
    """The Jacobian of `fun`, row by row, in reverse mode: best when there are more inputs than outputs.

    Args:
        fun: a function of pytrees of arrays.
        argnums: which positional arguments to differentiate, an int or several.
        has_aux: whether `fun` returns `(value, aux)`.
        holomorphic: whether `fun` is complex-differentiable; then its arguments and results are complex.
        allow_int: differentiate integer arguments too; their derivatives are of dtype `float0`.

    Returns:
        As for `jacfwd`.

    Raises:
        JacobianError: an argument or a result is not floating.
    """
    def jacobian_of(*args: Any, **kwargs: Any) -> Any:
        problem = _Problem("jacrev", fun, argnums, args, kwargs, holomorphic)
        problem.check_inputs(allow_int=allow_int)
        value, pull, *aux = vjp(problem.of_chosen, *problem.chosen, has_aux=has_aux)
        problem.check_outputs(value)
        rows = vmap(pull)(_basis(value))
        found = _split_outputs(value, rows)
        if problem.single:
            found = tree.tree_map(lambda of_arguments: of_arguments[0], found,
                                  is_leaf=lambda node: type(node) is _OfArguments)
        else:
            found = tree.tree_map(tuple, found, is_leaf=lambda node: type(node) is _OfArguments)
        return (found, aux[0]) if has_aux else found

    return wraps(fun, jacobian_of)


def _hessian(fun: Callable[..., Any], argnums: int | Sequence[int] = 0, has_aux: bool = False,
             holomorphic: bool = False) -> Callable[..., Any]:
    """The second derivatives of `fun`: `jacfwd(jacrev(fun))`; arguments as there.

    Returns:
        A function of the same arguments. For an output of shape `[*out]` and inputs of shapes `[*a]` and `[*b]` there
        is an array of shape `[*out, *a, *b]`.

    >>> hessian(lambda x: (x ** 3).sum())(jnp.array([1., 2.]))
    Array([[ 6.,  0.],
           [ 0., 12.]], dtype=float32)
    """
    return _jacfwd(_jacrev(fun, argnums, has_aux, holomorphic), argnums, has_aux, holomorphic)


class _OfArguments(tuple):
    """The derivatives of one output with respect to each chosen argument: a leaf, until the pytree is complete."""


class _Problem:
    """One call of a Jacobian: the arguments that are differentiated, and `fun` as a function of them."""

    def __init__(self, transform: str, fun: Any, argnums: Any, args: tuple, kwargs: dict, holomorphic: bool) -> None:
        self.transform, self.fun, self.args, self.kwargs, self.holomorphic = transform, fun, args, kwargs, holomorphic
        self.single = hasattr(argnums, "__index__")
        numbers = argument_numbers(transform, fun, argnums)
        for n in numbers:
            if not -len(args) <= n < len(args):
                raise ArgumentNumberError(transform=transform, function=function_name(fun), number=n, count=len(args))
        check_distinct(transform, fun, numbers, len(args))
        self.numbers = [n % len(args) for n in numbers]
        self.chosen = tuple([args[n] for n in self.numbers])

    def of_chosen(self, *chosen: Any) -> Any:
        full = list(self.args)
        for n, value in zip(self.numbers, chosen):
            full[n] = value
        return self.fun(*full, **self.kwargs)

    def check_inputs(self, allow_int: bool) -> None:
        leaves, structure = tree.tree_flatten((self.chosen, {}))
        avals = check_arguments(leaves, structure, self.fun, self.transform)
        paths = tree.tree_flatten_with_path(self.chosen)[0]
        names = positional_names(self.fun, len(self.args))
        for aval, (path, _) in zip(avals, paths):
            name = f"{names[self.numbers[path[0].idx]]}{keystr(path[1:])}"
            if not (allow_int and not _is(aval, np.inexact)):
                self.check(aval, name, "argument")

    def check_outputs(self, value: Any) -> None:
        for path, leaf in tree.tree_flatten_with_path(value)[0]:
            self.check(get_aval(leaf), f"result{keystr(path)}", "result")

    def check(self, aval: Any, name: str, which: str) -> None:
        """Raise when the dtype of an argument or a result has no derivative of the kind that is asked for."""
        kind = ""
        if self.holomorphic:
            if not _is(aval, np.complexfloating):
                kind = "real" if which == "argument" else "real result"
        elif self.transform == "jacfwd" and which == "result":
            kind = ""  # forward mode differentiates whatever a real argument leads to
        elif _is(aval, np.complexfloating):
            kind = "complex" if which == "result" or self.transform == "jacfwd" else ""
        elif not _is(aval, np.inexact):
            kind = "integer"
        if kind:
            raise JacobianError(transform=self.transform, function=function_name(self.fun), name=name, which=which,
                                kind=kind, type_text=aval.str_short())

    def split_inputs(self, columns: Any) -> Any:
        """The derivatives of one output `[*out, N]` as a pytree like the chosen arguments, `[*out, *in]` each."""
        leaves, structure = tree.tree_flatten(self.chosen)
        out, start, found = get_aval(columns).shape[:-1], 0, []  # type: ignore[attr-defined]
        for leaf in leaves:
            aval: Any = get_aval(leaf)
            part = slicing.slice_in_dim(columns, start, start + aval.size, axis=len(out))
            found.append(shape.reshape(part, (*out, *aval.shape)))
            start += aval.size
        whole = structure.unflatten(found)
        return whole[0] if self.single else whole


def _is(aval: Any, kind: Any) -> bool:
    return not getattr(aval, "extended", False) and dtypes.issubdtype(aval.dtype, kind)


def _basis(value: Any) -> Any:
    """Unit vectors for all elements of a pytree: each leaf of shape `[*s]` becomes `[N, *s]`."""
    leaves, structure = tree.tree_flatten(value)
    avals: list[Any] = [get_aval(x) for x in leaves]
    total, start = sum([a.size for a in avals]), 0
    found: list[Any] = []
    for aval in avals:
        rows = shape.broadcasted_iota(np.int32, (total, aval.size), 0)
        columns = shape.broadcasted_iota(np.int32, (total, aval.size), 1)
        hits = compare.eq(rows, columns + np.int32(start))
        tangent = aval.to_tangent_aval()
        if tangent.dtype == dtypes.float0:
            found.append(np.zeros((total, *aval.shape), dtypes.float0))
        else:
            units = shape.reshape(convert.convert_element_type(hits, tangent.dtype), (total, *aval.shape))
            found.append(convert.convert_to(units, tangent.update(shape=(total, *aval.shape))))
        start += aval.size
    return structure.unflatten(found)


def _split_outputs(value: Any, rows: tuple) -> Any:
    """The derivatives `[M, *in]` of all outputs as a pytree like `value`, of pytrees of arrays `[*out, *in]`."""
    leaves, structure = tree.tree_flatten(value)
    start, found = 0, []
    for leaf in leaves:
        aval: Any = get_aval(leaf)

        def part(of_input: Any, start: int = start, aval: Any = aval) -> Any:
            if isinstance(of_input, np.ndarray):  # float0: no array of ours
                return of_input[start:start + aval.size].reshape(aval.shape + of_input.shape[1:])
            piece = slicing.slice_in_dim(of_input, start, start + aval.size, axis=0)
            return shape.reshape(piece, aval.shape + get_aval(of_input).shape[1:])  # type: ignore[attr-defined]

        found.append(_OfArguments(tree.tree_map(part, rows)))
        start += aval.size
    return structure.unflatten(found)


for _made, _name in ((_jacfwd, "jacfwd"), (_jacrev, "jacrev"), (_hessian, "hessian")):
    _made.__name__ = _made.__qualname__ = _name
jacfwd, jacrev, hessian = transformation(_jacfwd), transformation(_jacrev), transformation(_hessian)
jacobian = jacrev
