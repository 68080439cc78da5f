"""Helpers for several devices: `flax.jax_utils`."""
from __future__ import annotations

import functools
from collections import deque
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from itertools import islice
from typing import Any

import numpy as np

from perspicax import Array, device_get, device_put, lax, local_device_count, local_devices, tree
from perspicax import numpy as jnp
from perspicax.core import Tracer
from perspicax.diagnose import Fix, public
from perspicax.flax.core.partial_eval import partial_eval_by_shape
from perspicax.flax.error_base import article, shape_of
from perspicax.flax.tree_errors import BatchSizesError, TraversalError
from perspicax.sharding import Mesh, NamedSharding, PartitionSpec

__all__ = [
    "pad_shard_unpad", "partial_eval_by_shape", "pmean", "prefetch_to_device", "replicate", "scan_in_dim", "unreplicate",
]

_AXIS = "_device_put_sharded"


def _spread(x: Any, devices: Sequence[Any], axis_name: str) -> Array:
    """An array whose leading axis is spread over devices, one entry each."""
    return device_put(x, NamedSharding(Mesh(np.array(devices), (axis_name,)), PartitionSpec(axis_name)))


@public
def replicate(tree: Any, devices: Sequence[Any] | None = None, axis_name: str = _AXIS) -> Any:
    """A copy of each array on each device.

    Args:
        tree: the arrays, of any shapes `[...]`.
        devices: the devices; all of this process by default.
        axis_name: the name of the axis of devices, as the arrays' sharding has it.

    Returns:
        The tree with arrays `[devices, ...]`.
    """
    chosen = list(devices or local_devices())

    def copies(x: Any) -> Array:
        # What is no array gets its dtype from NumPy, so that it is a strong one: a number is a float32, as in Flax.
        x = jnp.asarray(x if isinstance(x, Array) else np.asarray(x))
        return _spread(jnp.broadcast_to(x[None], (len(chosen), *x.shape)), chosen, axis_name)

    return _map(copies, tree)


_map = tree.map  # the functions have arguments of this name, as in Flax


@public
def unreplicate(tree: Any) -> Any:
    """The first of the copies that `replicate` made.

    Args:
        tree: arrays `[devices, ...]`, each entry on a device of its own; or arrays on one device, NumPy's among them.

    Returns:
        The tree with arrays `[...]` on one device. An array that each of several devices has as a whole stays whole, and so
        does one without axes. While a function is traced, the first entry is taken.

    Raises:
        TraversalError: an array is spread over devices in another way.
    """
    return _map(_first, tree)


def _first(x: Any) -> Any:
    if isinstance(x, Array) and not isinstance(x, Tracer) and len(x.sharding.device_set) > 1:
        part = x.addressable_shards[0].data
        if x.is_fully_replicated:
            return part
        if part.shape[0] == 1:
            return jnp.squeeze(part, 0)
        raise TraversalError(
            says=f"{article(x)[:1].upper()}{article(x)[1:]} is spread over {len(x.sharding.device_set)} devices in another way "
                 f"than `replicate` does: the first of them has {shape_of(part.shape)}.",
            why="each device has one entry of the leading axis, which is its copy",
            fixes=(Fix("take the first entry of the whole array", code="jax.tree.map(lambda x: x[0], tree)"),))
    return x[0] if getattr(x, "ndim", 1) else x


def pmean(xs: Any, axis_name: Any) -> Any:
    """The mean over a mapped axis: `lax.pmean`."""
    return lax.pmean(xs, axis_name)


@public
def prefetch_to_device(iterator: Iterable[Any], size: int, devices: Sequence[Any] | None = None,
                       axis_name: str = _AXIS) -> Iterator[Any]:
    """Put items on the devices before they are asked for.

    Args:
        iterator: gives trees of arrays `[devices, ...]`.
        size: how many items are on the devices at a time; 2 lets a transfer and a step overlap.
        devices: the devices; all of this process by default.
        axis_name: the name of the axis of devices, as the arrays' sharding has it.

    Returns:
        An iterator over the same trees, each array spread over the devices along its leading axis.
    """
    chosen = list(devices or local_devices())
    source = iter(iterator)

    def moved(count: int) -> Iterator[Any]:
        for item in islice(source, count):
            yield _map(lambda x: _spread(x, chosen, axis_name), item)

    def items() -> Iterator[Any]:
        ready = deque(moved(size))  # a transfer goes on while the program does
        while ready:
            yield ready.popleft()
            ready.extend(moved(1))

    return items()


