"""How explicit axes of a mesh split the results of primitives, by the splits of their operands.

A rule gets the types of the operands (with their splits) and the result types without any, and tells for each axis of each
result which axes of the mesh split it: a tuple of parts as in a `PartitionSpec`. `split_types` makes types of them. Where
operands do not tell, rules raise `ShardingTypeError`. A parameter of the user's that says how the result lies goes first.

This file is loaded with the first type that is split.
"""
from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from perspicax.core import dtypes
from perspicax.core.primitive import Primitive
from perspicax.lax.explicit_errors import ShardingTypeError, type_text
from perspicax.transform.mesh_scope import manual_axes, refuse_manual
from perspicax.xla import explicit as splits
from perspicax.xla.partition import names_in

Parts = tuple[Any, ...]


def parts_of(aval: Any) -> Parts:
    """Which axes of the mesh split each axis of a type."""
    return aval.explicit.spec.partitions if aval.explicit is not None else (None,) * aval.ndim


def split_types(primitive: Primitive, avals: Sequence[Any], found: Any, params: dict[str, Any]) -> Any:
    """The result types `found`, split as the operands and the parameters of a primitive say.

    Raises:
        ShardingTypeError: they do not say it.
    """
    asked = params[primitive.extra["lays"]] if "lays" in primitive.extra else None
    if asked is not None:
        refuse_manual(asked, primitive.name)
        _check_asked(primitive.name, avals, asked, params)
        return found.laid(splits.part_of_type(asked, found.ndim))
    if "callback" in primitive.extra:
        return found
    rule = RULES.get(primitive.name) or (elementwise if primitive.extra.get("elementwise") else None)
    if rule is None:
        raise ShardingTypeError(operation=primitive.name, kind="rule", avals=tuple(avals), index=_first_split(avals))
    split = [a for a in avals if a.explicit is not None]
    mesh, sums = split[0].explicit.mesh, {}
    for index, aval in enumerate(avals):
        if aval.explicit is not None and aval.explicit.mesh.shape_tuple != mesh.shape_tuple:
            raise ShardingTypeError(operation=primitive.name, kind="meshes", avals=tuple(avals), index=index)
    if any(a.explicit.spec.unreduced or a.explicit.spec.reduced for a in split):
        sums = _sums(primitive, avals, found)
        mesh = max([a.explicit.mesh for a in split], key=lambda m: len(m.explicit_axes))
    told = rule(primitive.name, avals, found, **params)
    if not primitive.multiple_results:
        return _typed(primitive.name, avals, found, told, mesh, sums)
    return [_typed(primitive.name, avals, a, t, mesh, sums) for a, t in zip(found, told)]


# -- sums over axes of the mesh that have not been made yet, and values whose cotangents are such sums

_OF_SUMS = frozenset((
    "add", "add_any", "broadcast_in_dim", "concatenate", "convert_element_type", "copy", "dce_sink", "div", "dynamic_slice",
    "dynamic_update_slice", "imag", "mul", "name", "neg", "optimization_barrier", "pad", "real", "reduce_precision",
    "reduce_sum", "reshape", "rev", "select_n", "slice", "split", "squeeze", "stop_gradient", "sub", "transpose"))
"""What may be done to sums that have not been made yet: done to the parts, it gives parts of what it would give of the sum."""
_KEPT = _OF_SUMS | {"conj"}
"""Besides elementwise operations, what keeps the mark of values whose cotangents are such sums."""
_WHOLE = frozenset(("conv_general_dilated", "dot_general"))
"""What makes plain values of marked ones: its transposition makes sums over devices by itself."""

Sums = dict[str, frozenset]


