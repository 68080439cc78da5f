"""Tokens: values without elements, which order what happens and carry nothing else."""
from __future__ import annotations

from typing import Any

import numpy as np

from perspicax.binding import runtime
from perspicax.core.array import Array
from perspicax.core.avals import AbstractValue, abstract_token
from perspicax.core.primitive import NotLinear, Primitive
from perspicax.core.trace import Zero
from perspicax.core.tracer import get_aval
from perspicax.lax.errors import TokenNeededError
from perspicax.xla import sharding
from perspicax.xla.array import ArrayImpl
from perspicax.xla.emit import NO_BYTES, Value

__all__ = ["after_all", "after_all_p", "create_token", "create_token_p"]

_NOT_LINEAR = NotLinear("a token has no elements, and so no derivative")


def _new_token() -> ArrayImpl:
    """A token that is there already: outside of programs a buffer of no bytes stands for it."""
    placed = sharding.default_device_sharding()
    nothing = np.zeros(NO_BYTES.shape, NO_BYTES.dtype)
    made: Any = abstract_token
    return ArrayImpl(made, runtime.put(NO_BYTES, placed, [nothing], placed.devices, False), None, placed)


def _after_all_type(*avals: Any) -> AbstractValue:
    for index, aval in enumerate(avals):
        if aval is not abstract_token:
            raise TokenNeededError(operation="after_all", type_text=aval.str_short(), index=index)
    return abstract_token


def _still(primitive: Primitive, *operands: Any) -> tuple[Any, Zero]:
    return primitive(*operands), Zero(abstract_token.to_tangent_aval())


create_token_p: Primitive = Primitive(
    "create_token", type_rule=lambda: abstract_token, jvp=lambda primals, tangents: _still(create_token_p),
    transpose=_NOT_LINEAR, batch=lambda axis, args, axes: (create_token_p(), None), emit=lambda b: b.new_token(),
    evaluate=_new_token, source="StableHLO specification, `create_token`")


def create_token(_: Any = None) -> Array:
    """A token: it comes after nothing.

    Args:
        _: is not looked at.

    Returns:
        A value of type `Tok`, which `after_all` takes, and which functions (jitted ones, loops, branches) take and return.

    Differs: JAX's tokens are not instances of `jax.Array`, and its loops and branches do not take them.
    """
    return create_token_p()


def _emit_after_all(b: Any, *tokens: Value) -> Value:
    return b.hlo("after_all", tokens, abstract_token) if tokens else b.new_token()


after_all_p: Primitive = Primitive(
    "after_all", type_rule=_after_all_type, jvp=lambda primals, tangents: _still(after_all_p, *primals),
    transpose=_NOT_LINEAR, batch=lambda axis, args, axes: (after_all_p(*args), None), emit=_emit_after_all,
    source="StableHLO specification, `after_all`")


def after_all(*operands: Any) -> Array:
    """A token that comes after all of `operands`.

    Args:
        operands: tokens, any number of them.

    Raises:
        TokenNeededError: an operand is no token.
    """
    for index, x in enumerate(operands):
        if get_aval(x) is not abstract_token:
            raise TokenNeededError(operation="after_all", type_text=get_aval(x).str_short(), index=index)
    return after_all_p(*operands)
