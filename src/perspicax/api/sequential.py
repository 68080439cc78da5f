"""`sequential_vmap`: vectorisation as a loop."""
from __future__ import annotations

from collections.abc import Callable
from typing import Any

from perspicax.core import tree
from perspicax.lax.loops import scan
from perspicax.transform.custom_vmap import custom_vmap

__all__ = ["sequential_vmap"]


def sequential_vmap(f: Callable[..., Any]) -> custom_vmap:
    """`f`, which `vmap` applies to one entry of the batch after the other.

    For functions that have no batched form, or whose batched form takes too much memory.

    Args:
        f: a function of pytrees of arrays.

    Returns:
        A `custom_vmap` function of the same arguments. It cannot be differentiated in reverse mode.

    >>> vmap(sequential_vmap(lambda x, y: x + y), in_axes=(0, None))(jnp.arange(3.0), 1.0)
    Array([1., 2., 3.], dtype=float32)
    """
    sequential = custom_vmap(f)

    @sequential.def_vmap
    def one_by_one(axis_size: int, in_batched: list[Any], *args: Any) -> tuple[Any, Any]:
        leaves, structure = tree.tree_flatten(args)
        flags = tree.tree_leaves(in_batched)
        moving = [x for x, b in zip(leaves, flags) if b]

        def step(_: None, entries: list[Any]) -> tuple[None, Any]:
            given = iter(entries)
            return None, sequential(*structure.unflatten([next(given) if b else x for x, b in zip(leaves, flags)]))

        _, result = scan(step, None, moving, length=axis_size)
        return result, tree.tree_map(lambda _: True, result)

    return sequential
