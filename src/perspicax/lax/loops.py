"""Loops of known length: `scan` and `map`; and `fori_loop`, which is one where its bounds are known."""
from __future__ import annotations

import functools
import operator
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from perspicax.core import dtypes
from perspicax.core.avals import ShapedArray
from perspicax.core.config import config
from perspicax.core.jaxpr import ClosedJaxpr
from perspicax.core.promotion import promote_types
from perspicax.core.trace import stage_flat
from perspicax.core.tracer import Tracer, get_aval, valid_jaxtype
from perspicax.core.tracer_errors import static_value
from perspicax.diagnose.boundary import public
from perspicax.lax import elementwise, shape, slicing
from perspicax.lax.bodies import Body, check_callable, leaf_paths, parameter_name, stage_body
from perspicax.lax.branch_errors import PredicateError
from perspicax.lax.carry import as_typed, carry_type_error, check_carry_structure, settle_carry
from perspicax.lax.compare import lt
from perspicax.lax.control_errors import BoundsTypeError, CarryTypeError, ScanLengthError, UnrollError
from perspicax.lax.explicit_errors import SplitRowsError
from perspicax.lax.forwarding import scan_around
from perspicax.lax.operand import operand
from perspicax.lax.parameters import calling
from perspicax.lax.ref_threads import fori_with_refs, map_with_refs, scan_with_refs
from perspicax.lax.while_loops import while_around, while_loop
from perspicax.transform import trees as tree
from perspicax.transform.hooks import lax
from perspicax.transform.stage import FlatFunction, check_arguments, function_name
from perspicax.transform.vmap import vmap
from perspicax.xla.explicit import in_use


@public
@scan_with_refs
def scan(f: Callable[..., Any], init: Any, xs: Any = None, length: int | None = None, reverse: bool = False,
         unroll: int | bool = 1, _split_transpose: bool = False) -> Any:
    """A loop over the leading axis of `xs` that carries a value along.

    Args:
        f: `f(carry, x) -> (carry, y)`; the carry keeps its structure, shapes and dtypes. `y` is any pytree, `None` too.
        init: the first carry, any pytree of arrays.
        xs: pytree of arrays `[length, ...]`, or `None`.
        length: number of steps, where `xs` does not tell it.
        reverse: go from the last entry to the first; the results `y` stand in the order of `xs` all the same.
        unroll: how many steps one round of the compiled loop does; `True` for all of them.
        _split_transpose: taken for JAX's sake; the backward loop is the same either way, as it is there.

    Returns:
        The last carry, and the `y` of all steps stacked along a new leading axis.

    Raises:
        CarryTypeError: the carry that `f` returns has another type than the one it got.
        ScanLengthError: the leading axes disagree with each other or with `length`.
        UnrollError: `unroll` is negative.

    >>> scan(lambda total, x: (total + x, total), 0., jnp.arange(3.))
    (Array(3., dtype=float32), Array([0., 0., 1.], dtype=float32, weak_type=True))
    """
    check_callable(f, "scan", "f")
    init_leaves, init_tree = tree.flatten(init)
    xs_leaves, xs_tree = tree.flatten(xs)
    whole_tree = tree.flatten(((init, xs), {}))[1]
    avals = check_arguments([*init_leaves, *xs_leaves], whole_tree, f, "scan")
    init_leaves, xs_leaves = [operand(x) for x in init_leaves], [operand(x) for x in xs_leaves]
    carry_avals, stack_avals = avals[:len(init_leaves)], avals[len(init_leaves):]
    n = _scan_length(function_name(f), stack_avals, xs_tree, length)
    steps = _unrolled(unroll, n, "scan")
    if config.jax_disable_jit:
        return _scan_in_python(f, init, xs, n, bool(reverse))
    for i, a in enumerate(stack_avals):
        if a.explicit is not None and a.explicit.spec[0] is not None:
            path = tree.keystr(tree.flatten_with_path(xs)[0][i][0])
            raise SplitRowsError(function=function_name(f), name=f"xs{path}", aval=a)
    x_avals = [a.unbatched(0) for a in stack_avals]

    def stage(carry: list) -> tuple[Body, Sequence[Any]]:
        body = stage_body(f, "scan", whole_tree, [*carry, *x_avals])
        found = body.found.get("scan")
        if found is None:
            found = body.found["scan"] = _split_result(f, body, init_tree)
        return body, found[0]

    name = lambda: parameter_name(f, 0, "carry")
    operands = [*init_leaves, *xs_leaves]
    body, carry_avals = settle_carry(stage, carry_avals,
                                     lambda wrong: carry_type_error(f, "scan", name(), init_tree, wrong), operands)
    y_tree = body.found["scan"][1]
    count = len(init_leaves)
    carry = as_typed(init_leaves, carry_avals, [*operands, *body.consts])
    outs = scan_around(body, carry, xs_leaves, length=n, reverse=bool(reverse), unroll=steps)
    result = init_tree.unflatten(outs[:count]), y_tree.unflatten(outs[count:])
    return list(result) if body.found["scan"][2] else result


