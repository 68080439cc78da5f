"""`lax.scan` over axes of choice, with values that are the same in each step: `flax.core.axes_scan`."""
from __future__ import annotations

from collections.abc import Callable
from typing import Any

import perspicax as jax
from perspicax import lax, tree_util
from perspicax.diagnose import Fix
from perspicax.flax.core.partial_eval import UNKNOWN, known_results
from perspicax.flax.error_base import shape_of
from perspicax.flax.tree_errors import LiftError

__all__ = ["broadcast", "scan"]


class _Broadcast:
    """As an axis: the value is the same in each step."""

    def __repr__(self) -> str:
        return "broadcast"


broadcast = _Broadcast()


def _axes_of(axes: Any, tree: Any, what: str) -> list[Any]:
    """The axis of each leaf, of axes that are given for the tree or for parts of it."""
    try:
        spread = tree_util.tree_broadcast(axes, tree)
    except (ValueError, TypeError) as error:
        raise LiftError(says=f"`{what}` of `scan` do not have the structure of what they are for.", why=str(error)) from None
    found = tree_util.tree_leaves(spread)
    for axis in found:
        if axis is not broadcast and not isinstance(axis, int):
            raise LiftError(says=f"`{what}` of `scan` has the entry {axis!r}.",
                            why="an axis is an integer, or `broadcast` for what is the same in each step")
    return found


def scan(fn: Callable[..., Any], in_axes: Any, out_axes: Any, length: int | None = None, reverse: bool = False,
         unroll: int = 1, _split_transpose: bool = False, check_constancy_invariants: bool = True) -> Callable[..., Any]:
    """A loop over axes of choice.

    Args:
        fn: takes (constants, carry, *slices), returns (constants, carry, results).
        in_axes: for each of the arguments, or parts of them, the axis to loop over; `broadcast` gives the whole in each
            step.
        out_axes: for the results, or parts of them, the axis along which they are stacked; `broadcast` for results that
            are the same in each step, which are returned once.
        length: the number of steps; needed where nothing is looped over.
        reverse: whether to begin at the end.
        unroll: how many steps to unroll.
        _split_transpose: as for `lax.scan`.
        check_constancy_invariants: whether `fn` is traced a second time for the loop, after the trace that finds the values
            that do not change. Random keys that `fn` draws outside of `jax.random` are then those of the second trace.

    Returns:
        A function of (constants, carry, *args) that returns (constants, carry, results).

    Raises:
        LiftError: there is no length; or constants, or results whose axis is `broadcast`, depend on the carry or on what
            is looped over.
    """
    def scanned(constants: Any, carry: Any, *args: Any) -> Any:
        leaves, structure = tree_util.tree_flatten(args)
        axes = _axes_of(in_axes, args, "in_axes")
        moved = [leaf if axis is broadcast else jax.numpy.moveaxis(leaf, axis, 0)
                 for leaf, axis in zip(leaves, axes, strict=True)]
        looped = [leaf for leaf, axis in zip(moved, axes, strict=True) if axis is not broadcast]
        if not looped and length is None:
            raise LiftError(says="`scan` was given nothing to loop over, and no `length`.",
                            why="the number of steps is the size of the axes that are looped over, or `length`",
                            fixes=(Fix("say how many steps there are", code="scan(..., length=10)"),))

        def step(constants: Any, carry: Any, slices: list[Any]) -> tuple[Any, Any, Any]:
            waiting = iter(slices)
            filled = [leaf if axis is broadcast else next(waiting) for leaf, axis in zip(moved, axes, strict=True)]
            return fn(constants, carry, *tree_util.tree_unflatten(structure, filled))

        slices = [jax.ShapeDtypeStruct(leaf.shape[1:], leaf.dtype) for leaf in looped]
        fixed = _Fixed(lambda carry, slices: step(constants, carry, slices), carry, slices, out_axes)

        def body(carry: Any, slices: list[Any]) -> tuple[Any, Any]:
            if not check_constancy_invariants:
                return fixed.again(carry, slices)
            # The constants that were found: the loop must not make parameters another time, of other keys.
            _, carry, results = step(fixed.constants, carry, slices)
            return carry, fixed.varying(results)

        carry, stacked = lax.scan(body, carry, looped, length, reverse, unroll, _split_transpose=_split_transpose)
        return fixed.constants, carry, fixed.joined(stacked)

    return scanned


