"""`with_layout_constraint`: how a value lies in memory, said in the middle of a program."""
from __future__ import annotations

from typing import Any

from perspicax.core.config import local
from perspicax.core.tracer import Tracer, get_aval
from perspicax.core.tree import tree_flatten_with_path
from perspicax.core.tree_errors import PrefixMismatchError
from perspicax.core.tree_paths import keystr
from perspicax.core.tree_prefix import broadcast_prefix
from perspicax.diagnose.boundary import public
from perspicax.lax.operand import operand
from perspicax.xla.array import ArrayImpl
from perspicax.xla.errors import LayoutError
from perspicax.xla.layouts import Layout, check_order

__all__ = ["with_layout_constraint"]


@public
def with_layout_constraint(x: Any, layouts: Any) -> Any:
    """`x`, whose axes lie in memory in a certain order.

    Args:
        x: a pytree of arrays.
        layouts: a `Layout` or a pytree prefix of `x` of these. Under `vmap`, of the arrays without the mapped axis.

    Returns:
        `x`: arrays lie so already.

    Raises:
        LayoutError: another order than that of rows is asked for, or one of another number of axes; or something else is given
            for a layout, or they are no pytree prefix; or `x` has PRNG keys or, outside of transformations, leaves that are no
            arrays.
        NotAnArrayError: a leaf of `x` is neither an array nor a number.

    Differs: another order is refused, since nothing lies so here; JAX makes arrays that do.
    """
    with_paths, structure = tree_flatten_with_path(x)
    names = [f"x{keystr(path)}" for path, _ in with_paths]
    values = [operand(leaf) for _, leaf in with_paths]
    try:
        places = broadcast_prefix(layouts, x, is_leaf=lambda leaf: leaf is None)
    except PrefixMismatchError as error:
        from perspicax.core.tree_mismatch import sentence  # only a report needs it

        raise LayoutError(kind="tree", function="with_layout_constraint", name="layouts",
                          got=sentence(error.mismatches[0], "x", "layouts")) from None
    for value, layout, name in zip(values, places, names):
        aval: Any = get_aval(value)
        if not isinstance(layout, Layout):
            raise LayoutError(kind="layouts", function="with_layout_constraint", name="layouts", got=repr(layout)[:60])
        check_order(layout, "with_layout_constraint", name, aval.ndim)
        if aval.extended:
            raise LayoutError(kind="keys", function="with_layout_constraint", name=name, got=aval.str_short())
        if local.trace.base and not isinstance(value, (ArrayImpl, Tracer)):
            raise LayoutError(kind="value", function="with_layout_constraint", name=name, got=f"a `{type(value).__name__}`")
    return structure.unflatten(values)