def _split_result(f: Any, body: Body, init_tree: Any) -> tuple[Sequence[Any], Any, bool]:
    """Types of the carry that the body returns, the structure of what is stacked, and whether the pair is a list."""
    pair = body.out_tree.unflatten(range(body.out_tree.num_leaves))
    if not isinstance(pair, (tuple, list)) or len(pair) != 2:
        raise CarryTypeError(function=function_name(f), kind="pair", got=_described(pair, body))
    got_tree = tree.flatten(pair[0])[1]
    if got_tree != init_tree:
        check_carry_structure(f, "scan", parameter_name(f, 0, "carry"), init_tree, got_tree)
    return body.closed.out_avals[:init_tree.num_leaves], tree.flatten(pair[1])[1], type(pair) is list


def _described(result: Any, body: Body) -> str:
    # a leaf stands there by its number
    return body.closed.out_avals[result].str_short() if isinstance(result, int) else _worded(result)


def _worded(result: Any) -> str:
    if isinstance(result, (tuple, list)):
        return f"a {type(result).__name__} of {len(result)}"
    if valid_jaxtype(result):
        text: str = get_aval(result).str_short()  # type: ignore[attr-defined]
        return text
    return "None" if result is None else f"a {type(result).__name__}"


def _unrolled(unroll: Any, n: int, transform: str) -> int:
    if isinstance(unroll, bool):
        return max(n, 1) if unroll else 1
    try:
        given = static_value(unroll, transform, "unroll")
        steps = int(given) if transform == "scan" else operator.index(given)  # JAX's scan takes 4.0 too
    except TypeError as error:
        if type(error) is not TypeError:  # a traced one has its own report
            raise
        raise UnrollError(transform=transform, got=repr(unroll), kind="integer") from None
    if steps < 0:
        raise UnrollError(transform=transform, got=repr(unroll), kind="negative")
    return max(steps, 1)


def _scan_length(name: str, avals: Sequence[Any], xs_tree: Any, length: Any, transform: str = "scan") -> int:
    length = None if length is None else int(static_value(length, transform, "length"))

    def fail(kind: str, chosen: Sequence[int]) -> ScanLengthError:
        paths = leaf_paths(xs_tree)
        rows = tuple([(f"xs{paths[i]}", avals[i].str_short()) for i in chosen])
        return ScanLengthError(function=name, kind=kind, rows=rows, length=length, transform=transform)

    scalars = [i for i, a in enumerate(avals) if not a.shape]
    if scalars:
        raise fail("scalar", scalars)
    sizes = {a.shape[0] for a in avals} | ({length} if length is not None else set())
    if len(sizes) > 1:
        raise fail("differ", range(len(avals)))
    if not sizes:
        raise fail("unknown", ())
    n = sizes.pop()
    if n < 0:
        raise fail("negative", ())
    return n


def _scan_in_python(f: Callable[..., Any], init: Any, xs: Any, n: int, reverse: bool) -> tuple[Any, Any]:
    """The loop itself, with `jax_disable_jit`: the body sees concrete values."""
    if n == 0:
        raise ScanLengthError(function=function_name(f), kind="empty", rows=())
    carry, ys = init, []
    for i in reversed(range(n)) if reverse else range(n):
        x = tree.tree_map(lambda leaf: slicing.index_in_dim(leaf, i, keepdims=False), xs)
        pair = calling(f, "scan", "f", (carry, x))
        if not isinstance(pair, (tuple, list)) or len(pair) != 2:
            raise CarryTypeError(function=function_name(f), kind="pair", got=_worded(pair))
        carry, y = pair
        ys.append(y)
    if reverse:
        ys.reverse()
    return carry, tree.tree_map(_stack, *ys)


def _stack(*leaves: Any) -> Any:
    dtype = leaves[0] if len(leaves) == 1 else None
    avals = [get_aval(x) for x in leaves]
    if dtype is None:  # a Python number in the first step, an array later
        dtype = avals[0].dtype
        for a in avals[1:]:
            dtype = promote_types(dtype, a.dtype)
        weak = all(a.weak_type for a in avals)
        leaves = tuple([lax().convert(x, ShapedArray(a.shape, dtype, weak)) for x, a in zip(leaves, avals)])
    if in_use and len({a.shape for a in avals}) == 1:
        from perspicax.lax.off_mesh import all_laid_alike  # for its weight: few programs need it

        leaves = tuple(all_laid_alike(leaves))
    return shape.concatenate([shape.expand_dims(v, (0,)) for v in leaves], 0)


