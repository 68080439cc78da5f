"""Small helpers of training loops: `flax.training.common_utils`."""
from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from perspicax import Array, device_get, lax, local_device_count, random, tree
from perspicax import numpy as jnp
from perspicax.core import Tracer
from perspicax.diagnose import public

__all__ = ["get_metrics", "onehot", "shard", "shard_prng_key", "stack_forest"]


@public
def shard(xs: Any) -> Any:
    """Split the leading axis of all arrays for the devices of this process: `[n, ...]` becomes `[devices, n / devices, ...]`.

    Raises:
        ReshapeError: `n` is no multiple of the number of devices.
    """
    count = local_device_count()
    return tree.map(lambda x: x.reshape((count, -1, *x.shape[1:])), xs)


@public
def shard_prng_key(prng_key: Array) -> Array:
    """One key for each device of this process, split from a key."""
    return random.split(prng_key, local_device_count())


@public
def onehot(labels: Any, num_classes: int, on_value: float = 1.0, off_value: float = 0.0) -> Array:
    """Labels as vectors with one entry of another value.

    Args:
        labels: integers of any shape `[...]`; one outside of `0 .. num_classes - 1` gives no such entry.
        num_classes: the length of the vectors.
        on_value: the entry at the label.
        off_value: all others.

    Returns:
        float32[..., num_classes].
    """
    hit = jnp.asarray(labels)[..., None] == jnp.arange(num_classes)
    found = lax.select(hit, jnp.full(hit.shape, on_value), jnp.full(hit.shape, off_value))
    return found.astype(jnp.float32)


@public
def stack_forest(forest: Sequence[Any]) -> Any:
    """One tree of a sequence of trees, whose leaves are stacked along a new leading axis.

    Args:
        forest: trees of one structure, with arrays or numbers of the same shapes `[...]`; under `jit`, too.

    Returns:
        The tree, with arrays (`jax.Array`) `[len(forest), ...]`.

    >>> stack_forest([{"loss": 1.0}, {"loss": 0.5}])["loss"].tolist()
    [1.0, 0.5]
    """
    return tree.map(lambda *leaves: jnp.stack(leaves), *forest)


@public
def get_metrics(device_metrics: Sequence[Any]) -> Any:
    """Metrics of many steps, each of them replicated over devices, as arrays over steps.

    Args:
        device_metrics: a sequence of trees, whose leaves have a leading axis of devices, of which the first entry is
            taken; under `jit`, too.

    Returns:
        One tree, with arrays (`jax.Array`) `[len(device_metrics), ...]`.
    """
    def first(x: Any) -> Any:
        # The copies are fetched, so that the result is on the default device, and not on all that the metrics were on.
        return x[0] if isinstance(x, Tracer) else device_get(x[0])

    return stack_forest(tree.map(first, device_metrics))
