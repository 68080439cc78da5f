"""`einsum`: sums of products named by letters.

The subscripts are read once for each (subscripts, types, options) into a plan: a list of steps, each one diagonal, one
sum, or one product of two operands. With more than two operands the order comes from opt_einsum, imported when first
needed.
"""
from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from typing import Any

import numpy as np

from perspicax.core.array import Array
from perspicax.core.config import local, state_key
from perspicax.diagnose.boundary import public, trim
from perspicax.lax import compare
from perspicax.lax import shape as lax_shape
from perspicax.lax.contraction import dot_general_p
from perspicax.lax.convert import convert
from perspicax.lax.precision import canonical_precision
from perspicax.lax.reductions import reduce_or, reduce_sum
from perspicax.lax.result_sharding import asked_sharding, out_placed
from perspicax.lax.shape import transpose_p
from perspicax.numpy.construct import asarray
from perspicax.numpy.errors import EinsumError
from perspicax.numpy.logic import refuse
from perspicax.numpy.products import result_dtype
from perspicax.numpy.promote import array_like

MAX_PLANS = 4096

Label = Hashable
Labels = tuple[Label, ...]
Step = Callable[[list[Any]], None]

_plans: dict[tuple, Plan] = {}


class Plan:
    """What an `einsum` does: `values` and `order` for a single product, else `steps` on the list of operands."""

    __slots__ = ("dtype", "order", "product", "steps", "swapped", "values", "weak")

    def __init__(self, dtype: Any, weak: bool) -> None:
        self.dtype, self.weak = dtype, weak
        self.steps: list[Step] = []
        self.values: Any = None
        self.product: Any = None  # used instead of `dot_general`
        self.order: tuple[int, ...] | None = None
        self.swapped = False


def einsum(subscripts: Any, /, *operands: Any, out: None = None, optimize: Any = "auto", precision: Any = None,
           preferred_element_type: Any = None, _dot_general: Any = None, out_sharding: Any = None) -> Array:
    """Sums of products, named by letters: `einsum("ij,jk->ik", a, b)` is a matrix product.

    Args:
        subscripts: a letter for each axis of each operand, operands separated by commas; after `->` the axes of the
            result (by default the letters that occur once, in alphabetical order). `...` stands for any leading axes,
            which broadcast. Operands and lists of integers may alternate instead: `einsum(a, [0, 1], b, [1, 2], [0, 2])`.
        operands: arrays.
        out: is not supported.
        optimize: how to find the order in which more than two operands are multiplied; see opt_einsum.
        precision: of the computation; see `jax.lax.Precision`.
        preferred_element_type: dtype in which sums are kept, and of the result.
        _dot_general: used for products instead of `lax.dot_general`.
        out_sharding: how the result lies over explicit axes of a mesh: a `PartitionSpec` or `NamedSharding`.

    Raises:
        EinsumError: the subscripts do not fit the operands, or sizes of one letter differ.
    """
    try:
        refuse("einsum", out=out)
        if type(subscripts) is not str:
            subscripts, operands = _interleaved((subscripts, *operands))
        xs = [x if isinstance(x, Array) else asarray(array_like(x, "einsum", i + 1)) for i, x in enumerate(operands)]
        key = (state_key(), subscripts, preferred_element_type, precision, optimize if type(optimize) is str else None,
               *[x.aval for x in xs])
        keeps = type(optimize) is str and _dot_general is None
        plan = _plans.get(key) if keeps else None
        if plan is None:
            plan = make_plan(subscripts, xs, optimize, precision, preferred_element_type)
            plan.product = _dot_general
            if keeps:
                if len(_plans) >= MAX_PLANS:
                    _plans.clear()
                _plans[key] = plan
        if plan.values is not None and _dot_general is None:
            trace = local.trace
            values = plan.values
            if out_sharding is not None:
                if plan.order is not None:
                    return out_placed("einsum", out_sharding, lambda *ys: einsum(subscripts, *ys, optimize=optimize,
                                      precision=precision, preferred_element_type=preferred_element_type), *xs)
                numbers = values[0]
                rank = xs[0].ndim + xs[1].ndim - 2 * len(numbers[0][0]) - len(numbers[1][0])
                values = (*values[:3], asked_sharding("einsum", out_sharding, rank))
            found = trace.process(dot_general_p, (xs[1], xs[0]) if plan.swapped else (xs[0], xs[1]), values)
            if plan.order is not None:
                found = trace.process(transpose_p, (found,), (plan.order,))
            return found
        if out_sharding is not None:
            return out_placed("einsum", out_sharding, lambda *ys: einsum(
                subscripts, *ys, optimize=optimize, precision=precision, preferred_element_type=preferred_element_type,
                _dot_general=_dot_general), *xs)
        for step in plan.steps:
            step(xs)
        return convert(xs[0], plan.dtype, plan.weak)
    except Exception as error:
        trim(error)
        raise