class _Fixed:
    """One trace of a step, and of its results those that do not depend on the carry or on the slices."""

    def __init__(self, step: Callable[..., Any], carry: Any, slices: list[Any], out_axes: Any) -> None:
        # The leaves that the step is traced with: the carry by its types, so that nothing of it can be used as a value.
        carry_leaves, self._carry_structure = tree_util.tree_flatten(jax.eval_shape(lambda: carry))
        inputs = [*carry_leaves, *slices]
        count = len(carry_leaves)

        def flat(*leaves: Any) -> Any:
            return step(tree_util.tree_unflatten(self._carry_structure, leaves[:count]), list(leaves[count:]))

        self._closed, shapes = jax.make_jaxpr(flat, return_shape=True)(*inputs)
        constants, carry_shapes, results = shapes
        constant_leaves, constant_structure = tree_util.tree_flatten(constants)
        self._carry_out, carry_out_structure = tree_util.tree_flatten(carry_shapes)
        self._carry_out_structure = carry_out_structure
        result_leaves, self._structure = tree_util.tree_flatten(results)
        self._axes = _axes_of(out_axes, results, "out_axes")
        first = len(constant_leaves) + len(self._carry_out)
        wanted = ([True] * len(constant_leaves) + [False] * len(self._carry_out)
                  + [axis is broadcast for axis in self._axes])
        values = known_results(self._closed, [UNKNOWN] * len(inputs), wanted)
        paths = [f"the variable {tree_util.keystr(path)}" for path, _ in tree_util.tree_leaves_with_path(constants)]
        for value, shape, path in zip(values, constant_leaves, paths, strict=False):
            if value is UNKNOWN:
                raise _varies(path, shape)
        for value, shape, axis in zip(values[first:], result_leaves, self._axes, strict=True):
            if axis is broadcast and value is UNKNOWN:
                raise _varies("a result", shape)
        self.constants = tree_util.tree_unflatten(constant_structure, values[:len(constant_leaves)])
        self._results = values[first:]
        self._first, self._constant_count = first, len(constant_leaves)

    def again(self, carry: Any, slices: list[Any]) -> tuple[Any, Any]:
        """The step from its trace, without running the function another time."""
        values = self._closed(*tree_util.tree_leaves(carry), *slices)
        carry_leaves = values[self._constant_count:self._first]
        results = tree_util.tree_unflatten(self._structure, values[self._first:])
        return tree_util.tree_unflatten(self._carry_out_structure, carry_leaves), self.varying(results)

    def varying(self, results: Any) -> list[Any]:
        """Of the results of a step, the leaves that are stacked."""
        return [leaf for leaf, axis in zip(tree_util.tree_leaves(results), self._axes, strict=True) if axis is not broadcast]

    def joined(self, stacked: list[Any]) -> Any:
        """The results of the loop."""
        waiting = iter(stacked)
        leaves = [value if axis is broadcast else jax.numpy.moveaxis(next(waiting), 0, axis)
                  for value, axis in zip(self._results, self._axes, strict=True)]
        return tree_util.tree_unflatten(self._structure, leaves)


def _varies(what: str, shape: Any) -> LiftError:
    return LiftError(
        says=f"{what[0].upper()}{what[1:]} ({shape.dtype}{shape_of(shape.shape)}) is to be the same in each step of `scan`, "
             "but depends on the carry or on what is looped over.",
        why="what `variable_broadcast` or `out_axes=broadcast` names is computed once, outside of the loop",
        notes=("a variable that changes from step to step belongs to `variable_carry`, one that differs for each step to "
               "`variable_axes`.",))
