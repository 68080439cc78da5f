"""`choice` and `categorical`: sampling from what is listed."""
from __future__ import annotations

import math
from typing import Any

import numpy as np

from perspicax.core import dtypes
from perspicax.core.array import Array
from perspicax.core.avals import ShapedArray
from perspicax.core.tracer import Tracer, get_aval
from perspicax.diagnose.boundary import public
from perspicax.lax.convert import convert_element_type
from perspicax.lax.cumulative import cumsum
from perspicax.lax.elementwise import add, log, mul, sub
from perspicax.lax.random_bits import host_place
from perspicax.lax.reductions import argmax
from perspicax.lax.shape import broadcast_to_rank, reshape, transpose
from perspicax.lax.slicing import index_in_dim, slice_in_dim
from perspicax.lax.sorting import top_k
from perspicax.random.bits import check_broadcast, parameter, placeable, sample_shape, staged_here
from perspicax.random.discrete import checked_axis, integers, order_of, shuffled
from perspicax.random.draws import drawn
from perspicax.random.errors import SampleDTypeError, SampleShapeError, SamplingError
from perspicax.random.keys import single_key
from perspicax.random.piecewise import Piecewise
from perspicax.random.sampling import gumbel_mode, gumbel_of, uniform
from perspicax.random.selection import search, taken
from perspicax.transform.ahead import ShapeDtypeStruct
from perspicax.xla.array import ArrayImpl

# -- choice

@public
@drawn(arrays="a p")
def choice(key: Any, a: Any, shape: Any = (), replace: bool = True, p: Any = None, axis: int = 0,
           mode: str | None = None) -> Any:
    """Entries of an array at random.

    Args:
        key: one key.
        a: array; or an integer `n`, for `0 … n - 1`.
        shape: of the choices.
        replace: whether an entry may be chosen more than once.
        p: probability of each entry along `axis`; all are equal by default.
        axis: the axis along which to choose.
        mode: of the Gumbel samples by which entries are chosen without replacement, see `gumbel`.

    Returns:
        Array of the shape of `a` with `shape` in the place of `axis`.

    Raises:
        KeyTypeError: `key` is no key.
        ParameterTypeError: `a` or `p` is no array or number.
        SamplingError: there is nothing to choose from, or not enough; `p` has not one entry for each; no such mode.
        SamplingIndexError: there is no such axis.
    """
    found, _ = single_key("choice", key)
    shape = sample_shape("choice", shape)
    a = parameter("choice", "a", a, keys=True)
    aval: Any = get_aval(a)
    listed = aval.ndim == 0
    if listed:
        n, axis = int(a), 0
    else:
        axis = checked_axis(axis, aval.ndim)
        n = aval.shape[axis]
    draws = math.prod(shape)
    if n <= 0 and draws > 0:
        raise SamplingError(says=f"`choice` cannot choose {draws} of {n} entries.",
                            why="there must be at least one entry, unless nothing is chosen")
    if not replace and draws > n:
        raise SamplingError(says=f"`choice` cannot choose {draws} of {n} entries without replacement.",
                            why="without replacement (`replace=False`) no entry is chosen twice")
    indices = _any(found, n, shape, replace) if p is None else _weighted(found, n, shape, replace, p, mode)
    if listed:
        return indices
    if p is None and not replace and aval.ndim == 1 and not aval.extended:  # as one sorts: without indices
        return reshape(slice_in_dim(shuffled(found, a if isinstance(a, Array) else np.asarray(a), 0), 0, draws), shape)
    return taken(a, indices, axis)


def _any(key: Any, n: int, shape: tuple[int, ...], replace: bool) -> Any:
    if replace:
        return integers(key, shape, 0, n, dtypes.default_dtype("int"))
    return reshape(slice_in_dim(order_of(key, n), 0, math.prod(shape)), shape)


def _weighted(key: Any, n: int, shape: tuple[int, ...], replace: bool, p: Any, mode: str | None) -> Any:
    p = parameter("choice", "p", p)
    aval: Any = get_aval(p)
    if aval.shape != (n,):
        raise SamplingError(says=f"The probabilities `p` of `choice` have shape {aval.shape}.",
                            why=f"there is one for each of the {n} entries: shape ({n},)")
    dtype = aval.dtype if dtypes.issubdtype(aval.dtype, np.inexact) else dtypes.default_dtype("float")
    p = convert_element_type(p, dtype)
    if replace:
        sums = cumsum(p, 0)
        u = uniform(key, shape, dtype)
        return search(sums, _part(index_in_dim(sums, n - 1, 0, False), u))
    scores = add(gumbel_of(key, (n,), dtype, gumbel_mode(mode)), log(p))
    best = convert_element_type(top_k(scores, math.prod(shape))[1], dtypes.default_dtype("int"))
    return reshape(best, shape)