@public
def einsum_path(subscripts: Any, /, *operands: Any, optimize: Any = "auto") -> tuple[list[tuple[int, ...]], Any]:
    """The order in which `einsum` would multiply its operands, and what opt_einsum says of its cost."""
    import opt_einsum  # on first use: it is not needed by most programs

    shapes = [np.shape(x) if not isinstance(x, (list, tuple)) else x for x in operands]
    if type(subscripts) is not str:
        subscripts, operands = _interleaved((subscripts, *operands))
        shapes = [np.shape(x) for x in operands]
    optimize = "optimal" if optimize is True else optimize
    path, info = opt_einsum.contract_path(subscripts, *shapes, shapes=True, optimize=optimize)
    return path, info


def _interleaved(args: Sequence[Any]) -> tuple[str, tuple]:
    """Alternating operands and lists of integers as subscripts and operands."""
    rest = list(args)
    output = rest.pop() if len(rest) % 2 else None
    operands, lists = rest[::2], rest[1::2]

    def text(labels: Any) -> str:
        return "".join(["..." if v is Ellipsis else chr(ord("a") + v) if v < 26 else chr(0x100 + v) for v in labels])

    for labels in [*lists, *([] if output is None else [output])]:
        if not isinstance(labels, (list, tuple)):
            raise EinsumError(kind="form", value=type(args[0]).__name__)
    joined = ",".join(map(text, lists))
    return (joined if output is None else f"{joined}->{text(output)}"), tuple(operands)


# -- reading the subscripts

def read(subscripts: str, ranks: Sequence[int]) -> tuple[list[Labels], Labels]:
    """The labels of each operand's axes, and those of the result.

    Raises:
        EinsumError: they do not fit.
    """
    text = subscripts.replace(" ", "")
    inputs, arrow, output = text.partition("->")
    terms = inputs.split(",")
    if len(terms) != len(ranks):
        raise EinsumError(kind="count", subscripts=subscripts, found=len(ranks), expected=len(terms))
    found = [_labels(term, rank, subscripts, i) for i, (term, rank) in enumerate(zip(terms, ranks))]
    dots = max([sum([isinstance(v, tuple) for v in labels]) for labels in found], default=0)
    leading: Labels = tuple([("...", i) for i in range(dots, 0, -1)])
    if not arrow:
        flat = [v for labels in found for v in labels if not isinstance(v, tuple)]
        return found, (*leading, *sorted({v for v in flat if flat.count(v) == 1}))  # type: ignore[type-var]
    named: list[Label] = []
    before, ellipsis, after = output.partition("...")
    named = [*before, *(leading if ellipsis else ()), *after]
    known = {v for labels in found for v in labels}
    for v in named:
        if v not in known:
            raise EinsumError(kind="unknown", subscripts=subscripts, value=v if isinstance(v, str) else "...")
        if named.count(v) > 1:
            raise EinsumError(kind="twice", subscripts=subscripts, value=v if isinstance(v, str) else "...")
    return found, tuple(named)


def _labels(term: str, rank: int, subscripts: str, index: int) -> Labels:
    before, ellipsis, after = term.partition("...")
    count = rank - len(before) - len(after)
    if "." in before + after:
        raise EinsumError(kind="term", subscripts=subscripts, value=term, index=index)
    if count < 0 or (count and not ellipsis):
        raise EinsumError(kind="rank", subscripts=subscripts, value=term, index=index, found=rank,
                          expected=len(before) + len(after))
    return (*before, *[("...", i) for i in range(count, 0, -1)], *after)


