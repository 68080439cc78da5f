"""Rules of `jet`: what primitives make of power series. What has none here is expanded by its derivative.

A rule is `primitive.extra["jet"]`: `rule(primals, series, **params) -> (out, series)`, with the further coefficients of each
operand as a list of equal lengths, `None` for zeros, and the same for the result (lists of both, where it has
`multiple_results`).
"""
from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from perspicax.api.jet import jet_flat
from perspicax.api.power_series import (
    Series,
    coefficient,
    grown,
    logarithm,
    over,
    paired,
    power,
    product,
    root,
    scaled,
    times,
    total,
)
from perspicax.core.jaxpr import ClosedJaxpr, eval_jaxpr
from perspicax.core.primitive import Primitive
from perspicax.core.trace import stage_flat
from perspicax.core.tracer import get_aval
from perspicax.lax import (
    branching,
    compare,
    contraction,
    convert,
    convolution,
    cumulative,
    elementwise,
    fourier,
    gathering,
    markers,
    placement,
    reductions,
    scanning,
    scattering,
    shape,
    slicing,
    stacking,
    transcendental,
    while_loops,
    window,
)
from perspicax.lax.bodies import open_consts
from perspicax.lax.carry import carry_fixpoint, reordered
from perspicax.lax.families import constant_like, spread_tangent
from perspicax.transform.hooks import filled
from perspicax.transform.jit_primitive import jit_p
from perspicax.transform.remat import remat_p

Rule = Callable[..., Any]


def _inexact_zero(x: Any) -> Any:
    return filled(get_aval(x), 0)


# -- linear

def _linear(primitive: Primitive, positions: Sequence[int] | None = None) -> Rule:
    """Linear in these operands together (all of them by default): each coefficient by itself."""
    def rule(primals: Sequence[Any], series: Sequence[Series], **params: Any) -> tuple[Any, Any]:
        out = primitive(*primals, **params)
        linear = range(len(primals)) if positions is None else positions
        rows: list[Any] = []
        for k in range(len(series[0])):
            if all(series[i][k] is None for i in linear):
                rows.append([None] * len(out) if primitive.multiple_results else None)
                continue
            operands = [(_inexact_zero(x) if series[i][k] is None else series[i][k]) if i in linear else x
                        for i, x in enumerate(primals)]
            rows.append(primitive(*operands, **params))
        return out, [list(column) for column in zip(*rows)] if primitive.multiple_results else rows

    return rule


def _added(primitive: Primitive, sign: int) -> Rule:
    """A sum or a difference: a zero on one side costs nothing."""
    def rule(primals: Sequence[Any], series: Sequence[Series], **params: Any) -> tuple[Any, Series]:
        out = primitive(*primals, **params)
        terms: Series = []
        for a, b in zip(*series):
            if a is not None and b is not None:
                terms.append(primitive(a, b, **params))
            else:
                found = a if b is None else scaled(b, sign)
                terms.append(found if found is None else _spread(found, out))
        return out, terms

    return rule


def _spread(x: Any, like: Any) -> Any:
    """A coefficient of a scalar among arrays, in the shape of the result."""
    return spread_tangent(x, like)


def _bilinear(primitive: Primitive) -> Rule:
    """Linear in each of two operands: coefficients meet as in a product."""
    def rule(primals: Sequence[Any], series: Sequence[Series], **params: Any) -> tuple[Any, Series]:
        x, y = ([p, *terms] for p, terms in zip(primals, series))
        meet = lambda a, b: primitive(a, b, **params)
        return meet(x[0], y[0]), [coefficient(x, y, k, meet) for k in range(1, len(x))]

    return rule


def _flat(primitive: Primitive) -> Rule:
    """Constant wherever it has a derivative."""
    def rule(primals: Sequence[Any], series: Sequence[Series], **params: Any) -> tuple[Any, Series]:
        return primitive(*primals, **params), [None] * len(series[0])

    return rule


# -- elementwise functions

def _of_series(primitive: Primitive, make: Callable[[Series, Any], Series]) -> Rule:
    """One operand: `make(series, first)`, with the first coefficient of the result."""
    def rule(primals: Sequence[Any], series: Sequence[Series], **params: Any) -> tuple[Any, Series]:
        first = primitive(*primals, **params)
        return first, make([primals[0], *series[0]], first)[1:]

    return rule


