"""State dicts and bytes: `flax.serialization`."""
from __future__ import annotations

from typing import Any

from perspicax.diagnose import public
from perspicax.flax.pack import pack
from perspicax.flax.state_dicts import (
    current_path,
    from_state_dict,
    is_serializable,
    register_serialization_state,
    to_state_dict,
)
from perspicax.flax.unpack import unpack

__all__ = ["MAX_CHUNK_SIZE", "current_path", "from_bytes", "from_state_dict", "is_serializable", "msgpack_restore",
           "msgpack_serialize", "register_serialization_state", "to_bytes", "to_state_dict"]

MAX_CHUNK_SIZE = 2**30
"""An array of more bytes than this is written in parts, since MessagePack has 32 bits for a length."""


@public
def msgpack_serialize(pytree: Any, in_place: bool = False) -> bytes:
    """A tree of plain dicts and lists as bytes, the same as Flax's.

    Args:
        pytree: dicts, lists, arrays (also of NumPy, and its scalars), keys of `jax.random`, numbers, text, bytes and `None`.
        in_place: with `False` the keys of each dict are written in sorted order, with `True` in the dict's own. (In Flax
            the tree is changed in the second case; here it never is.)

    Returns:
        MessagePack. Arrays of more than `MAX_CHUNK_SIZE` bytes are in parts, if they stand in a dict.

    Raises:
        NotSerializableError: there is something else in the tree.

    Differs: keys of `jax.random` can be written; big-endian arrays are written with the bytes in the order that they are
    read in.
    """
    return b"".join(pack(pytree, MAX_CHUNK_SIZE, in_order=not in_place))


@public
def msgpack_restore(encoded_pytree: bytes) -> Any:
    """The tree of plain dicts and lists that `msgpack_serialize` made bytes of; arrays are NumPy's.

    Raises:
        DamagedBytesError: the bytes are cut off, changed, or no such tree.
        TypeError: they are no bytes.
    """
    return unpack(encoded_pytree)


@public
def to_bytes(target: Any) -> bytes:
    """A tree of any registered types as bytes: its state dict, as MessagePack.

    Raises:
        NotSerializableError: there is something that has no form in MessagePack.
        StateDictError: a state dict cannot be made.

    >>> from_bytes({"step": 0}, to_bytes({"step": 3}))
    {'step': 3}
    """
    return b"".join(pack(to_state_dict(target), MAX_CHUNK_SIZE))


@public
def from_bytes(target: Any, encoded_bytes: bytes) -> Any:
    """A tree like `target`, with the values that `to_bytes` wrote.

    Args:
        target: says the structure; its values are not used. `None` for the state dict itself.
        encoded_bytes: what `to_bytes` returned for a tree of this structure.

    Raises:
        DamagedBytesError: the bytes are cut off, changed, or no such tree.
        StateMismatchError: the tree has other names, or another number of entries.
    """
    return from_state_dict(target, unpack(encoded_bytes))