def _sizes(inputs: Sequence[Labels], xs: Sequence[Any], subscripts: str) -> dict[Label, int]:
    sizes: dict[Label, int] = {}
    seen: dict[Label, int] = {}  # the operand whose size it is
    for i, (labels, x) in enumerate(zip(inputs, xs)):
        for label, n in zip(labels, x.aval.shape):
            known = sizes.get(label, 1)
            if known != n and 1 not in (known, n):
                raise EinsumError(kind="size", subscripts=subscripts, value=label if isinstance(label, str) else "...", index=i,
                                  found=n, expected=known, first=seen[label], avals=tuple([y.aval for y in xs]))
            if known == 1:
                seen[label] = i
            sizes[label] = 0 if 0 in (known, n) else n if known == 1 else known
    return sizes


# -- the plan

def make_plan(subscripts: str, xs: Sequence[Any], optimize: Any, precision: Any, preferred: Any) -> Plan:
    """What to do for these subscripts and types."""
    try:
        inputs, output = read(subscripts, [x.aval.ndim for x in xs])
    except EinsumError as error:
        error.avals = tuple([x.aval for x in xs])
        raise
    dtype, weak = result_dtype([x.aval for x in xs], preferred, "einsum")
    if not xs:
        raise EinsumError(kind="none", subscripts=subscripts)
    sizes = _sizes(inputs, xs, subscripts)
    plan = Plan(dtype, weak)
    labels = list(inputs)
    simple = len(xs) == 2 and not weak
    for i, x in enumerate(xs):
        thin = tuple([k for k, v in enumerate(labels[i]) if x.aval.shape[k] == 1 and sizes[v] != 1])
        if thin:  # an axis of size 1 that broadcasts
            simple = False
            plan.steps.append(_squeeze(i, thin))
            labels[i] = tuple([v for k, v in enumerate(labels[i]) if k not in thin])
    canonical = canonical_precision(precision)
    path = [(0,)] if len(xs) == 1 else [(0, 1)] if len(xs) == 2 else _path(inputs, output, sizes, optimize)
    for which in path:
        picked = [labels[i] for i in which]
        rest = [v for i, v in enumerate(labels) if i not in which]
        keep = set(output).union(*map(set, rest))
        last = not rest
        prepared = [_prepare(plan, i, mine, keep.union(*[set(o) for j, o in enumerate(picked) if j != n]), sizes)
                    for n, (i, mine) in enumerate(zip(which, picked))]
        if len(which) == 1:
            labels[which[0]] = prepared[0]
            continue
        before = len(plan.steps)
        result = _multiply(plan, which, prepared, keep, output if last else None, canonical, dtype)
        simple = simple and before == 0
        labels = [v for i, v in enumerate(labels) if i not in which] + [result]
    final = labels[0]
    order = tuple([final.index(v) for v in output])
    if order != tuple(range(len(order))):
        plan.order = order
        plan.steps.append(_transpose(order))
    if not simple:
        plan.values = None
    return plan


SOME_SIZE = 64  # taken for a symbolic size where the costs of orders are compared


def _path(inputs: Sequence[Labels], output: Labels, sizes: dict[Label, int], optimize: Any) -> list[tuple[int, ...]]:
    """The order of the products, as pairs of places in the list of operands; results go to its end."""
    if isinstance(optimize, (list, tuple)) and optimize and not isinstance(optimize[0], str):
        return [tuple(pair) for pair in optimize]
    if optimize is False:  # from left to right; each result is the last of the list, the next operand the first
        return [(0, 1), *[(count - 1, 0) for count in range(len(inputs) - 1, 1, -1)]]
    import opt_einsum  # on first use: it is not needed by most programs

    names = {v: opt_einsum.get_symbol(i) for i, v in enumerate(sizes)}
    text = ",".join(["".join([names[v] for v in labels]) for labels in inputs])
    shapes = [tuple([sizes[v] if type(sizes[v]) is int else SOME_SIZE for v in labels]) for labels in inputs]
    path, _ = opt_einsum.contract_path(f"{text}->{''.join([names[v] for v in output])}", *shapes, shapes=True,
                                       optimize="optimal" if optimize is True else optimize)
    pairs: list[tuple[int, ...]] = []
    count = len(inputs)
    for group in path:
        places = sorted(group, reverse=True)
        for k, i in enumerate(places[1:]):  # of more than two, each joins the result of those before, the last of the list
            pairs.append((places[0] if k == 0 else count - 1, i))
            count -= 1
    return pairs


