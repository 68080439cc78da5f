"""Running what does not depend on unknown inputs: `flax.core.partial_eval`."""
from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import perspicax as jax
from perspicax import tree_util
from perspicax.extend.core import Literal
from perspicax.flax.scope_errors import LazyInitError
from perspicax.flax.traceback_util import api_boundary

__all__ = ["UNKNOWN", "known_results", "lazy_init", "partial_eval_by_shape"]


def partial_eval_by_shape(fn: Callable[..., Any], input_spec: Sequence[Any], *args: Any, **kwargs: Any) -> Any:
    """Run a function of which some inputs are known by their shape alone.

    Args:
        fn: the function; its first arguments are those of `input_spec`.
        input_spec: for each of them a pair (shape, dtype), a shape, or anything with a shape and a dtype.
        *args: further arguments, which are known.
        **kwargs: further arguments by keyword, which are known.

    Returns:
        What `fn` returns; a `jax.ShapeDtypeStruct` stands for each array that depends on an unknown input.
    """
    unknown = [_structure_of(spec) for spec in input_spec]
    return _evaluated(lambda *inputs: fn(*inputs, **kwargs), (*unknown, *args))


def _structure_of(spec: Any) -> jax.ShapeDtypeStruct:
    if hasattr(spec, "shape") and hasattr(spec, "dtype"):
        return jax.ShapeDtypeStruct(spec.shape, spec.dtype)
    match tuple(spec):
        case ((tuple() | list()) as shape, dtype):
            return jax.ShapeDtypeStruct(tuple(shape), dtype)
        case shape:
            return jax.ShapeDtypeStruct(shape, "float32")


def lazy_init(fn: Callable[..., Any]) -> Callable[..., Any]:
    """A function that computes only what its result needs, and takes shapes for inputs that it does not need.

    Args:
        fn: a function of pytrees.

    Returns:
        A function of the same arguments, each of which may hold `jax.ShapeDtypeStruct` in place of arrays.

    Raises:
        LazyInitError: a part of the result depends on a value that is not known.
    """
    @api_boundary
    def lazily(*args: Any, **kwargs: Any) -> Any:
        result = _evaluated(lambda *inputs: fn(*inputs, **kwargs), args)
        for path, leaf in tree_util.tree_leaves_with_path(result):
            if isinstance(leaf, jax.ShapeDtypeStruct):
                raise LazyInitError(leaf, path="variables" + tree_util.keystr(path))
        return result

    return lazily


def _evaluated(fn: Callable[..., Any], args: tuple[Any, ...]) -> Any:
    """The result, with a `ShapeDtypeStruct` for what depends on one.

    The function is traced once. Then only those equations run whose results are needed and whose inputs are known, and
    those with effects.
    """
    leaves, structure = tree_util.tree_flatten(args)
    traced = [i for i, leaf in enumerate(leaves) if hasattr(leaf, "shape") and hasattr(leaf, "dtype")]

    def flat(*arrays: Any) -> Any:
        filled = list(leaves)
        for i, array in zip(traced, arrays, strict=True):
            filled[i] = array
        return fn(*tree_util.tree_unflatten(structure, filled))

    inputs = [leaves[i] for i in traced]
    closed, shapes = jax.make_jaxpr(flat, return_shape=True)(
        *[jax.ShapeDtypeStruct(leaf.shape, leaf.dtype) for leaf in inputs])
    known = [UNKNOWN if isinstance(leaf, jax.ShapeDtypeStruct) else leaf for leaf in inputs]
    results = known_results(closed, known, [True] * len(closed.jaxpr.outvars))
    stand_ins, result_structure = tree_util.tree_flatten(shapes)
    filled = [stand_in if result is UNKNOWN else result for stand_in, result in zip(stand_ins, results, strict=True)]
    return tree_util.tree_unflatten(result_structure, filled)


class _Unknown:
    """Stands for a value that is not known, or not needed."""


UNKNOWN = _Unknown()


def known_results(closed: Any, args: Sequence[Any], wanted: Sequence[bool]) -> list[Any]:
    """The results of a closed jaxpr that are wanted and do not depend on an argument that is `UNKNOWN`; else `UNKNOWN`."""
    return _run(closed.jaxpr, closed.consts, args, wanted)


def _run(jaxpr: Any, consts: Sequence[Any], args: Sequence[Any], wanted: Sequence[bool]) -> list[Any]:
    """The results of a jaxpr that are wanted and can be known."""
    values: dict[Any, Any] = dict(zip(jaxpr.constvars, consts, strict=True))
    values.update(zip(jaxpr.invars, args, strict=True))

    def read(atom: Any) -> Any:
        return atom.val if isinstance(atom, Literal) else values.get(atom, UNKNOWN)

    needed = _needed(jaxpr, wanted)
    for eqn in jaxpr.eqns:
        asked = [var in needed for var in eqn.outvars]
        if not any(asked) and not eqn.effects:
            continue
        operands = [read(atom) for atom in eqn.invars]
        inner = eqn.params.get("jaxpr")
        if not any(operand is UNKNOWN for operand in operands):
            results = eqn.primitive.bind(*operands, **eqn.params)
            results = results if eqn.primitive.multiple_results else [results]
        elif eqn.primitive.name in ("jit", "pjit") and inner is not None:
            results = _run(inner.jaxpr, inner.consts, operands, asked)
        else:
            continue  # its results stay unknown
        values.update(zip(eqn.outvars, results, strict=True))
    return [read(atom) if want else UNKNOWN for atom, want in zip(jaxpr.outvars, wanted, strict=True)]


def _needed(jaxpr: Any, wanted: Sequence[bool]) -> set[Any]:
    """The variables on which the wanted results depend."""
    needed = {atom for atom, want in zip(jaxpr.outvars, wanted, strict=True) if want and not isinstance(atom, Literal)}
    for eqn in reversed(jaxpr.eqns):
        if eqn.effects or any(var in needed for var in eqn.outvars):
            needed.update(atom for atom in eqn.invars if not isinstance(atom, Literal))
    return needed