def _one_and_square(sign: int) -> Callable[[Series], Any]:
    """Coefficients of `1 + sign y**2`."""
    def rate(y: Series) -> Any:
        k = len(y) - 1
        square = scaled(coefficient(y, y, k), sign)
        return elementwise.add(square, constant_like(square, 1)) if k == 0 else square

    return rate


def _logistic_rate(y: Series) -> Any:
    """Coefficients of `y (1 - y)`."""
    k = len(y) - 1
    return total([y[k], scaled(coefficient(y, y, k), -1)])


def _integer_pow(primals: Sequence[Any], series: Sequence[Series], *, y: int) -> tuple[Any, Series]:
    first = elementwise.integer_pow(primals[0], y)
    x = [primals[0], *series[0]]
    if y == 0:
        return first, [None] * len(series[0])
    found = power(x, abs(y))
    if y < 0:
        one: Series = [constant_like(primals[0], 1), *[None] * len(series[0])]
        found = over(one, found)
    return first, found[1:]


def _div(primals: Sequence[Any], series: Sequence[Series], **params: Any) -> tuple[Any, Series]:
    x, y = ([p, *terms] for p, terms in zip(primals, series))
    out = elementwise.div_p(primals[0], primals[1], **params)
    if all(c is None for c in series[1]):
        return out, [None if c is None else elementwise.div(c, primals[1]) for c in series[0]]
    z: Series = [out]
    for k in range(1, len(x)):
        known = total([product(y[j], z[k - j]) for j in range(1, k + 1)])
        top = total([None if x[k] is None else _spread(x[k], out), scaled(known, -1)])
        z.append(None if top is None else elementwise.div(top, y[0]))
    return out, z[1:]


def _select(primals: Sequence[Any], series: Sequence[Series], **params: Any) -> tuple[Any, Series]:
    return _linear(compare.select_n_p, range(1, len(primals)))(primals, series, **params)


# -- jaxprs within

def jet_jaxpr(closed: ClosedJaxpr, order: int, moving: tuple[bool, ...],
              instantiated: tuple[bool, ...] | bool = False) -> tuple[ClosedJaxpr, tuple[bool, ...]]:
    """What a jaxpr makes of series, as a jaxpr, and which results move.

    Its inputs are the primals, then `order` coefficients of each that is `moving`; its results the primal results, then the
    coefficients of each that moves, or that `instantiated` asks for.
    """
    return closed.derive(("jet", order, moving, instantiated), lambda: _jet_jaxpr(closed, order, moving, instantiated))


def _jet_jaxpr(closed: ClosedJaxpr, order: int, moving: tuple[bool, ...],
               instantiated: tuple[bool, ...] | bool) -> tuple[ClosedJaxpr, tuple[bool, ...]]:
    n = len(closed.in_avals)
    found: list[tuple[bool, ...]] = []

    def both(*args: Any) -> list[Any]:
        rest = iter(args[n:])
        series: Any = [[next(rest) for _ in range(order)] if m else [None] * order for m in moving]
        outs, terms = jet_flat(lambda *xs: eval_jaxpr(closed.jaxpr, closed.consts, *xs), args[:n], series)
        wanted = (instantiated,) * len(outs) if isinstance(instantiated, bool) else instantiated
        found.append(tuple([row is not None or w for row, w in zip(terms, wanted)]))
        return [*outs, *[c for x, row, m in zip(outs, terms, found[0]) if m for c in _whole(x, row, order)]]

    avals = [*closed.in_avals, *[a for a, m in zip(closed.in_avals, moving) if m for _ in range(order)]]
    return stage_flat(both, avals, closed.debug_info), found[0]


def _whole(x: Any, row: Series | None, order: int) -> Series:
    """All coefficients as arrays."""
    return [_inexact_zero(x) if c is None else c for c in (row or [None] * order)]


def _moves(series: Sequence[Series]) -> tuple[bool, ...]:
    return tuple([any(c is not None for c in row) for row in series])


def _flattened(primals: Sequence[Any], series: Sequence[Series], moving: Sequence[bool]) -> list[Any]:
    """The coefficients of the operands that move, one behind the other."""
    return [c for x, row, m in zip(primals, series, moving) if m for c in _whole(x, row, len(row))]


def _split_results(outs: Sequence[Any], count: int, moves: Sequence[bool], order: int) -> tuple[list, list]:
    rest = iter(outs[count:])
    return list(outs[:count]), [[next(rest) for _ in range(order)] if m else [None] * order for m in moves]


