"""Reductions of segments: entries of an array that have one number belong together."""
from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any

import numpy as np

import perspicax.numpy as jnp
from perspicax.core import dtypes
from perspicax.core.array import Array
from perspicax.core.tracer import Tracer
from perspicax.core.tracer_errors import sized_by_values, static_value
from perspicax.diagnose.boundary import public
from perspicax.lax.errors import OperandDtypeError
from perspicax.lax.gathering import GatherScatterMode
from perspicax.lax.result_sharding import out_placed
from perspicax.lax.shape import broadcasted_iota
from perspicax.numpy.errors import ArgumentKindError, ArgumentValueError, ReductionError, ShapeMismatchError
from perspicax.numpy.fusion import fused_call
from perspicax.numpy.promote import array_like
from perspicax.numpy.search import known_value

_DOC = """

    Args:
        data: array `[n, ...]`.
        segment_ids: array of integers `[n]`: the segment of each entry. An entry whose number is negative, or beyond the last
            segment, counts for none, unless `mode` says otherwise.
        num_segments: how many segments there are; by default one more than the largest number, which must be known then.
        indices_are_sorted: promises that the numbers are sorted, which may be faster.
        unique_indices: promises that no number comes twice.
        bucket_size: reduce so many entries at a time, and then the results: smaller rounding errors. All at once by default.
        mode: what happens to numbers that belong to no segment, as for `x.at[...]`.
        out_sharding: how the result lies over explicit axes of a mesh: a `PartitionSpec` or `NamedSharding`.

    Returns:
        Array `[num_segments, ...]` of the dtype of `data`{empty}.

    Raises:
        ShapeMismatchError: there is not one number for each entry.
        ArgumentKindError: the numbers are no integers.
        ArgumentValueError: `num_segments` is negative, or `bucket_size` not positive.
        ConcretizationTypeError: the number of segments is not known while tracing.
        ReductionError: there are no entries, and `num_segments` is not given.
"""


def _segment(name: str, summary: str, update: str, identity: Callable[[Any], Any], reduce: Callable[..., Any],
             empty: str) -> Callable[..., Any]:
    @public
    def function(data: Any, segment_ids: Any, num_segments: Any = None, indices_are_sorted: bool = False,
                 unique_indices: bool = False, bucket_size: int | None = None, mode: Any = None,
                 out_sharding: Any = None) -> Array:
        if out_sharding is not None:
            return out_placed(name, out_sharding, lambda d, s: function(
                d, s, num_segments, indices_are_sorted, unique_indices, bucket_size, mode), data, segment_ids)
        x, ids = [jnp.asarray(array_like(v, name, i)) for i, v in enumerate((data, segment_ids))]
        if dtypes.kind_of(ids.dtype) not in ("int", "uint"):
            raise ArgumentKindError(says=f"`{name}` was given the segments {ids.aval.str_short()}.",
                                    why="they are numbered by integers")
        if update in ("add", "multiply") and x.dtype == np.dtype(bool):
            raise OperandDtypeError(operation=name, type_text=x.aval.str_short(), accepts="integer, floating, complex", index=0)
        if x.ndim and (ids.ndim > 1 or (ids.ndim == 1 and x.shape[0] not in (1, ids.shape[0]))):
            raise ShapeMismatchError(says=f"`{name}` was given data {x.aval.str_short()} and segments {ids.aval.str_short()}.",
                                     why=f"each entry along the first axis of the data has one number: there must be "
                                         f"{x.shape[0]}")
        count = _count(name, num_segments, ids)
        buckets = _buckets(name, bucket_size, x)
        return fused_call(_reduced, (x, ids), update=update, identity=identity, reduce=reduce, count=count, buckets=buckets,
                          bucket_size=bucket_size or 0, indices_are_sorted=bool(indices_are_sorted),
                          unique_indices=bool(unique_indices),
                          mode=GatherScatterMode.FILL_OR_DROP if mode is None else GatherScatterMode.from_any(mode))

    function.__name__ = function.__qualname__ = name
    function.__doc__ = f"{summary}{_DOC.format(empty=empty)}"
    return function


def _count(name: str, given: Any, ids: Any) -> int:
    if given is None:
        if not ids.size:
            raise ReductionError(says=f"`{name}` was given no entries, and not how many segments there are.",
                                 why="without `num_segments` it is one more than the largest number")
        known = known_value(ids)
        if known is None:
            raise sized_by_values(ids, f"jax.ops.{name}", "num_segments")
        return int(known.max()) + 1
    if isinstance(given, Tracer):
        given = static_value(given, f"jax.ops.{name}", "num_segments")
    try:
        count = operator.index(given)
    except TypeError:
        count = -1
    if count < 0:
        raise ArgumentValueError(says=f"`{name}` was given num_segments={given!r}.", why="it is an integer, at least 0")
    return count


def _buckets(name: str, size: Any, x: Any) -> int:
    if size is None:
        return 1
    if not hasattr(size, "__index__") or size < 1:
        raise ArgumentValueError(says=f"`{name}` was given bucket_size={size!r}.", why="it is a positive integer")
    return max(1, -(-(x.shape[0] if x.ndim else 1) // operator.index(size)))


def _reduced(x: Any, ids: Any, *, update: str, identity: Any, reduce: Any, count: int, buckets: int, bucket_size: int,
             indices_are_sorted: bool, unique_indices: bool, mode: Any) -> Any:
    shape = (count, *x.shape[1:])
    options = dict(indices_are_sorted=indices_are_sorted, unique_indices=unique_indices, mode=mode, wrap_negative_indices=False)
    if buckets == 1:
        return getattr(jnp.full(shape, identity(x.dtype), x.dtype).at[ids], update)(x, **options)
    start = jnp.full((buckets, *shape), identity(x.dtype), x.dtype)
    bucket = jnp.floor_divide(broadcasted_iota(np.int32, ids.shape, 0), bucket_size)
    options["indices_are_sorted"] = False  # those of the buckets are, the pairs of both need not be
    return reduce(getattr(start.at[bucket, ids], update)(x, **options), axis=0).astype(x.dtype)


def _lowest(dtype: Any) -> Any:
    kind = dtypes.kind_of(dtype)
    return False if kind == "bool" else dtypes.iinfo(dtype).min if kind in ("int", "uint") else -np.inf


def _highest(dtype: Any) -> Any:
    kind = dtypes.kind_of(dtype)
    return True if kind == "bool" else dtypes.iinfo(dtype).max if kind in ("int", "uint") else np.inf


def _zero(dtype: Any) -> Any:
    return 0


def _one(dtype: Any) -> Any:
    return 1


segment_sum = _segment("segment_sum", "The sum of each segment.", "add", _zero, jnp.sum, "; 0 for an empty segment")
segment_prod = _segment("segment_prod", "The product of each segment.", "multiply", _one, jnp.prod, "; 1 for an empty segment")
segment_max = _segment("segment_max", "The largest value of each segment.", "max", _lowest, jnp.max,
                       "; for an empty segment the least value of the dtype, `-inf` where there is one")
segment_min = _segment("segment_min", "The smallest value of each segment.", "min", _highest, jnp.min,
                       "; for an empty segment the largest value of the dtype, `inf` where there is one")

__all__ = ["segment_max", "segment_min", "segment_prod", "segment_sum"]