# -- map

@public
@map_with_refs(scan)
def map(f: Callable[..., Any], xs: Any, *, batch_size: int | None = None) -> Any:
    """`f` applied to each entry of the leading axis, one after the other.

    Like `vmap`, but with memory for one entry at a time.

    Args:
        f: a function of one entry (a pytree like `xs`, without the leading axis).
        xs: pytree of arrays `[n, ...]`.
        batch_size: how many entries are taken together, by `vmap`; the last batch may be smaller.

    Returns:
        The results, stacked along a new leading axis.

    Raises:
        ScanLengthError: the leading axes disagree.
        UnrollError: `batch_size` is no number of entries.

    >>> map(lambda x: x * x, jnp.arange(3))
    Array([0, 1, 4], dtype=int32)
    """
    check_callable(f, "map", "f")
    if batch_size:
        try:
            size = operator.index(batch_size)
        except TypeError as error:
            if type(error) is not TypeError:  # a traced one has its own report
                raise
            raise UnrollError(transform="map", got=repr(batch_size), kind="batch") from None
        if size < 0:
            raise UnrollError(transform="map", got=str(size), kind="batch")
        return _map_batches(f, xs, size)
    leaves, xs_tree = tree.flatten(xs)
    in_tree = tree.flatten(((xs,), {}))[1]
    avals = check_arguments(leaves, in_tree, f, "map")
    leaves = [operand(x) for x in leaves]
    n = _scan_length(function_name(f), avals, xs_tree, None, "map")
    if config.jax_disable_jit:
        return _scan_in_python(lambda _, x: (None, calling(f, "map", "f", (x,))), None, xs, n, False)[1]
    body = stage_body(f, "map", in_tree, [a.unbatched(0) for a in avals])
    outs = scan_around(body, (), leaves, length=n, reverse=False, unroll=1)
    return body.out_tree.unflatten(outs)


def _map_batches(f: Callable[..., Any], xs: Any, size: int) -> Any:
    leaves, xs_tree = tree.flatten(xs)
    avals = check_arguments(leaves, tree.flatten(((xs,), {}))[1], f, "map")
    n = _scan_length(function_name(f), avals, xs_tree, None, "map")
    rounds, rest = divmod(n, size)
    together = vmap(functools.wraps(f, updated=())(lambda *args: calling(f, "map", "f", args)))
    done = []
    if rounds:
        whole = [shape.reshape(slicing.slice_in_dim(x, 0, rounds * size), (rounds, size, *a.shape[1:]))
                 for x, a in zip(leaves, avals)]
        found = scan(lambda _, x: (None, together(x)), None, xs_tree.unflatten(whole))[1]
        done.append(tree.tree_map(lambda y: shape.reshape(y, (rounds * size, *get_aval(y).shape[2:])), found))
    if rest or not rounds:
        done.append(together(xs_tree.unflatten([slicing.slice_in_dim(x, rounds * size, n) for x in leaves])))
    return done[0] if len(done) == 1 else tree.tree_map(lambda *ys: shape.concatenate(ys, 0), *done)


# -- fori_loop