def _jit(primals: Sequence[Any], series: Sequence[Series], *, jaxpr: ClosedJaxpr, in_shardings: Any, out_shardings: Any,
         **params: Any) -> tuple[list, list]:
    order, moving = len(series[0]), _moves(series)
    derived, moves = jet_jaxpr(jaxpr, order, moving)
    opened, consts = open_consts(derived)
    shardings = lambda given, marks, more: None if given is None else (
        *(None,) * more, *given, *[s for s, m in zip(given, marks) if m for _ in range(order)])
    params["donated_invars"] = (False,) * len(opened.in_avals)
    outs = jit_p(*consts, *primals, *_flattened(primals, series, moving), jaxpr=opened,
                 in_shardings=shardings(in_shardings, moving, len(consts)),
                 out_shardings=shardings(out_shardings, moves, 0), **params)
    return _split_results(outs, len(jaxpr.out_avals), moves, order)


def _remat(primals: Sequence[Any], series: Sequence[Series], *, jaxpr: ClosedJaxpr, **_: Any) -> tuple[list, list]:
    """A checkpointed function by its operations: nothing goes backwards here."""
    outs, terms = jet_flat(lambda *xs: eval_jaxpr(jaxpr.jaxpr, jaxpr.consts, *xs), primals, series)
    order = len(series[0])
    return outs, [[None] * order if row is None else row for row in terms]


def _cond(primals: Sequence[Any], series: Sequence[Series], *, branches: Sequence[ClosedJaxpr], **params: Any) -> tuple:
    order, moving = len(series[0]), _moves(series[1:])
    marks = [any(column) for column in zip(*[jet_jaxpr(branch, order, moving)[1] for branch in branches])]
    derived = [jet_jaxpr(branch, order, moving, tuple(marks))[0] for branch in branches]
    outs = branching.cond_p(*primals, *_flattened(primals[1:], series[1:], moving), branches=tuple(derived), **params)
    return _split_results(outs, len(branches[0].out_avals), marks, order)


def _scan(primals: Sequence[Any], series: Sequence[Series], *, jaxpr: ClosedJaxpr, num_consts: int, num_carry: int,
          **params: Any) -> tuple[list, list]:
    order, moving = len(series[0]), _moves(series)
    parts = lambda items: (items[:num_consts], items[num_consts:num_consts + num_carry], items[num_consts + num_carry:])
    mc, mk, mx = parts(moving)
    mk = tuple(carry_fixpoint(lambda marks: jet_jaxpr(jaxpr, order, (*mc, *marks, *mx))[1][:num_carry], mk))
    ys = len(jaxpr.out_avals) - num_carry
    derived, moves = jet_jaxpr(jaxpr, order, (*mc, *mk, *mx), (*mk, *[False] * ys))
    derived, more = open_consts(derived)
    (c, k, x), (sc, sk, sx) = parts(list(primals)), parts(list(series))
    tc, tk, tx = (_flattened(*group) for group in ((c, sc, mc), (k, sk, mk), (x, sx, mx)))
    sizes = [len(more), len(c), len(k), len(x), len(tc), len(tk), len(tx)]
    ty = sum(moves[num_carry:]) * order
    body = reordered(derived, sizes, (0, 1, 4, 2, 5, 3, 6), [num_carry, ys, len(tk), ty], (0, 2, 1, 3))
    outs = scanning.scan_p(*more, *c, *tc, *k, *tk, *x, *tx, jaxpr=body, num_consts=len(more) + len(c) + len(tc),
                           num_carry=len(k) + len(tk), **params)
    n = num_carry + len(tk)
    outs = [*outs[:num_carry], *outs[n:n + ys], *outs[num_carry:n], *outs[n + ys:]]
    return _split_results(outs, num_carry + ys, moves, order)


def _while(primals: Sequence[Any], series: Sequence[Series], *, cond_nconsts: int, cond_jaxpr: ClosedJaxpr, body_nconsts: int,
           body_jaxpr: ClosedJaxpr) -> tuple[list, list]:
    order, moving = len(series[0]), _moves(series)
    split = cond_nconsts + body_nconsts
    mb, mk = moving[cond_nconsts:split], moving[split:]
    mk = tuple(carry_fixpoint(lambda marks: jet_jaxpr(body_jaxpr, order, (*mb, *marks))[1], mk))
    derived, _ = jet_jaxpr(body_jaxpr, order, (*mb, *mk), mk)
    derived, more = open_consts(derived)
    cc, bc, k = primals[:cond_nconsts], primals[cond_nconsts:split], primals[split:]
    tb, tk = _flattened(bc, series[cond_nconsts:split], mb), _flattened(k, series[split:], mk)
    body = reordered(derived, [len(more), len(bc), len(k), len(tb), len(tk)], (0, 1, 3, 2, 4))
    cond = while_loops.with_unread(cond_jaxpr, [v.aval for v in body.jaxpr.invars[len(body.jaxpr.invars) - len(tk):]])
    outs = while_loops.bind_while(cond, cc, body, [*more, *bc, *tb], [*k, *tk])
    return _split_results(outs, len(k), mk, order)