def _sums(primitive: Primitive, avals: Sequence[Any], found: Any) -> Sums:
    """The sums that a result is part of, of operands some of which are so marked.

    Raises:
        ShardingTypeError: the result would be no part of a sum, or operands are marked in different ways.
    """
    varies = frozenset().union(*[a.vma for a in avals])
    # Inside of `shard_map` a value that is the same for all, and marked, goes with those that vary.
    name, marks = primitive.name, [(unreduced, reduced - varies) for unreduced, reduced in map(_marks, avals)]
    of_sums = [i for i, (unreduced, _) in enumerate(marks) if unreduced]
    if of_sums:
        fits = name in _OF_SUMS and not any(unreduced & varies for unreduced, _ in marks) and _linear(name, avals, marks, found)
        if not fits:
            raise _of_marks(ShardingTypeError(operation=name, kind="sum", avals=tuple(avals), index=of_sums[0]))
        unreduced, reduced = marks[of_sums[0]]
        return {"unreduced": unreduced, "reduced": reduced}
    marked = next((i for i, (_, reduced) in enumerate(marks) if reduced), None)
    if marked is None:
        return {}
    if name in _WHOLE:
        return {}
    if not (name in _KEPT or primitive.extra.get("elementwise")):
        raise _of_marks(ShardingTypeError(operation=name, kind="reduced", avals=tuple(avals), index=marked))
    if any(m != marks[marked] for i, (a, m) in enumerate(zip(avals, marks)) if (a.ndim or a.explicit is not None) and not (
            name == "select_n" and i == 0 and m == _PLAIN)):
        raise _of_marks(ShardingTypeError(operation=name, kind="marks", avals=tuple(avals), index=marked))
    return {"reduced": marks[marked][1]}


def _of_marks(error: ShardingTypeError) -> ShardingTypeError:
    """An error of marks, which are others than those of whole arrays inside of `shard_map`."""
    marks = _marks(error.avals[error.index])
    error.within = tuple(sorted((marks[0] | marks[1]) & manual_axes(), key=str))
    return error


_PLAIN: tuple[frozenset, frozenset] = frozenset(), frozenset()


def _marks(aval: Any) -> tuple[frozenset, frozenset]:
    return _PLAIN if aval.explicit is None else (aval.explicit.spec.unreduced, aval.explicit.spec.reduced)


def _linear(name: str, avals: Sequence[Any], marks: Sequence[tuple[frozenset, frozenset]], found: Any) -> bool:
    """Whether the operation is linear in those operands that are sums, all together."""
    if name in ("mul", "div"):
        at = 0 if marks[0][0] else 1
        unreduced, other = marks[at][0], 1 - at
        if name == "div" and at == 1:
            return False
        return marks[other] == (frozenset(), unreduced) or (marks[other] == _PLAIN and avals[other].ndim == 0)
    if name == "select_n":
        return marks[0][0] == frozenset() and len(set(marks[1:])) == 1
    if name == "pad":
        return marks[1] == _PLAIN
    if name == "dynamic_slice":
        return bool(marks[0][0])
    if name == "dynamic_update_slice":
        return marks[0] == marks[1]
    if name == "convert_element_type" and not dtypes.issubdtype(found.dtype, np.inexact):
        return bool(dtypes.issubdtype(avals[0].dtype, np.integer)) and bool(dtypes.issubdtype(found.dtype, np.integer))
    return len(set(marks)) == 1


def _check_asked(name: str, avals: Sequence[Any], asked: Any, params: dict[str, Any]) -> None:
    """Raise where parameters ask for a sum over devices that the operation does not make."""
    wanted = asked.spec.unreduced
    for index, aval in enumerate(avals):
        if splits.sums_of(aval) and (name != "reshape" or not splits.sums_of(aval) == wanted):
            raise ShardingTypeError(operation=name, kind="sum", avals=tuple(avals), index=index)
    if not wanted or (avals and splits.sums_of(avals[0]) == wanted):
        return
    if name == "dot_general":
        (lc, rc), _ = params["dimension_numbers"]
        if wanted == summed_over(avals[0], avals[1], lc, rc):
            return
        raise ShardingTypeError(operation=name, kind="asked", avals=tuple(avals), result=repr(asked.spec))


def summed_over(x: Any, y: Any, lc: Sequence[int], rc: Sequence[int]) -> frozenset:
    """The axes of the mesh that split two operands alike along axes by which they are contracted."""
    left, right = parts_of(x), parts_of(y)
    return frozenset([n for i, j in zip(lc, rc) if left[i] == right[j] for n in names_in(left[i])])


def _typed(name: str, avals: Sequence[Any], aval: Any, parts: Parts, mesh: Any, sums: Sums) -> Any:
    used = [n for p in parts for n in names_in(p)]
    if len(set(used)) != len(used):
        twice = next(n for i, n in enumerate(used) if n in used[:i])
        index, axis = next((i, k) for i, a in reversed(list(enumerate(avals))) for k, p in enumerate(parts_of(a))
                           if twice in names_in(p))
        raise ShardingTypeError(operation=name, kind="twice", avals=tuple(avals), index=index, axes=(axis,),
                                result=type_text(aval, parts))
    return aval.laid(splits.of_parts(mesh, parts, **sums))