@public
@fori_with_refs
def fori_loop(lower: Any, upper: Any, body_fun: Callable[..., Any], init_val: Any, *,
              unroll: int | bool | None = None) -> Any:
    """A loop that counts from `lower` up to, and without, `upper`.

    Args:
        lower: integer scalar.
        upper: integer scalar; nothing happens where it is not above `lower`.
        body_fun: `body_fun(i, value) -> value`; the value keeps its structure, shapes and dtypes.
        init_val: the first value, any pytree of arrays.
        unroll: how many steps one round of the compiled loop does, where both bounds are known.

    Returns:
        The last value. Where both bounds are known while tracing, the loop is a `scan`, and can be differentiated in
        reverse mode; else it is a `while_loop`.

    Raises:
        CarryTypeError: the value that `body_fun` returns has another type than the one it got.
        BoundsTypeError: the bounds differ in dtype.
        PredicateError: a bound is no scalar.
        UnrollError: `unroll` was given, but a bound is traced.

    >>> fori_loop(0, 4, lambda i, x: x + i, 0)
    Array(6, dtype=int32, weak_type=True)
    """
    check_callable(body_fun, "fori_loop", "body_fun")
    lower, upper, counter = _bounds(lower, upper)
    leaves, value_tree = tree.flatten(init_val)
    in_tree = tree.flatten(((0, init_val), {}))[1]
    avals = check_arguments([lower, *leaves], in_tree, body_fun, "fori_loop")[1:]
    leaves = [operand(x) for x in leaves]
    first, last = _known(lower), _known(upper)
    if (first is None or last is None) and unroll is not None and unroll is not False and unroll != 1:
        raise UnrollError(transform="fori_loop", got=repr(unroll), kind="dynamic")
    if config.jax_disable_jit:
        return _count_in_python(lower, upper, body_fun, init_val)
    in_scan = isinstance(first, int) and isinstance(last, int)
    counter = get_aval(0) if in_scan else counter
    extra = 1 if in_scan else 2

    def stage(carry: list) -> tuple[Body, Sequence[Any]]:
        body = stage_body(body_fun, "fori_loop", in_tree, [*[counter] * extra, *carry], wrap=_count(in_scan), wrap_key=in_scan,
                          parameter="body_fun", names=None if in_scan else lambda: _names_with_bound(body_fun, in_tree))
        if body.out_tree != value_tree:
            check_carry_structure(body_fun, "fori_loop", parameter_name(body_fun, 1, "value"), value_tree, body.out_tree)
        return body, body.closed.out_avals[extra:]

    body, avals = settle_carry(stage, avals, lambda wrong: carry_type_error(
        body_fun, "fori_loop", parameter_name(body_fun, 1, "value"), value_tree, wrong), [*[lower] * extra, *leaves], extra)
    leaves = as_typed(leaves, avals, [*leaves, *body.consts])
    start = [first] if in_scan else as_typed([lower], [counter])
    if in_scan:
        n = max(last - first, 0)
        outs = scan_around(body, [*start, *leaves], (), length=n, reverse=False,
                           unroll=_unrolled(1 if unroll is None else unroll, n, "fori_loop"))
    else:
        outs = while_around(_below(body, [counter, counter, *avals]), [], body.closed, body.consts,
                            [*start, *as_typed([upper], [counter]), *leaves])
    return value_tree.unflatten(outs[extra:])


def _count(in_scan: bool) -> Callable[[FlatFunction], Callable[..., list]]:
    """The user's body as one that counts too: its carry is led by the counter and, in a while loop, by the bound."""
    def wrap(flat: FlatFunction) -> Callable[..., list]:
        if in_scan:
            return lambda i, *value: [_next(i), *flat(i, *value)]
        return lambda i, bound, *value: [_next(i), bound, *flat(i, *value)]

    return wrap


def _next(i: Any) -> Any:
    aval = get_aval(i)
    return elementwise.add(i, np.ones((), aval.dtype) if not aval.weak_type else 1 if aval.dtype.kind == "i" else 1.0)


def _below(body: Body, avals: Sequence[Any]) -> ClosedJaxpr:
    """The test of a counted loop, made once for each body."""
    found = body.found.get("below")
    if found is None:
        found = body.found["below"] = stage_flat(lambda i, bound, *_: [lt(i, bound)], avals)
    return found


def _names_with_bound(body_fun: Any, in_tree: Any) -> Sequence[str]:
    from perspicax.transform.stage import debug_info

    i, *rest = debug_info("fori_loop", body_fun, in_tree).arg_names or ("i",)
    return i, "upper", *rest


def _bounds(lower: Any, upper: Any) -> tuple[Any, Any, ShapedArray]:
    """The bounds as operands, and the type of the counter: that of `lower`, a Python number taking the other's dtype."""
    lower, upper = (operand(int(x) if isinstance(x, (bool, np.bool_)) else x) for x in (lower, upper))
    a, b = get_aval(lower), get_aval(upper)
    for name, aval in (("lower", a), ("upper", b)):
        if aval.shape:
            raise PredicateError(transform="fori_loop", what=name, kind="shape", got=aval.str_short())
    if a.dtype != b.dtype:
        for number, x, aval in ((lower, a, b), (upper, b, a)):
            if x.weak_type and isinstance(number, int) and dtypes.issubdtype(aval.dtype, np.integer):
                return lower, upper, aval.strong
        raise BoundsTypeError(lower=a.str_short(), upper=b.str_short())
    return lower, upper, a


def _known(bound: Any) -> Any:
    """The value of a bound, where it is known; an integer as Python's."""
    if isinstance(bound, Tracer):
        return None
    value = np.asarray(bound.value() if hasattr(bound, "value") else bound)
    return int(value) if dtypes.issubdtype(value.dtype, np.integer) else value[()]


def _count_in_python(lower: Any, upper: Any, body_fun: Callable[..., Any], value: Any) -> Any:
    """The loop itself, with `jax_disable_jit`."""
    i = lower
    while i < upper:
        value = calling(body_fun, "fori_loop", "body_fun", (i, value))
        i = i + 1
    return value


__all__ = ["fori_loop", "map", "scan", "while_loop"]