def _squeeze(i: int, axes: tuple[int, ...]) -> Step:
    def step(xs: list[Any]) -> None:
        xs[i] = lax_shape.squeeze(xs[i], axes)

    return step


def _transpose(order: tuple[int, ...]) -> Step:
    def step(xs: list[Any]) -> None:
        xs[0] = lax_shape.transpose(xs[0], order)

    return step


def _prepare(plan: Plan, i: int, labels: Labels, keep: set[Label], sizes: dict[Label, int]) -> Labels:
    """Take diagonals where an operand has a label twice, and sum over labels that nothing else needs."""
    while len(set(labels)) != len(labels):
        label = next(v for v in labels if labels.count(v) > 1)
        first, second = [k for k, v in enumerate(labels) if v == label][:2]
        plan.steps.append(_diagonal(i, first, second))
        labels = labels[:first] + labels[first + 1:]
    summed = tuple([k for k, v in enumerate(labels) if v not in keep])
    if summed:
        plan.steps.append(_sum(i, summed))
        labels = tuple([v for v in labels if v in keep])
    return labels


def _diagonal(i: int, first: int, second: int) -> Step:
    def step(xs: list[Any]) -> None:
        """Everything off the diagonal becomes 0; then the sum along the first axis is the diagonal."""
        x = xs[i]
        shape = x.aval.shape
        n = shape[first]
        on = compare.eq(*[lax_shape.broadcasted_iota(np.uint32, (n, n), k) for k in (0, 1)])
        on = lax_shape.broadcast_in_dim(on, shape, (first, second))
        zeros = lax_shape.broadcast_in_dim(np.zeros((), x.aval.dtype), shape, ())
        chosen = compare.select(on, x, zeros)
        if x.aval.dtype == np.dtype(bool):
            xs[i] = reduce_or(chosen, (first,))
        else:
            xs[i] = reduce_sum(chosen, (first,))

    return step


def _sum(i: int, axes: tuple[int, ...]) -> Step:
    def step(xs: list[Any]) -> None:
        if xs[i].aval.dtype == np.dtype(bool):
            xs[i] = reduce_or(xs[i], axes)
        else:
            xs[i] = reduce_sum(xs[i], axes)

    return step


def _multiply(plan: Plan, which: Sequence[int], labels: Sequence[Labels], keep: set[Label], output: Labels | None,
              precision: Any, dtype: Any) -> Labels:
    """One product of two operands; its result goes to the end of the list."""
    left, right = labels
    i, j = which
    if output is None and i > j:  # earlier results stand on the left
        (left, right), (i, j) = (right, left), (j, i)
    common = [v for v in left if v in right]
    batch = [v for v in common if v in keep]
    contracted = [v for v in common if v not in keep]

    def names(a: Labels, b: Labels) -> Labels:
        return (*batch, *[v for v in a if v not in common], *[v for v in b if v not in common])

    swapped = output is not None and names(left, right) != output and names(right, left) == output
    if swapped:
        left, right, i, j = right, left, j, i
    numbers = ((tuple([left.index(v) for v in contracted]), tuple([right.index(v) for v in contracted])),
               (tuple([left.index(v) for v in batch]), tuple([right.index(v) for v in batch])))
    values = (numbers, precision, dtype, None)
    plan.values, plan.swapped = values, swapped

    def step(xs: list[Any]) -> None:
        if plan.product is None:
            found = local.trace.process(dot_general_p, (xs[i], xs[j]), values)
        else:
            found = plan.product(xs[i], xs[j], numbers, precision=precision, preferred_element_type=dtype)
        for k in sorted((i, j), reverse=True):
            del xs[k]
        xs.append(found)

    plan.steps.append(step)
    return names(left, right)


__all__ = ["einsum", "einsum_path"]
