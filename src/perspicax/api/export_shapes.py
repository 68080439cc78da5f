"""Symbolic shapes as users write them: `symbolic_shape("b, 3")`, and arguments of such shapes."""
from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import perspicax.lax.symbolic_sizes  # noqa: F401  (a size in arithmetic with arrays becomes a traced integer)
from perspicax.api.wrapping import public
from perspicax.core.symbolic import Size
from perspicax.core.symbolic_errors import SymbolicShapeError
from perspicax.core.symbolic_parse import parse_shape
from perspicax.core.symbolic_scope import SymbolicScope
from perspicax.core.tree_prefix import broadcast_prefix
from perspicax.diagnose.report import Fix
from perspicax.transform import trees as tree
from perspicax.transform.ahead import ShapeDtypeStruct
from perspicax.transform.stage import check_arguments

__all__ = ["symbolic_args_specs", "symbolic_shape"]


def _scope(constraints: Sequence[str], scope: SymbolicScope | None) -> SymbolicScope:
    if scope is None:
        return SymbolicScope(constraints)
    if constraints:
        raise SymbolicShapeError(says="A symbolic shape was given both a scope and constraints.",
                                 why="the constraints belong to the scope, and are stated when it is made",
                                 fixes=(Fix(code=f"SymbolicScope({list(constraints)!r})"),))
    return scope


@public
def symbolic_shape(shape_spec: str | None, *, constraints: Sequence[str] = (), scope: SymbolicScope | None = None,
                   like: Sequence[int | None] | None = None) -> tuple[Size, ...]:
    """A shape with symbolic sizes.

    Args:
        shape_spec: sizes with commas between them: integers, variables, `a + b`, `2*a`, `a^2`, `floordiv(a, 2)`, `mod(a, 2)`,
            `max(a, b)`, `min(a, b)`; `_` for the size that `like` has there, `...` for the rest of it. `None` is `...`.
        constraints: what is known of the variables besides that they are at least 1: `["b >= 4", "mod(b, 2) == 0"]`.
        scope: of the variables; a new one with these constraints by default. Sizes that meet in one computation are of one
            scope.
        like: a shape that fills the placeholders.

    Returns:
        A tuple of integers and symbolic sizes.

    Raises:
        SymbolicShapeError: the text cannot be read, or does not fit to `like`.

    >>> symbolic_shape("b, 2*b, 3")
    (b, 2*b, 3)
    """
    if shape_spec is not None and not isinstance(shape_spec, str):
        raise SymbolicShapeError(says=f"`symbolic_shape` was given a {type(shape_spec).__name__}.", why="it takes text",
                                 code='symbolic_shape("b, 3")')
    return parse_shape("..." if shape_spec is None else shape_spec, _scope(constraints, scope), like)


@public
def symbolic_args_specs(args: Any, shapes_specs: Any, constraints: Sequence[str] = (),
                        scope: SymbolicScope | None = None) -> Any:
    """Types of arguments, some of whose sizes are symbolic, for `export`.

    Args:
        args: a pytree of arrays, or of anything with a shape and a dtype.
        shapes_specs: a text as `symbolic_shape` takes it, for all of them or in a pytree that is a prefix of `args`. `None`
            keeps a shape as it is.
        constraints, scope: as for `symbolic_shape`.

    Returns:
        A pytree like `args`, of `ShapeDtypeStruct`s; all variables are of one scope.

    Raises:
        SymbolicShapeError: a text cannot be read or does not fit, or the pytrees do not.

    >>> symbolic_args_specs((jnp.ones((2, 3)),), "b, ...")
    (ShapeDtypeStruct(shape=(b, 3), dtype=float32),)
    """
    leaves, in_tree = tree.flatten(args)
    one = _scope(constraints, scope)
    if shapes_specs is None or isinstance(shapes_specs, str):
        specs: Sequence[Any] = [shapes_specs] * len(leaves)
    else:
        specs = _spread(shapes_specs, args)
    avals = check_arguments(leaves, in_tree, None, "export")
    found = [ShapeDtypeStruct(parse_shape("..." if text is None else text, one, aval.shape), aval.dtype)
             for text, aval in zip(specs, avals)]
    return in_tree.unflatten(found)


def _spread(specs: Any, args: Any) -> list[Any]:
    """The text for each leaf of the arguments."""
    try:
        found = broadcast_prefix(specs, args, is_leaf=lambda x: x is None)
    except ValueError as error:
        raise SymbolicShapeError(says="The symbolic shapes are no prefix of the arguments.",
                                 why=str((getattr(error, "report", None) and error.report.says) or error)) from None  # type: ignore
    for text in found:
        if text is not None and not isinstance(text, str):
            raise SymbolicShapeError(says=f"A {type(text).__name__} stands among the symbolic shapes.",
                                     why="each is a text, or `None`")
    return found
