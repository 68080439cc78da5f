"""Several leading axes as one batch axis."""
from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import perspicax.numpy as jnp
from perspicax import tree_util
from perspicax.flax.linen.layer_errors import LayerInputError

__all__ = ["BatchApply"]


class BatchApply:
    """A function, or a module, that sees the leading axes of its arguments as one.

    Args:
        f: the function. It keeps the batch axis first in what it returns.
        num_dims: how many leading axes become one.

    Arguments of fewer axes, as scalars, pass unchanged; so do results without an axis.

    >>> sums = BatchApply(lambda x: x.sum(axis=-1))
    >>> sums(jnp.ones((2, 3, 4))).shape
    (2, 3)
    """

    def __init__(self, f: Callable[..., Any], num_dims: int = 2) -> None:
        self._f = f
        self.num_dims = num_dims

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Call the function.

        Args:
            *args: its arguments, trees of arrays.
            **kwargs: those by keyword.

        Returns:
            What it returns, with the leading axes again.

        Raises:
            LayerInputError: no argument has `num_dims` axes.
        """
        count = self.num_dims
        shapes = [jnp.shape(leaf) for leaf in tree_util.tree_leaves((args, kwargs))]
        leading = next((shape[:count] for shape in shapes if len(shape) >= count), None)
        if leading is None:
            raise LayerInputError(says=f"`BatchApply` needs an argument of at least {count} axes, and has none.",
                                  why=f"it makes the first {count} axes one, and afterwards restores them")

        def merged(x: Any) -> Any:
            shape = jnp.shape(x)
            return jnp.reshape(x, (math.prod(shape[:count]), *shape[count:])) if len(shape) >= count else x

        def split(x: Any) -> Any:
            return jnp.reshape(x, (*leading, *jnp.shape(x)[1:]))

        args, kwargs = tree_util.tree_map(merged, (args, kwargs))
        return tree_util.tree_map(split, self._f(*args, **kwargs))
