"""`vmap`: a function of single examples becomes a function of batches."""
from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any

from perspicax.core.ref_errors import OuterRefError
from perspicax.core.refs import RefCell, lent, write_all
from perspicax.core.tracer import get_aval
from perspicax.transform import trees as tree
from perspicax.transform.batch import BatchAxis, batch_flat, to_axis
from perspicax.transform.errors import ArgumentTypeError, BatchAxisError, BatchSizeError
from perspicax.transform.hooks import lax
from perspicax.transform.ref_calls import Passed, passed_for, with_arguments
from perspicax.transform.stage import (
    FlatFunction,
    check_arguments,
    debug_info,
    function_name,
    positional_names,
    result_path,
    short_repr,
    wraps,
)
from perspicax.xla.explicit import axis_part, on_axis


def vmap(fun: Callable[..., Any], in_axes: Any = 0, out_axes: Any = 0, axis_name: Any = None,
         axis_size: int | None = None, spmd_axis_name: Any = None, sum_match: bool = False) -> Callable[..., Any]:
    """`fun` applied to each slice of its arguments, at once.

    Args:
        fun: a function of single examples.
        in_axes: which axis of each argument is the batch: an int, `None` (the argument is the same for all), or a
            tuple of these (or of pytree prefixes) with one entry for each positional argument. Keyword arguments are
            always mapped over axis 0.
        out_axes: where the batch axis stands in the results: an int or a prefix of the result's pytree; `None` for
            results that are the same for all.
        axis_name: a name for the axis, for collectives such as `lax.psum`.
        axis_size: the size of the batch, where no argument tells it.

    Raises:
        BatchAxisError: `in_axes` or `out_axes` does not fit the arguments or results.
        BatchSizeError: the mapped axes differ in size.

    >>> vmap(lambda x, y: x @ y)(jnp.ones((5, 3)), jnp.ones((5, 3))).shape
    (5,)
    """
    if isinstance(in_axes, list):
        in_axes = tuple(in_axes)
    if in_axes is not None and not isinstance(in_axes, tuple) and not hasattr(in_axes, "__index__"):
        raise BatchAxisError(function=function_name(fun), option="in_axes", kind="type", got=short_repr(in_axes))
    for which, axes in (("in_axes", in_axes), ("out_axes", out_axes)):
        for leaf in tree.leaves(axes):
            if not hasattr(leaf, "__index__") or isinstance(leaf, bool):
                raise BatchAxisError(function=function_name(fun), option=which, kind="type", got=repr(leaf))

    def mapped(*args: Any, **kwargs: Any) -> Any:
        if isinstance(in_axes, tuple) and len(in_axes) != len(args):
            raise BatchAxisError(function=function_name(fun), option="in_axes", kind="count",
                                 got=f"{len(in_axes)}", expected=f"{len(args)}")
        leaves, in_tree = tree.flatten((args, kwargs))
        try:
            avals = check_arguments(leaves, in_tree, fun, "vmap")
        except ArgumentTypeError:
            if not any(isinstance(x, RefCell) for x in leaves):
                raise
            return _mapped_with_refs(fun, in_axes, out_axes, args, kwargs, axis_name=axis_name, axis_size=axis_size,
                                     spmd_axis_name=spmd_axis_name)
        axes = _flat_in_axes(fun, in_axes, args, kwargs, in_tree)
        axes = [_normal(fun, a, aval, i, in_tree) for i, (a, aval) in enumerate(zip(axes, avals))]
        size = _batch_size(fun, axes, avals, in_tree, axis_size)
        flat = FlatFunction(fun, in_tree, "vmap")
        axis = BatchAxis(size, axis_name, spmd_axis_name, _part(fun, axes, avals, in_tree))
        outs, found = batch_flat(flat, axis, leaves, axes, debug_info("vmap", fun, in_tree))
        wanted = _flat_out_axes(fun, out_axes, flat.out_tree, outs)
        placed = []
        for i, (x, a, w) in enumerate(zip(outs, found, wanted)):
            if w is None:
                if a is not None:
                    whole = flat.out_tree.unflatten(list(range(len(outs))))
                    raise BatchAxisError(function=function_name(fun), option="out_axes", kind="mapped result",
                                         got=result_path(whole, i))
                placed.append(x)
                continue
            rank = len(get_aval(x).shape) + (a is None)  # type: ignore[attr-defined]
            if not -rank <= w < rank:
                raise BatchAxisError(function=function_name(fun), option="out_axes", kind="range", got=str(w),
                                     expected=str(rank))
            x = to_axis(x, a, w % rank, size)
            if a is None and axis.part is not None:  # as what is mapped
                x = lax().laid_as(x, on_axis(get_aval(x), w % rank, axis.part))
            placed.append(x)
        return flat.out_tree.unflatten(placed)

    return wraps(fun, mapped)


