"""Random keys of scopes: each is folded with the names on the way to it, when it is asked for."""
from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any

import numpy as np

from perspicax import Array, dtypes, random
from perspicax.flax import struct
from perspicax.flax.configurations import config
from perspicax.flax.scope_errors import InvalidRngTypeError
from perspicax.flax.typing import PRNGFoldable, PRNGKey

__all__ = ["LazyRng", "checked_rngs", "fold_in_static", "is_key"]


def fold_in_static(rng: PRNGKey, data: tuple[PRNGFoldable, ...]) -> PRNGKey:
    """A key with names and numbers folded in, at once.

    They are hashed together (SHA-1, of which four bytes are taken), so that a deep module costs one `fold_in`.
    """
    if not data:
        return rng
    digest = hashlib.sha1()
    for part in data:
        if config.flax_fix_rng_separator:
            digest.update(b"\0")
        digest.update(part.encode() if isinstance(part, str) else part.to_bytes((part.bit_length() + 7) // 8, "big"))
    return random.fold_in(rng, int.from_bytes(digest.digest()[:4], "big"))


class LazyRng(struct.PyTreeNode):
    """A key, and what is to be folded into it when somebody asks for it.

    Attributes:
        rng: the key.
        suffix: names of scopes and counters, in their order.
    """

    rng: PRNGKey
    suffix: tuple[PRNGFoldable, ...] = struct.field(pytree_node=False)

    def as_jax_rng(self) -> PRNGKey:
        """The key with the suffix folded in."""
        return fold_in_static(self.rng, self.suffix)

    @staticmethod
    def create(rng: LazyRng | PRNGKey, *suffix: PRNGFoldable) -> LazyRng:
        """A key, or a lazy one, with further names."""
        if isinstance(rng, LazyRng):
            return LazyRng(rng.rng, rng.suffix + suffix)
        return LazyRng(rng, suffix)

    def clear_suffix(self) -> LazyRng:
        """The same key, with nothing to be folded in."""
        return LazyRng(self.rng, ())


def is_key(value: Any) -> bool:
    """Whether a value is one random key: a typed one, or the words of one."""
    if isinstance(value, LazyRng):
        return True
    if not isinstance(value, (np.ndarray, Array)):
        return False
    if dtypes.issubdtype(value.dtype, dtypes.prng_key):
        return value.shape == ()
    return value.dtype == np.uint32 and value.shape in ((2,), (4,))


def checked_rngs(rngs: Any) -> dict[str, Any]:
    """What was given as `rngs`, as a dict of keys.

    Raises:
        InvalidRngTypeError: it is neither a key nor a dict of keys.
    """
    if is_key(rngs):
        return {"params": rngs}
    if not isinstance(rngs, Mapping):
        raise InvalidRngTypeError("", kind="not_dict", value=_described(rngs))
    for name, value in rngs.items():
        if not isinstance(name, str):
            raise InvalidRngTypeError("", kind="not_name", name=repr(name))
        if not is_key(value):
            raise InvalidRngTypeError("", kind="not_key", name=name, value=_described(value))
    return dict(rngs)


def _described(value: Any) -> str:
    if hasattr(value, "shape") and hasattr(value, "dtype"):
        return f"an array {value.dtype}[{', '.join(map(str, value.shape))}]"
    text = repr(value)
    return text if len(text) < 40 else f"a {type(value).__name__}"