# -- the table

LINEAR: dict[Primitive, Sequence[int] | None] = {
    **dict.fromkeys([
        elementwise.neg_p, convert.convert_element_type_p, convert.reduce_precision_p, convert.real_p, convert.imag_p,
        convert.complex_p, convert.conj_p, markers.copy_p, placement.device_put_p, shape.broadcast_in_dim_p, shape.reshape_p,
        shape.transpose_p, shape.squeeze_p, shape.concatenate_p, shape.pad_p, shape.rev_p, shape.split_p, slicing.slice_p,
        stacking.stack_p, stacking.unstack_p, stacking.tile_p, reductions.reduce_sum_p, cumulative.cumsum_p,
        window.reduce_window_sum_p, fourier.fft_p]),
    slicing.dynamic_slice_p: (0,), slicing.dynamic_update_slice_p: (0, 1), gathering.gather_p: (0,),
    scattering.scatter_add_p: (0, 2), scattering.scatter_sub_p: (0, 2),
}
"""Linear primitives, and in which operands (`None`: all)."""

BILINEAR = (elementwise.mul_p, contraction.dot_general_p, convolution.conv_general_dilated_p)

FLAT = (
    elementwise.sign_p, elementwise.floor_p, elementwise.ceil_p, elementwise.round_p, markers.stop_gradient_p, compare.eq_p,
    compare.ne_p, compare.lt_p, compare.le_p, compare.gt_p, compare.ge_p, compare.eq_to_p, compare.le_to_p, compare.lt_to_p,
    compare.is_finite_p, reductions.argmax_p, reductions.argmin_p)

RULES: dict[Primitive, Rule] = {
    **{primitive: _linear(primitive, positions) for primitive, positions in LINEAR.items()},
    **{primitive: _bilinear(primitive) for primitive in BILINEAR},
    **{primitive: _flat(primitive) for primitive in FLAT},
    elementwise.add_p: _added(elementwise.add_p, 1), elementwise.add_any_p: _added(elementwise.add_any_p, 1),
    elementwise.sub_p: _added(elementwise.sub_p, -1), elementwise.div_p: _div, elementwise.integer_pow_p: _integer_pow,
    elementwise.square_p: _of_series(elementwise.square_p, lambda x, first: times(x, x)),
    elementwise.sqrt_p: _of_series(elementwise.sqrt_p, root), elementwise.log_p: _of_series(elementwise.log_p, logarithm),
    transcendental.exp_p: _of_series(transcendental.exp_p, lambda x, first: grown(x, first, lambda y: y[-1])),
    transcendental.logistic_p: _of_series(transcendental.logistic_p, lambda x, first: grown(x, first, _logistic_rate)),
    transcendental.tanh_p: _of_series(transcendental.tanh_p, lambda x, first: grown(x, first, _one_and_square(-1))),
    transcendental.tan_p: _of_series(transcendental.tan_p, lambda x, first: grown(x, first, _one_and_square(1))),
    transcendental.sin_p: _of_series(transcendental.sin_p, lambda x, y: paired(x, y, transcendental.cos(x[0]), -1)),
    transcendental.cos_p: _of_series(
        transcendental.cos_p, lambda x, y: paired(x, y, elementwise.neg(transcendental.sin(x[0])), -1)),
    transcendental.sinh_p: _of_series(transcendental.sinh_p, lambda x, y: paired(x, y, transcendental.cosh(x[0]), 1)),
    transcendental.cosh_p: _of_series(transcendental.cosh_p, lambda x, y: paired(x, y, transcendental.sinh(x[0]), 1)),
    compare.select_n_p: _select,
    jit_p: _jit, remat_p: _remat, branching.cond_p: _cond, scanning.scan_p: _scan, while_loops.while_p: _while,
}
"""What is expanded by a recurrence, or by its parts. All other primitives are expanded by their derivatives."""

for _primitive, _rule in RULES.items():
    _primitive.extra["jet"] = _rule

__all__ = ["RULES", "jet_jaxpr"]