def _first_split(avals: Sequence[Any]) -> int:
    return next(i for i, a in enumerate(avals) if a.explicit is not None)


def _pieces(aval: Any, part: Any) -> int:
    return math.prod([aval.explicit.mesh.shape[n] for n in names_in(part)])


def _along(name: str, avals: Sequence[Any], axes: Sequence[int], index: int = 0, kind: str = "along") -> None:
    """Raise where one of these axes of an operand is split."""
    parts = parts_of(avals[index])
    wrong = tuple([i for i in axes if parts[i] is not None])
    if wrong:
        raise ShardingTypeError(operation=name, kind=kind, avals=tuple(avals), index=index, axes=wrong)


# -- operands of one shape

def elementwise(name: str, avals: Sequence[Any], out: Any, **_: Any) -> Parts:
    """Axes that differ from the result's are repeated, and say nothing; a split one goes with a whole one."""
    merged: list[Any] = [None] * out.ndim
    for index, aval in enumerate(avals):
        if aval.explicit is None or aval.ndim != out.ndim:
            continue
        for i, part in enumerate(parts_of(aval)):
            if part is None or part == merged[i] or (aval.shape[i] == 1 and out.shape[i] != 1):
                continue
            if merged[i] is not None:
                raise ShardingTypeError(operation=name, kind="disagree", avals=tuple(avals), index=index, axes=(i,),
                                        others=(i,))
            merged[i] = part
    return tuple(merged)


def _each(name: str, avals: Sequence[Any], outs: Sequence[Any], **_: Any) -> list[Parts]:
    return [parts_of(a) for a in avals]


def _first(name: str, avals: Sequence[Any], out: Any, **_: Any) -> Parts:
    return parts_of(avals[0])


def _bitcast(name: str, avals: Sequence[Any], out: Any, **_: Any) -> Parts:
    """A narrower dtype has one axis more, a wider one one less: that axis is whole."""
    parts = parts_of(avals[0])
    if out.ndim < len(parts):
        _along(name, avals, (len(parts) - 1,))
    return (*parts[:out.ndim], *[None] * (out.ndim - len(parts)))


def _alike(name: str, avals: Sequence[Any]) -> Parts:
    parts = parts_of(avals[0])
    for index, aval in enumerate(avals):
        wrong = tuple([i for i, (p, q) in enumerate(zip(parts, parts_of(aval))) if p != q])
        if wrong:
            at = index if aval.explicit is not None else 0
            raise ShardingTypeError(operation=name, kind="disagree", avals=tuple(avals), index=at, axes=wrong, others=wrong)
    return parts


# -- axes that go, come and change

def _without(name: str, avals: Sequence[Any], out: Any, *, axes: Any = None, dimensions: Any = None, **_: Any) -> Parts:
    gone = {i % avals[0].ndim for i in (axes if axes is not None else dimensions)}
    return tuple([p for i, p in enumerate(parts_of(avals[0])) if i not in gone])


def _reduce(name: str, avals: Sequence[Any], outs: Any, *, dimensions: Any, **_: Any) -> list[Parts]:
    count = len(outs)
    merged = elementwise(name, avals[:count], avals[0].laid(None))
    return [tuple([p for i, p in enumerate(merged) if i not in dimensions])] * count


def _broadcast(name: str, avals: Sequence[Any], out: Any, *, shape: tuple, broadcast_dimensions: tuple, **_: Any) -> Parts:
    parts: list[Any] = [None] * len(shape)
    for i, (d, part) in enumerate(zip(broadcast_dimensions, parts_of(avals[0]))):
        if avals[0].shape[i] == shape[d]:
            parts[d] = part
    return tuple(parts)


def _transpose(name: str, avals: Sequence[Any], out: Any, *, permutation: tuple) -> Parts:
    parts = parts_of(avals[0])
    return tuple([parts[p] for p in permutation])


def _reshape(name: str, avals: Sequence[Any], out: Any, **_: Any) -> Parts:
    x = avals[0]
    told = _reshaped(x, out.shape)
    if told is None:
        raise ShardingTypeError(operation=name, kind="reshape", avals=(x,), result=str(tuple(out.shape)))
    return told