def _share(whole: Any, u: Any) -> Any:
    """A uniform part of the whole, of (0, 1] of it."""
    return mul(whole, sub(np.ones((), get_aval(u).dtype)[()], u))  # type: ignore[attr-defined]


_part = Piecewise(_share, fast=True)


# -- categorical

@public
@drawn(arrays="logits")
@placeable
def categorical(key: Any, logits: Any, axis: int = -1, shape: Any = None, replace: bool = True, mode: str | None = None,
                *, out_sharding: Any = None) -> Any:
    """Categories at random, by the logarithms of their probabilities.

    Args:
        key: one key.
        logits: floating array `[..., n, ...]`: the logarithm of each category's probability, up to a constant.
        axis: the axis of the categories.
        shape: of the samples; it ends in the shape of `logits` without `axis`, and is that by default.
        replace: whether the samples along the further axes of `shape` may be equal.
        mode: see `gumbel`.

    Returns:
        Indices of categories, of `shape`.

    Raises:
        KeyTypeError: `key` is no key.
        ParameterTypeError: `logits` is no array.
        SampleDTypeError: `logits` is not floating.
        SampleShapeError: `shape` does not end in the shape of the batch.
        SamplingError: more samples without replacement than categories; no such mode.
        SamplingIndexError: there is no such axis.

    Category `i` is where `logits[i]` plus a Gumbel sample is largest (Gumbel, Statistical Theory of Extreme Values,
    1954).
    """
    found, _ = single_key("categorical", key)
    logits = parameter("categorical", "logits", logits)
    aval: Any = get_aval(logits)
    if aval.extended or not dtypes.issubdtype(aval.dtype, np.floating):
        raise SampleDTypeError(function="categorical", dtype=dtypes.name_of(aval.dtype), takes="floating", argument="logits")
    at = checked_axis(axis, aval.ndim)
    batch = aval.shape[:at] + aval.shape[at + 1:]
    shape = batch if shape is None else sample_shape("categorical", shape)
    check_broadcast("categorical", shape, logits=ShapeDtypeStruct(batch, bool))
    if shape[len(shape) - len(batch):] != batch and not all(
            m in (1, n) for m, n in zip(batch, shape[len(shape) - len(batch):])):
        raise SampleShapeError(function="categorical", shape=shape, parameters=(("logits", batch),))
    mode = gumbel_mode(mode)
    more = shape[:len(shape) - len(batch)]
    if not replace:
        return _distinct(found, logits, aval, at, shape, more, mode)
    return _independent(found, logits, aval, at, shape, more, mode)


def _independent(key: Any, logits: Any, aval: Any, axis: int, shape: tuple[int, ...], more: tuple[int, ...],
                 mode: str) -> Any:
    inner = list(shape[len(more):])
    inner.insert(axis, aval.shape[axis])
    noise = gumbel_of(key, (*more, *inner), aval.dtype, mode)
    scores = add(noise, broadcast_to_rank(logits, len(more) + aval.ndim))
    return largest(scores, len(more) + axis)


def largest(scores: Any, axis: int) -> Any:
    """Where the largest entry of each line along an axis is.

    What XLA has computed holds no subnormal numbers, so NumPy compares it as XLA does; and no kernel for each shape.
    """
    index = dtypes.default_dtype("int")
    if type(scores) is ArrayImpl and scores.size and not isinstance(scores, Tracer) and not staged_here():
        place = host_place([scores])
        if place is not None:
            value = scores.value()
            wide = value if value.dtype.kind == "f" else value.astype(np.float32)
            found = np.asarray(np.argmax(wide, axis)).astype(index)
            return ArrayImpl(ShapedArray(found.shape, index), None, found, place.sharding, place.committed)
    return argmax(scores, axis, index)


def _distinct(key: Any, logits: Any, aval: Any, axis: int, shape: tuple[int, ...], more: tuple[int, ...],
              mode: str) -> Any:
    count = math.prod(more)
    if count > aval.shape[axis]:
        raise SamplingError(says=f"`categorical` cannot draw {count} of {aval.shape[axis]} categories without "
                                 "replacement.", why="without replacement (`replace=False`) no category is drawn twice")
    scores = add(logits, gumbel_of(key, aval.shape, aval.dtype, mode))
    last = aval.ndim - 1
    order = [i for i in range(aval.ndim) if i != axis]
    best = top_k(transpose(scores, [*order, axis]), count)[1]
    return reshape(transpose(best, [last, *range(last)]), shape)


__all__ = ["categorical", "choice"]
