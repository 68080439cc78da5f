"""The shapes that an initialiser makes, without running it."""
from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Any

import perspicax as jax
from perspicax import tree_util

__all__ = ["shapes_of_init"]

Shapes = tuple[tuple[int, ...], ...]


def shapes_of_init(init_fn: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> Shapes:
    """The shapes of the arrays that `init_fn(key, *args, **kwargs)` would make.

    A function of the user's is traced each time, since it may depend on anything; one of Perspicax's own initialisers on
    nothing but its arguments, so its answers are remembered: `apply` asks for every parameter of a model.
    """
    if str(getattr(init_fn, "__module__", "")).startswith("perspicax."):
        try:
            return _known(init_fn, args, tuple(kwargs.items()))
        except TypeError:  # an argument without a hash
            return _traced(init_fn, args, kwargs)
    return _traced(init_fn, args, kwargs)


@lru_cache(maxsize=4096)
def _known(init_fn: Callable[..., Any], args: tuple[Any, ...], kwargs: tuple[tuple[str, Any], ...]) -> Shapes:
    return _traced(init_fn, args, dict(kwargs))


def _traced(init_fn: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> Shapes:
    made = jax.eval_shape(lambda: init_fn(jax.random.key(0), *args, **kwargs))
    return tuple([jax.numpy.shape(leaf) for leaf in tree_util.tree_leaves(made)])