def _reshaped(x: Any, shape: tuple[int, ...]) -> Parts | None:
    """Runs of axes of equal sizes on both sides: of each, one side has one axis, or nothing of it is split."""
    parts, told = parts_of(x), []
    i = j = 0
    while i < x.ndim or j < len(shape):
        start, begin = i, j
        left = right = 1
        if i < x.ndim:
            left, i = x.shape[i], i + 1
        if j < len(shape):
            right, j = shape[j], j + 1
        while left != right:
            if left < right:
                if i == x.ndim:
                    return None
                left, i = left * x.shape[i], i + 1
            else:
                if j == len(shape):
                    return None
                right, j = right * shape[j], j + 1
        run = _run(x, [(n, p) for n, p in zip(x.shape[start:i], parts[start:i])], shape[begin:j])
        if run is None:
            return None
        told += run
    return tuple(told)


def _run(x: Any, before: list[tuple[int, Any]], after: Sequence[int]) -> list[Any] | None:
    kept = [(n, p) for n, p in before if n != 1]
    if all(p is None for _, p in before):
        return [None] * len(after)
    if any(p is not None for n, p in before if n == 1):
        return None
    wide = [k for k, n in enumerate(after) if n != 1]
    told: list[Any] = [None] * len(after)
    if len(kept) == 1:  # one axis is taken apart
        names, pieces = list(names_in(kept[0][1])), x.explicit.mesh.shape
        for k in wide:
            mine, count = [], 1
            while names and after[k] % (count * pieces[names[0]]) == 0:
                count *= pieces[names[0]]
                mine.append(names.pop(0))
            told[k] = tuple(mine) if len(mine) > 1 else mine[0] if mine else None
            if names and count != after[k]:
                return None
        return None if names else told
    if len(wide) != 1:
        return None
    split = [p is not None for _, p in kept]
    if False in split and True in split[split.index(False):]:
        return None
    names = [n for _, p in kept for n in names_in(p)]
    told[wide[0]] = tuple(names) if len(names) > 1 else names[0]
    return told


def _concatenate(name: str, avals: Sequence[Any], out: Any, **_: Any) -> Parts:
    return _alike(name, avals)


def _evenly(name: str, avals: Sequence[Any], out: Any, **_: Any) -> Parts:
    """Each axis stays split where the result's size is a multiple of the pieces."""
    x = avals[0]
    for i, part in enumerate(parts_of(x)):
        if part is not None and out.shape[i] != x.shape[i] and out.shape[i] % _pieces(x, part):
            raise ShardingTypeError(operation=name, kind="uneven", avals=tuple(avals[:1]), axes=(i,),
                                    result=type_text(out, parts_of(x)))
    return parts_of(x)


def _split(name: str, avals: Sequence[Any], outs: Sequence[Any], **_: Any) -> list[Parts]:
    return [_evenly(name, avals, out) for out in outs]


def _update_slice(name: str, avals: Sequence[Any], out: Any, **_: Any) -> Parts:
    """Along the axes that it fills an update may be whole, and is split as the array is; the others are whole."""
    x, update = avals[:2]
    _along(name, avals, [i for i in range(x.ndim) if x.shape[i] != update.shape[i]], 0, "indices")
    _along(name, avals, [i for i in range(x.ndim) if x.shape[i] != update.shape[i]], 1, "indices")
    return elementwise(name, (x, update), out)


def _source(name: str, avals: Sequence[Any], out: Any, **_: Any) -> Parts:
    return parts_of(avals[1])


# -- along an axis

def _cumulative(name: str, avals: Sequence[Any], out: Any, *, axis: int, **_: Any) -> Parts:
    _along(name, avals, (axis,))
    return parts_of(avals[0])


def _sort(name: str, avals: Sequence[Any], outs: Sequence[Any], *, dimension: int, **_: Any) -> list[Parts]:
    for index in range(len(avals)):
        _along(name, avals, (dimension,), index)
    return [elementwise(name, avals, outs[0])] * len(outs)


def _top_k(name: str, avals: Sequence[Any], outs: Sequence[Any], *, axis: int, **_: Any) -> list[Parts]:
    _along(name, avals, (axis,))
    return [parts_of(avals[0])] * 2


def _fft(name: str, avals: Sequence[Any], out: Any, *, fft_lengths: Sequence[int], **_: Any) -> Parts:
    x, parts = avals[0], parts_of(avals[0])
    return tuple([None if n != m else p for n, m, p in zip(x.shape, out.shape, parts)])