def _mapped_with_refs(fun: Any, in_axes: Any, out_axes: Any, args: tuple, kwargs: dict, **options: Any) -> Any:
    """A call with references among the arguments: their values are mapped as arrays are, and the new ones written back."""
    cells, (args, kwargs) = passed_for((args, kwargs), fun, "vmap")
    axes = iter(_flat_in_axes(fun, in_axes, args, kwargs, tree.flatten((args, kwargs))[1]))
    nodes = tree.leaves((args, kwargs), is_leaf=lambda x: isinstance(x, Passed))
    own = [a for node, a in zip(nodes, axes) if isinstance(node, Passed)]
    try:
        with lent(cells, "vmap", function_name(fun)):
            values, result = vmap(with_arguments(fun), in_axes, (own, out_axes), **options)(*args, **kwargs)
    except BatchAxisError as error:
        if error.option == "out_axes" and error.kind == "mapped result" and error.got.startswith("result[0]"):
            wrong = cells[int(error.got[len("result[0]["):-1])]
            raise OuterRefError(type_text=get_aval(wrong.read()).str_short(), kind="write", position=error.position) from None
        raise
    write_all(cells, values)
    return result


def _flat_in_axes(fun: Any, in_axes: Any, args: tuple, kwargs: dict, in_tree: Any) -> list[int | None]:
    if in_axes is None or isinstance(in_axes, int):
        positional: list[Any] = [in_axes] * len(tree.leaves(args))
    else:
        positional = []
        for i, (axes, arg) in enumerate(zip(in_axes, args)):
            positional += _broadcast(fun, axes, arg, "in_axes", i, len(args))
    return positional + [0] * (in_tree.num_leaves - len(positional))


def _broadcast(fun: Any, prefix: Any, full: Any, option: str, index: int = 0, count: int = 0) -> list[Any]:
    """One axis for each leaf of `full`: the result, or for `in_axes` the argument `index` of `count`."""
    try:
        return tree.broadcast_prefix(prefix, full, is_leaf=lambda x: x is None)
    except ValueError:
        name = positional_names(fun, count)[index] if count else ""
        raise BatchAxisError(function=function_name(fun), option=option, kind="tree", got=short_repr(prefix), name=name,
                             axes=prefix, structure=tree.flatten(full)[1], index=index) from None


def _normal(fun: Any, axis: Any, aval: Any, index: int, in_tree: Any) -> int | None:
    if axis is None:
        return None
    axis = int(axis)
    if not -len(aval.shape) <= axis < len(aval.shape):
        raise BatchAxisError(function=function_name(fun), option="in_axes", kind="rank", got=str(axis),
                             expected=aval.str_short(), name=_name(fun, in_tree, index))
    return axis % len(aval.shape)


def _name(fun: Any, in_tree: Any, index: int) -> str:
    args, kwargs = in_tree.unflatten(list(range(in_tree.num_leaves)))
    for name, arg in [*zip(positional_names(fun, len(args)), args), *kwargs.items()]:
        for path, leaf in tree.flatten_with_path(arg)[0]:
            if leaf == index:
                return f"{name}{tree.keystr(path)}"
    return f"argument {index}"


def _batch_size(fun: Any, axes: list, avals: list, in_tree: Any, axis_size: int | None) -> int:
    sizes = {i: avals[i].shape[a] for i, a in enumerate(axes) if a is not None}
    distinct = set(sizes.values()) | ({axis_size} if axis_size is not None else set())
    if len(distinct) == 1:
        return distinct.pop()
    if not distinct:
        raise BatchAxisError(function=function_name(fun), option="in_axes", kind="none mapped", got="None")
    rows = tuple((_name(fun, in_tree, i), avals[i].str_short(), axes[i], n) for i, n in sizes.items())
    raise BatchSizeError(function=function_name(fun), rows=rows, axis_size=axis_size,
                         in_axes=_agreeing_axes(axes, sizes, in_tree, axis_size))


def _part(fun: Any, axes: list, avals: list, in_tree: Any) -> Any:
    """How explicit axes of a mesh split the axis that is mapped; `None` where none does.

    Raises:
        BatchAxisError: they split it differently in two arguments.
    """
    if not any(a.explicit is not None for a in avals):
        return None
    found = [(i, axis_part(avals[i], a)) for i, a in enumerate(axes) if a is not None]
    other = next((i for i, part in found if part != found[0][1]), None)
    if other is not None:
        raise BatchAxisError(function=function_name(fun), option="in_axes", kind="splits", name=_name(fun, in_tree, other),
                             got=avals[other].str_short(), axes=axes[other], structure=axes[found[0][0]],
                             expected=f"`{_name(fun, in_tree, found[0][0])}` is {avals[found[0][0]].str_short()}")
    return found[0][1]


def _agreeing_axes(axes: list, sizes: dict[int, int], in_tree: Any, axis_size: int | None) -> tuple:
    """`in_axes` with None for the arguments whose size is not the commonest one; empty where that is no tuple of numbers."""
    if axis_size is None:
        common, count = Counter(sizes.values()).most_common(1)[0]
        if 2 * count <= len(sizes) and len(sizes) > 2:
            return ()
    else:
        common = axis_size
    args, kwargs = in_tree.unflatten(list(range(in_tree.num_leaves)))
    if kwargs:
        return ()
    found = []
    for arg in args:
        leaves = tree.leaves(arg)
        own = {axes[i] for i in leaves}
        if len(own) != 1:
            return ()
        found.append(own.pop() if all(sizes.get(i, common) == common for i in leaves) else None)
    return tuple(found) if any(a is not None for a in found) else ()


def _flat_out_axes(fun: Any, out_axes: Any, out_tree: Any, outs: list) -> list[int | None]:
    if out_axes is None or isinstance(out_axes, int):
        return [out_axes] * len(outs)
    return _broadcast(fun, out_axes, out_tree.unflatten(list(range(len(outs)))), "out_axes")
