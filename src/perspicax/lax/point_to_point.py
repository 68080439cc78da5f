"""`psend` and `precv`: the two halves of `ppermute`, which GPUs can do one without waiting for the other."""
from __future__ import annotations

from typing import Any

import numpy as np

from perspicax.core.avals import AbstractValue, ShapedArray, abstract_token
from perspicax.core.effects import Effect
from perspicax.core.primitive import NotLinear, Primitive
from perspicax.core.trace import Zero
from perspicax.core.tracer import get_aval
from perspicax.lax.collective_errors import CollectiveError, CollectiveNotThereYet, CollectivePlatformError
from perspicax.lax.collective_moves import permutation
from perspicax.lax.errors import TokenNeededError
from perspicax.lax.mesh_collectives import channel, groups_of, matrix, mesh_of
from perspicax.lax.named_axes import collective, listed, size_of
from perspicax.lax.operand import operand
from perspicax.transform import trees as tree
from perspicax.transform.mesh_scope import manual_axes

PLATFORMS = ("cuda", "rocm", "gpu")


class OneSidedEffect(Effect):
    """Something is sent that nobody here looks at, or received that is sent elsewhere: it must not be dropped."""


one_sided = frozenset((OneSidedEffect(),))
_NOT_LINEAR = NotLinear("what is sent goes through a token, which has no derivative: `ppermute` has one")


def _pairs_text(b: Any, function: str, names: tuple, perm: tuple) -> str:
    if b.module.platform not in PLATFORMS:
        raise CollectivePlatformError(function=function, platform=b.module.platform, axes=names, perm=perm, position=b.place)
    rows = groups_of(mesh_of(b, function, names), names)
    pairs = np.asarray([(row[start], row[end]) for row in rows for start, end in perm], int).reshape(-1, 2)
    text = matrix(pairs) if len(pairs) else "dense<> : tensor<0x2xi64>"
    return f"{channel}, is_host_transfer = false, source_target_pairs = {text}"


def _not_mapped(function: str) -> Any:
    def batch(axis: Any, args: tuple, axes: tuple, **params: Any) -> Any:
        raise CollectiveNotThereYet(function=function, option="arrays with a batch axis")

    return batch


def _still(primitive: Primitive, *operands: Any, **params: Any) -> tuple[Any, Zero]:
    made = primitive(*operands, **params)
    aval: Any = get_aval(made)
    return made, Zero(aval.to_tangent_aval())


def _emit_send(b: Any, x: Any, *, axis_name: tuple, perm: tuple) -> Any:
    return b.hlo("send", [x, b.new_token()], abstract_token, _pairs_text(b, "psend", axis_name, perm))


psend_p: Primitive = collective(
    "psend", params=("axis_name", "perm"), over="axis_name", type_rule=lambda x, **_: abstract_token,
    jvp=lambda primals, tangents, **params: _still(psend_p, *primals, **params), transpose=_NOT_LINEAR,
    batch=_not_mapped("psend"), emit=_emit_send, effects=lambda **_: one_sided,
    source="StableHLO specification, `send`")


def psend(x: Any, axis_name: Any, perm: Any) -> Any:
    """Start to send a value along an axis of a mesh; `precv` receives it. On GPUs only.

    Args:
        x: array.
        axis_name: the name of an axis of the mesh of `shard_map`, or several, which then count as one, the last one fastest.
        perm: pairs `(from, to)` of indices; none is named twice as `from`, or twice as `to`.

    Returns:
        A token, for `precv`.

    Raises:
        UnboundAxisError: there is no axis of such a name.
        CollectiveError: the pairs are not of this kind, or `x` is not one array.
        CollectivePlatformError: the program is compiled for another processor than a GPU.
    """
    names, pairs = _checked("psend", axis_name, perm)
    leaves = tree.flatten(x)[0]
    if len(leaves) != 1:
        raise CollectiveError(says=f"`psend` was given a tree of {len(leaves)} arrays.", why="each array is sent by itself")
    return psend_p(operand(leaves[0]), axis_name=names, perm=pairs)


def _checked(function: str, axis_name: Any, perm: Any) -> tuple[tuple, tuple]:
    names = listed(axis_name)
    size = size_of(function, names)
    if not manual_axes().issuperset(names):
        raise CollectiveNotThereYet(function=function, option="that")
    return names, permutation(function, perm, axis_name, size)


def _received_type(token: AbstractValue, *, out_shape: ShapedArray, axis_name: tuple, perm: tuple) -> ShapedArray:
    if token is not abstract_token:
        raise TokenNeededError(operation="precv", type_text=token.str_short(), index=0)
    return out_shape


def _emit_receive(b: Any, token: Any, *, out_shape: ShapedArray, axis_name: tuple, perm: tuple) -> Any:
    return b.hlo("recv", [token], [b.out[0], abstract_token], _pairs_text(b, "precv", axis_name, perm))[0]


precv_p: Primitive = collective(
    "precv", params=("axis_name", "out_shape", "perm"), over="axis_name", type_rule=_received_type,
    jvp=lambda primals, tangents, **params: _still(precv_p, *primals, **params), transpose=_NOT_LINEAR,
    batch=_not_mapped("precv"), emit=_emit_receive, effects=lambda **_: one_sided, source="StableHLO specification, `recv`")


def precv(token: Any, out_shape: Any, axis_name: Any, perm: Any) -> Any:
    """Receive a value that `psend` sends along an axis of a mesh. On GPUs only.

    Args:
        token: of `psend`, or `create_token`: what is received comes after it.
        out_shape: an object with the `shape` and `dtype` of the result.
        axis_name: as for `psend`.
        perm: as for `psend`; where nothing arrives the result holds zeros.

    Raises:
        UnboundAxisError, CollectiveError, CollectivePlatformError: as `psend`.
        TokenNeededError: `token` is none.
    """
    names, pairs = _checked("precv", axis_name, perm)
    if not hasattr(out_shape, "shape") or not hasattr(out_shape, "dtype"):
        raise CollectiveError(says=f"`precv` was given out_shape={out_shape!r}.",
                              why="it is an object with a shape and a dtype, such as `jax.ShapeDtypeStruct`")
    aval = ShapedArray(tuple(out_shape.shape), np.dtype(out_shape.dtype))
    return precv_p(token, out_shape=aval, axis_name=names, perm=pairs)


__all__ = ["precv", "precv_p", "psend", "psend_p"]