def _matrices(name: str, avals: Sequence[Any], out: Any, **_: Any) -> Any:
    """Of stacks of matrices: the matrices are whole, the stack may be split."""
    several = isinstance(out, list | tuple)
    for index, aval in enumerate(avals):
        _along(name, avals, [i for i in (aval.ndim - 2, aval.ndim - 1) if i >= 0], index)
    stack = next(parts_of(a)[:-2] for a in avals if a.explicit is not None)
    told = [(*stack, *[None] * (a.ndim - len(stack))) for a in (out if several else [out])]
    return told if several else told[0]


# -- products

def _dot(name: str, avals: Sequence[Any], out: Any, *, dimension_numbers: Any, **_: Any) -> Parts:
    (lc, rc), (lb, rb) = dimension_numbers
    left, right = map(parts_of, avals[:2])
    for i, j in zip(lb, rb):
        if left[i] != right[j] and left[i] is not None and right[j] is not None:
            raise ShardingTypeError(operation=name, kind="disagree", avals=tuple(avals), axes=(i,), others=(j,))
    _contracted(name, avals, lc, rc)
    return (*[left[i] or right[j] for i, j in zip(lb, rb)], *[p for i, p in enumerate(left) if i not in (*lc, *lb)],
            *[p for i, p in enumerate(right) if i not in (*rc, *rb)])


def _contracted(name: str, avals: Sequence[Any], lc: Sequence[int], rc: Sequence[int]) -> None:
    left, right = map(parts_of, avals[:2])
    both = [(i, j) for i, j in zip(lc, rc) if left[i] is not None and right[j] is not None]
    if not both:
        return
    differing = [(i, j) for i, j in both if left[i] != right[j]]
    kind, chosen = ("disagree", differing) if differing else ("contracted", both)
    raise ShardingTypeError(operation=name, kind=kind, avals=tuple(avals), index=0, axes=tuple([i for i, _ in chosen]),
                            others=tuple([j for _, j in chosen]))


def _conv(name: str, avals: Sequence[Any], out: Any, *, dimension_numbers: Any, feature_group_count: int,
          batch_group_count: int, **_: Any) -> Parts:
    lhs, rhs, result = dimension_numbers
    left, right = map(parts_of, avals[:2])
    _contracted(name, avals, lhs[1:2], rhs[1:2])
    _along(name, avals, rhs[2:], 1)
    if feature_group_count > 1 or batch_group_count > 1:
        _along(name, avals, lhs[:2], 0)
        _along(name, avals, rhs[:2], 1)
    parts: list[Any] = [None] * out.ndim
    parts[result[0]], parts[result[1]] = left[lhs[0]], right[rhs[0]]
    for i, j in zip(lhs[2:], result[2:]):
        if left[i] is not None and out.shape[j] % _pieces(avals[0], left[i]):
            raise ShardingTypeError(operation=name, kind="uneven", avals=tuple(avals), axes=(i,))
        parts[j] = left[i]
    return tuple(parts)


# -- indexing

def _gather(name: str, avals: Sequence[Any], out: Any, *, dimension_numbers: Any, slice_sizes: tuple, **_: Any) -> Parts:
    x, numbers = avals[0], dimension_numbers
    parts, where = parts_of(x), parts_of(avals[1])
    batching, of_indices = _batching(numbers)
    cut = [i for i in range(x.ndim) if i not in batching and (
        i in numbers.collapsed_slice_dims or slice_sizes[i] != x.shape[i])]
    _along(name, avals, cut, 0, "indices")
    free = [i for i in range(avals[1].ndim - 1) if i not in of_indices]
    _along(name, avals, [*free, avals[1].ndim - 1], 1, "indices")
    _same_batch(name, avals, batching, of_indices)
    told: list[Any] = [None] * out.ndim
    kept = [i for i in range(x.ndim) if i not in numbers.collapsed_slice_dims and i not in batching]
    for i, d in zip(kept, numbers.offset_dims):
        told[d] = parts[i]
    rest = [d for d in range(out.ndim) if d not in numbers.offset_dims]
    for d, i in zip(rest, range(avals[1].ndim - 1)):
        if i in of_indices:
            told[d] = parts[batching[of_indices.index(i)]] or where[i]
    return tuple(told)


def _batching(numbers: Any) -> tuple[tuple, tuple]:
    return (tuple(getattr(numbers, "operand_batching_dims", ())),
            tuple(getattr(numbers, "start_indices_batching_dims", getattr(numbers, "scatter_indices_batching_dims", ()))))