@public
def scan_in_dim(body_fn: Callable[[Any, Any], tuple[Any, Any]], init: Any, xs: Any, axis: int | Sequence[int] = (0,),
                unroll: int | Sequence[int] = (1,), keepdims: bool = False) -> tuple[Any, Any]:
    """Scan along any axes, the first of them the slowest.

    Args:
        body_fn: takes the carry and a slice, returns the carry and a slice of the result.
        init: the first carry.
        xs: arrays, all with these axes.
        axis: the axis, or axes.
        unroll: how many iterations stand in one of the loop, for each axis; a shorter list counts from the innermost.
        keepdims: whether slices keep the scanned axes, with size 1.

    Returns:
        The last carry, and the results with the axes where they were.
    """
    axes = (axis,) if isinstance(axis, int) else tuple(axis)
    times = (unroll,) if isinstance(unroll, int) else tuple(unroll)
    return _scan_in(body_fn, init, xs, axes, (1,) * (len(axes) - len(times)) + times, keepdims)


def _scan_in(body_fn: Callable[[Any, Any], tuple[Any, Any]], init: Any, xs: Any, axes: tuple[int, ...],
             unroll: tuple[int, ...], keepdims: bool) -> tuple[Any, Any]:
    if not axes:
        return body_fn(init, xs)
    rank = min((x.ndim for x in tree.leaves(xs)), default=0)
    first = axes[0] % rank if rank else axes[0]
    if keepdims:  # the axis stays in its place with size 1, and all others keep their numbers
        moved = _map(lambda x: jnp.moveaxis(jnp.expand_dims(x, first), first + 1, 0), xs)
        carry, ys = lax.scan(lambda carry, x: _scan_in(body_fn, carry, x, axes[1:], unroll[1:], True), init, moved,
                             unroll=unroll[0])
        return carry, _map(lambda y: jnp.squeeze(jnp.moveaxis(y, 0, first + 1), first), ys)
    # The scanned axis is gone inside: those after it move one to the front.
    inner = tuple([each % rank - (each % rank > first) for each in axes[1:]])
    moved = _map(lambda x: jnp.moveaxis(x, first, 0), xs)
    carry, ys = lax.scan(lambda carry, x: _scan_in(body_fn, carry, x, inner, unroll[1:], False), init, moved,
                         unroll=unroll[0])
    return carry, _map(lambda y: jnp.moveaxis(y, 0, first), ys)


def pad_shard_unpad(wrapped: Callable[..., Any], static_argnums: Collection[int] = (0,),
                    static_argnames: Collection[str] = (), static_return: bool = False) -> Callable[..., Any]:
    """Let a function that wants `[devices, batch, ...]` take batches of any size.

    Args:
        wrapped: the function, of trees of arrays with a leading axis of devices.
        static_argnums: which arguments are passed on as they are; the first, which is usually the parameters.
        static_argnames: the same for arguments by name.
        static_return: whether the result is passed on as it is (a sum of metrics, say).

    Returns:
        A function of arrays `[n, ...]`, as NumPy arrays, which fills them up with zeros to a multiple of the devices (and
        to `min_device_batch` entries for each, an argument of its own), and returns results `[n, ...]`.

    Raises:
        BatchSizesError: the arrays differ in `n`.
    """
    @public
    @functools.wraps(wrapped)
    def call(*args: Any, min_device_batch: int | None = None, **kwargs: Any) -> Any:
        count = local_device_count()
        sizes = {x.shape[0] for i, arg in enumerate(args) if i not in static_argnums for x in tree.leaves(arg)}
        sizes |= {x.shape[0] for name, arg in kwargs.items() if name not in static_argnames for x in tree.leaves(arg)}
        if len(sizes) != 1:
            raise BatchSizesError(sizes=tuple(sorted(sizes)))
        (size,) = sizes

        def padded(x: Any) -> np.ndarray:
            x = np.asarray(x)
            each = max(-(-size // count), min_device_batch or 0)
            full = np.concatenate([x, np.zeros((each * count - size, *x.shape[1:]), x.dtype)])
            return full.reshape(count, each, *x.shape[1:])

        shown = [arg if i in static_argnums else _map(padded, arg) for i, arg in enumerate(args)]
        named = {name: arg if name in static_argnames else _map(padded, arg) for name, arg in kwargs.items()}
        found = wrapped(*shown, **named)
        if static_return:
            return found
        return _map(lambda x: np.asarray(device_get(x)).reshape(-1, *x.shape[2:])[:size], found)

    return call
