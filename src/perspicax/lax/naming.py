"""`name`: says what a value is called, for the policies of `jax.checkpoint`."""
from __future__ import annotations

from typing import Any

from perspicax.core.primitive import Primitive
from perspicax.core.trace import Linear
from perspicax.lax.operand import operand
from perspicax.transform import trees as tree
from perspicax.transform.batch import BatchAxis
from perspicax.xla.dispatch import as_array


def _jvp(primals: tuple, tangents: tuple, *, name: str) -> tuple[Any, Any]:
    return name_p(*primals, name=name), tangents[0]  # the name is that of the value, not of its derivative


def _transpose(ct: Any, x: Any, *, name: str) -> list[Any]:
    return [ct if type(x) is Linear else None]


def _batch(axis: BatchAxis, args: tuple, axes: tuple, *, name: str) -> tuple[Any, int]:
    return name_p(*args, name=name), axes[0]


name_p = Primitive(
    "name", params=("name",), type_rule=lambda x, *, name: x, jvp=_jvp, transpose=_transpose, batch=_batch,
    emit=lambda b, x, *, name: x, physical=lambda params, in_avals, out_avals: params,
    evaluate=lambda x, *, name: as_array(x), source="a name; the value itself")


def checkpoint_name(x: Any, name: str) -> Any:
    """`x`, under a name by which policies of `jax.checkpoint` know it.

    Args:
        x: array, or pytree of arrays.
        name: the name; several values may have the same one.

    Returns:
        The same values. Outside of a checkpointed function the name has no effect.

    Raises:
        NotAnArrayError: a leaf of `x` is no array.

    >>> policy = jax.checkpoint_policies.save_only_these_names("activation")
    >>> layer = jax.checkpoint(lambda x: checkpoint_name(jnp.sin(x), "activation") ** 2, policy=policy)
    """
    return tree.tree_map(lambda leaf: name_p(operand(leaf), name=name), x)


__all__ = ["checkpoint_name", "name_p"]