def _same_batch(name: str, avals: Sequence[Any], batching: Sequence[int], of_indices: Sequence[int]) -> None:
    parts, where = parts_of(avals[0]), parts_of(avals[1])
    for i, j in zip(batching, of_indices):
        if parts[i] is not None and where[j] is not None and parts[i] != where[j]:
            raise ShardingTypeError(operation=name, kind="disagree", avals=tuple(avals), index=0, axes=(i,), others=(j,))


def _scatter(name: str, avals: Sequence[Any], out: Any, *, dimension_numbers: Any, **_: Any) -> Parts:
    x, numbers = avals[0], dimension_numbers
    parts, told = parts_of(x), list(parts_of(x))
    batching, of_indices = _batching(numbers)
    window = [i for i in range(x.ndim) if i not in numbers.inserted_window_dims and i not in batching]
    sizes = {i: avals[2].shape[d] for i, d in zip(window, numbers.update_window_dims)}
    cut = [i for i in range(x.ndim) if i not in batching and sizes.get(i) != x.shape[i]]
    _along(name, avals, cut, 0, "indices")
    _along(name, avals, [i for i in range(avals[1].ndim) if i not in of_indices], 1, "indices")
    _same_batch(name, avals, batching, of_indices)
    given = parts_of(avals[2])
    for i, d in zip(window, numbers.update_window_dims):
        if given[d] is not None and parts[i] is not None and given[d] != parts[i]:
            raise ShardingTypeError(operation=name, kind="disagree", avals=tuple(avals), index=2, axes=(d,), others=(i,))
        told[i] = parts[i] or given[d]
    rows = [d for d in range(avals[2].ndim) if d not in numbers.update_window_dims]
    _along(name, avals, [d for k, d in enumerate(rows) if k not in of_indices], 2, "indices")
    return tuple(told)


# -- random bits

def _of_keys(name: str, avals: Sequence[Any], out: Any, **_: Any) -> Parts:
    """Bits and further keys: one axis for each of the keys', and whole axes behind them."""
    return (*parts_of(avals[0])[:out.ndim], *[None] * (out.ndim - avals[0].ndim))


def _fold_in(name: str, avals: Sequence[Any], out: Any, **_: Any) -> Parts:
    return elementwise(name, avals, out)


def _threefry(name: str, avals: Sequence[Any], outs: Sequence[Any], **_: Any) -> list[Parts]:
    return [elementwise(name, avals, out) for out in outs]


RULES: dict[str, Callable[..., Any]] = {
    "argmax": _without, "argmin": _without, "bitcast_convert_type": _bitcast, "broadcast_in_dim": _broadcast,
    "cholesky": _matrices, "concatenate": _concatenate, "conv_general_dilated": _conv,
    **dict.fromkeys(("cumlogsumexp", "cummax", "cummin", "cumprod", "cumsum"), _cumulative),
    "dce_sink": lambda name, avals, outs, **_: [], "dot_general": _dot, "dynamic_slice": _evenly,
    "dynamic_update_slice": _update_slice, "eigh": _matrices, "fft": _fft, "gather": _gather,
    "householder_product": _matrices, "lu": _matrices, "optimization_barrier": _each, "pad": _evenly, "qr": _matrices,
    "random_bits": _of_keys, "random_clone": _first, "random_fold_in": _fold_in, "random_seed": _first,
    "random_split": _of_keys, "random_unwrap": _of_keys, "random_wrap": _of_keys, "reduce": _reduce,
    **{f"reduce_{name}": _without for name in ("and", "max", "min", "or", "prod", "sum", "xor")},
    "reduce_window": lambda name, avals, outs, **_: [_evenly(name, avals, out) for out in outs],
    **{f"reduce_window_{name}": _evenly for name in ("max", "min", "sum")},
    "reshape": _reshape, "rev": _first,
    **dict.fromkeys(("scatter", "scatter-add", "scatter-max", "scatter-min", "scatter-mul", "scatter-sub"), _scatter),
    "select_and_gather_add": _evenly, "select_and_scatter_add": _source, "slice": _evenly, "sort": _sort, "split": _split,
    "squeeze": _without, "svd": _matrices, "threefry2x32": _threefry, "top_k": _top_k, "transpose": _transpose,
    "triangular_solve": _matrices,
}

__all__ = ["RULES", "parts_of", "split_types", "summed_over"]
