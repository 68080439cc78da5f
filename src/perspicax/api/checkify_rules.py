"""How `checkify` applies each equation: with which checks, and how loops, branches and calls hand the state on.

A rule is called `rule(checker, eqn, args, state)` and returns the results and the new state. The state is flat: the number
of the check that failed first (int32, 0 for none), then the values of each slot, one slot for each signature.
"""
from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any, Protocol

import numpy as np

from perspicax.api.check_errors import (
    CheckFailure,
    CheckifyLoopError,
    DivisionByZeroError,
    FailedCheckError,
    NaNError,
    OOBError,
)
from perspicax.api.checks import Signature, Site, check_effect, check_p, first_failed
from perspicax.core import dtypes
from perspicax.core.avals import ShapedArray
from perspicax.core.config import local
from perspicax.core.jaxpr import ClosedJaxpr, JaxprEqn, Literal
from perspicax.core.primitive import Primitive
from perspicax.core.trace import Zero, stage_flat
from perspicax.core.tracer import get_aval
from perspicax.lax import bitwise, compare, convert, reductions, shape, slicing
from perspicax.lax.bodies import open_consts
from perspicax.lax.branch_rules import bind_cond, cond_p
from perspicax.lax.elementwise import div_p, rem
from perspicax.lax.gathering import GatherScatterMode, gather_p
from perspicax.lax.scanning import scan_p
from perspicax.lax.scattering import window_sizes
from perspicax.lax.shard_map import apply_shards, part_type, shard_map_p
from perspicax.lax.slicing import dynamic_slice_p, dynamic_update_slice_p
from perspicax.lax.while_loops import bind_while, while_p
from perspicax.transform.custom_primitives import custom_jvp_call, custom_vjp_call, full_tangent
from perspicax.transform.errors import CustomRuleError
from perspicax.transform.hooks import as_varying, filled
from perspicax.transform.jit_primitive import jit_p
from perspicax.transform.mesh_scope import mesh_axes
from perspicax.transform.remat import remat_p
from perspicax.xla.sharding import PartitionSpec

State = list[Any]
Rule = Callable[["Checker", JaxprEqn, Sequence[Any], State], tuple[list, State]]

# What computes with floating-point numbers. What only moves, chooses, compares or rounds them makes no NaN of its own.
MAKES_NAN = frozenset("""
    acos acosh add add_any asin asinh atan atan2 atanh bessel_i0e bessel_i1e cbrt conv_general_dilated cos cosh cumlogsumexp
    cumprod cumsum custom_linear_solve digamma div dot_general erf erf_inv erfc exp exp2 expm1 fft igamma igamma_grad_a
    igammac integer_pow lgamma log log1p logistic mul polygamma pow psum ragged_dot ragged_dot_general random_gamma_grad
    reduce_prod reduce_sum reduce_window reduce_window_sum regularized_incomplete_beta rem rsqrt sin sinh sqrt square sub tan
    tanh triangular_solve tridiagonal_solve zeta cholesky eig eigh lu svd qr householder_product
    scatter-add scatter-mul scatter_add scatter_mul scatter-sub
""".split())

class ExtraCheck(Protocol):
    """A check of a category that a sanitizer adds."""

    def signature(self, eqn: JaxprEqn) -> Signature | None:
        """The types that its message needs; `None` where it does not look at such an equation."""

    def check(self, checker: Checker, eqn: JaxprEqn, args: Sequence[Any], outs: Sequence[Any], state: State) -> State:
        """The state after the check of an equation that was applied."""


EXTRA: dict[type[CheckFailure], ExtraCheck] = {}

OOB: Signature = (ShapedArray((), np.dtype(np.int32)), ShapedArray((), np.dtype(np.int32)))  # index, axis
NOTHING: Signature = ()
_CODE = ShapedArray((), np.dtype(np.int32))


class Checker:
    """What is checked, and the checks that were made.

    Attributes:
        errors: the categories.
        slots: the signatures of the state.
        lanes: leading axes of the state: `(n,)` where `n` devices have one each, else `()`.
        varying: the axes of a mesh along which the state may differ.
        sites: the checks.
    """

    __slots__ = ("errors", "lanes", "offsets", "sites", "slots", "varying")

    def __init__(self, errors: frozenset[type[CheckFailure]], slots: tuple[Signature, ...], lanes: tuple[int, ...] = (),
                 varying: frozenset = frozenset()) -> None:
        self.errors, self.slots, self.lanes, self.varying = errors, slots, lanes, varying
        self.sites: set[Site] = set()
        self.offsets: dict[Signature, int] = {}
        at = 1
        for slot in slots:
            self.offsets[slot] = at
            at += len(slot)

    @property
    def size(self) -> int:
        """The length of the state."""
        return 1 + sum(map(len, self.slots))

    @property
    def key(self) -> tuple:
        """What jaxprs that carry the state depend on."""
        return self.errors, self.slots, self.lanes, self.varying

    def state_avals(self) -> list[ShapedArray]:
        """The types of the state."""
        plain = [_CODE, *[a for slot in self.slots for a in slot]]
        return [ShapedArray((*self.lanes, *a.shape), a.dtype, a.weak_type, vma=self.varying) for a in plain]

    def nothing(self) -> State:
        """The state before any check."""
        return [as_varying(a, filled(a.varying(frozenset()), 0)) for a in self.state_avals()]

    def fail(self, state: State, failed: Any, kind: type[CheckFailure], message: Callable[..., str],
             signature: Signature = NOTHING, values: Sequence[Any] = (), facts: Any = None) -> State:
        """The state after a check at the current place; `failed` is a boolean scalar."""
        site = Site(kind, message, signature, local.place, facts)
        self.sites.add(site)
        code = compare.select(failed, np.int32(site.number), np.int32(0))
        return self.merge(state, code, {signature: list(values)})

    def merge(self, state: State, code: Any, payloads: dict[Signature, list[Any]]) -> State:
        """The state after a check that found `code`; what was found before stays."""
        n = self.lanes
        found = shape.broadcast(compare.ne(code, np.int32(0)), n)
        fresh = bitwise.bitwise_and(compare.eq(state[0], _like(np.int32(0), state[0])), found)
        merged = list(state)
        merged[0] = compare.select(fresh, shape.broadcast(code, n), state[0])
        for signature, values in payloads.items():
            at = self.offsets[signature]
            for i, value in enumerate(values, at):
                chosen = shape.broadcast_in_dim(fresh, (*n, *get_aval(value).shape), (0,)) if n else fresh  # type: ignore
                merged[i] = compare.select(chosen, shape.broadcast(value, n), state[i])
        return merged


# -- which signatures a jaxpr needs

def signatures_of(closed: ClosedJaxpr, errors: frozenset[type[CheckFailure]]) -> frozenset[Signature] | None:
    """The signatures of the checks of a jaxpr, at any depth; `None` where nothing in it is checked."""
    made = closed.derive(("check signatures", errors), lambda: (_signatures(closed, errors),))
    return made[0]


def _signatures(closed: ClosedJaxpr, errors: frozenset[type[CheckFailure]]) -> frozenset[Signature] | None:
    found: set[Signature] = set()
    for eqn in closed.jaxpr.eqns:
        found |= _own_signatures(eqn, errors)
        if eqn.primitive in _CALLS:
            for inner in _closed_in(eqn):
                found |= signatures_of(inner, errors) or frozenset()
    return frozenset(found) or None


def _concerns(closed: ClosedJaxpr, errors: frozenset[type[CheckFailure]]) -> bool:
    """Whether something in a jaxpr is checked, or is a check that nobody asked for and that is left out."""
    return check_effect in closed.effects or signatures_of(closed, errors) is not None


def _own_signatures(eqn: JaxprEqn, errors: frozenset[type[CheckFailure]]) -> set[Signature]:
    if eqn.primitive is check_p:
        return set(eqn.params["signatures"]) if FailedCheckError in errors else set()
    found: set[Signature] = set()
    if OOBError in errors and _indexes(eqn.primitive):
        found.add(OOB)
    if (DivisionByZeroError in errors and eqn.primitive is div_p) or _may_make_nan(eqn, errors):
        found.add(NOTHING)
    for category in errors & EXTRA.keys():
        wanted = EXTRA[category].signature(eqn)
        if wanted is not None:
            found.add(wanted)
    return found


def _closed_in(eqn: JaxprEqn) -> list[ClosedJaxpr]:
    return [c for v in eqn.params.values() for c in (v if isinstance(v, tuple) else (v,)) if type(c) is ClosedJaxpr]


def _may_make_nan(eqn: JaxprEqn, errors: frozenset[type[CheckFailure]]) -> bool:
    return NaNError in errors and eqn.primitive.name in MAKES_NAN and any(map(_is_float, eqn.outvars))


def _is_float(v: Any) -> bool:
    return not v.aval.extended and dtypes.issubdtype(v.aval.dtype, np.inexact)


def _indexes(primitive: Primitive) -> bool:
    return primitive in (gather_p, dynamic_slice_p, dynamic_update_slice_p) or primitive.name.startswith("scatter")


# -- applying equations

def run(checker: Checker, closed: ClosedJaxpr, args: Sequence[Any], state: State) -> tuple[list, State]:
    """Apply the equations of a jaxpr in the current trace, and the checks."""
    env: dict[Any, Any] = dict(zip(closed.jaxpr.constvars, closed.consts))
    env.update(zip(closed.jaxpr.invars, args))
    before = local.place
    try:
        for eqn in closed.jaxpr.eqns:
            local.place = eqn.place
            operands = [a.val if type(a) is Literal else env[a] for a in eqn.invars]
            outs, state = _apply(checker, eqn, operands, state)
            env.update(zip(eqn.outvars, outs))
    finally:
        local.place = before
    return [a.val if type(a) is Literal else env[a] for a in closed.jaxpr.outvars], state


def _apply(checker: Checker, eqn: JaxprEqn, args: Sequence[Any], state: State) -> tuple[list, State]:
    primitive = eqn.primitive
    if primitive is check_p:
        return _user_check(checker, eqn, args, state)
    rule = _CALLS.get(primitive)
    if rule is not None and any(_concerns(c, checker.errors) for c in _closed_in(eqn)):
        return rule(checker, eqn, args, state)
    if OOBError in checker.errors and _indexes(primitive):
        # what a sanitizer looks for besides says which clipped indices count
        state = check_indices(checker, eqn, args, state, clipped=not checker.errors & EXTRA.keys())
    if DivisionByZeroError in checker.errors and primitive is div_p:
        zero = np.zeros((), eqn.invars[1].aval.dtype)
        state = checker.fail(state, _any(compare.eq(args[1], _like(zero, args[1]))), DivisionByZeroError,
                             lambda: "division by zero")
    found = local.trace.process(primitive, tuple(args), eqn.values)
    outs = list(found) if primitive.multiple_results else [found]
    if _may_make_nan(eqn, checker.errors):
        name = primitive.name
        bad = [_any(compare.ne(x, x)) for x, v in zip(outs, eqn.outvars) if _is_float(v)]
        failed = bad[0]
        for more in bad[1:]:
            failed = bitwise.bitwise_or(failed, more)
        state = checker.fail(state, failed, NaNError, lambda: f"`{name}` made a NaN")
    for category in checker.errors & EXTRA.keys():
        if EXTRA[category].signature(eqn) is not None:
            state = EXTRA[category].check(checker, eqn, args, outs, state)
    return outs, state


def _like(scalar: Any, x: Any) -> Any:
    sizes = get_aval(x).shape  # type: ignore[attr-defined]
    return shape.broadcast(scalar, sizes) if sizes else scalar


def _any(x: Any) -> Any:
    rank = len(get_aval(x).shape)  # type: ignore[attr-defined]
    return reductions.reduce_or(x, tuple(range(rank))) if rank else x


def _user_check(checker: Checker, eqn: JaxprEqn, args: Sequence[Any], state: State) -> tuple[list, State]:
    if FailedCheckError not in checker.errors:
        return [], state
    params = eqn.params
    checker.sites |= params["sites"]
    code, *values = args
    rest = iter(values)
    return [], checker.merge(state, code, {s: [next(rest) for _ in s] for s in params["signatures"]})


# -- indices

def check_indices(checker: Checker, eqn: JaxprEqn, args: Sequence[Any], state: State, kind: type[CheckFailure] = OOBError,
                  clipped: bool = True) -> State:
    """The state after a check of the indices of an equation: of many, the first vector of indices that does not fit is told.

    Args:
        checker: keeps what was checked.
        eqn: a gather, a scatter, or a slice at indices that are computed.
        args: its operands.
        state: what was found before.
        kind: the category.
        clipped: whether indices are checked that are clipped to what is there, which indexing at one place becomes under
            vmap.
    """
    sizes = eqn.invars[0].aval.shape
    primitive, params = eqn.primitive, eqn.params
    if primitive is dynamic_slice_p or primitive is dynamic_update_slice_p:
        slices = primitive is dynamic_slice_p
        window = params["slice_sizes"] if slices else eqn.invars[1].aval.shape
        axes: Sequence[int] = range(len(sizes))
        groups: list[tuple[tuple[int, ...], Any]] = [((axis,), x) for axis, x in enumerate(args[1 if slices else 2:])]
    else:
        if params["mode"] is GatherScatterMode.CLIP and not clipped:
            return state
        numbers = params["dimension_numbers"]
        gathers = primitive is gather_p
        axes = numbers.start_index_map if gathers else numbers.scatter_dims_to_operand_dims
        window = params["slice_sizes"] if gathers else window_sizes(sizes, eqn.invars[2].aval.shape, numbers)
        groups = [(tuple(map(int, axes)), args[1])]
    last = {int(axis): sizes[axis] - window[axis] for axis in axes}
    facts = primitive, params.get("mode"), eqn.invars[0].aval, last
    for group, indices in groups:
        state = _vector_check(checker, state, indices, group, sizes, facts, kind)
    return state


def _vector_check(checker: Checker, state: State, indices: Any, axes: tuple[int, ...], sizes: tuple[int, ...],
                  facts: tuple, kind: type[CheckFailure]) -> State:
    """The check of index vectors, whose entries belong to `axes`; the last of `facts` has the largest that fit."""
    aval: Any = get_aval(indices)
    if aval.size == 0:
        return state
    most = np.iinfo(aval.dtype).max
    highest = np.array([min(facts[-1][axis], most) for axis in axes], aval.dtype)
    flat = shape.reshape(indices, (aval.size,))
    outside = compare.gt(flat, np.tile(highest, aval.size // len(axes)))
    if dtypes.issubdtype(aval.dtype, np.signedinteger):
        outside = bitwise.bitwise_or(outside, compare.lt(flat, np.zeros(aval.size, aval.dtype)))
    first = reductions.argmax(convert.convert_element_type(outside, np.int32), 0, np.int32)
    index = convert.convert_element_type(slicing.dynamic_index_in_dim(flat, first, 0, keepdims=False), np.int32)
    axis: Any = np.int32(axes[0])
    if len(axes) > 1:
        axis = slicing.dynamic_index_in_dim(np.array(axes, np.int32), rem(first, np.int32(len(axes))), 0, keepdims=False)

    def message(index: Any, axis: Any) -> str:
        return (f"index {int(index)} is out of bounds for axis {int(axis)} with size {sizes[int(axis)]}, of an array of "
                f"shape {sizes}")

    values = [convert.convert_to(index, OOB[0]), axis]
    return checker.fail(state, _any(outside), kind, message, OOB, values, facts)


# -- calls, branches, loops

def _checked(checker: Checker, closed: ClosedJaxpr) -> ClosedJaxpr:
    """The jaxpr of `(*state, *inputs) -> (*state, *outputs)`."""
    n = checker.size

    def make() -> tuple[ClosedJaxpr, set[Site]]:
        inner = Checker(*checker.key)

        def body(*flat: Any) -> list:
            outs, state = run(inner, closed, flat[n:], list(flat[:n]))
            return [*_settled(checker, state), *outs]

        return stage_flat(body, [*checker.state_avals(), *closed.in_avals], closed.debug_info), inner.sites

    made, sites = closed.derive(("checked", checker.key), make)
    checker.sites |= sites
    return made


def run_checked(closed: ClosedJaxpr, errors: frozenset[type[CheckFailure]]) -> tuple[ClosedJaxpr, set[Site], int] | None:
    """The jaxpr of `inputs -> (*state, *outputs)`, its checks, and the length of the state; `None` if nothing is checked."""
    signatures = signatures_of(closed, errors)
    if signatures is None:
        return None

    def make() -> tuple[ClosedJaxpr, set[Site], int]:
        checker = Checker(errors, tuple(sorted(signatures, key=str)))

        def body(*flat: Any) -> list:
            outs, state = run(checker, closed, flat, checker.nothing())
            return [*_settled(checker, state), *outs]

        return stage_flat(body, closed.in_avals, closed.debug_info), checker.sites, checker.size

    return closed.derive(("run checked", errors), make)


def _settled(checker: Checker, state: State) -> State:
    """The state with exactly the types that loops and branches hand on."""
    return [as_varying(a, convert.convert_to(x, a)) for x, a in zip(state, checker.state_avals())]


def _call(checker: Checker, eqn: JaxprEqn, args: Sequence[Any], state: State) -> tuple[list, State]:
    params = eqn.params
    derived = _checked(checker, params["jaxpr"])
    n = checker.size
    for option in ("in_shardings", "out_shardings"):
        if params[option] is not None:
            params[option] = (None,) * n + tuple(params[option])
    params["donated_invars"] = (False,) * (n + len(args))
    outs = jit_p(*_settled(checker, state), *args, **{**params, "jaxpr": derived})
    return outs[n:], outs[:n]


def _remat(checker: Checker, eqn: JaxprEqn, args: Sequence[Any], state: State) -> tuple[list, State]:
    params, n = eqn.params, checker.size
    flags = params["prevent_cse"]
    params["prevent_cse"] = flags if isinstance(flags, bool) else (True,) * n + tuple(flags)
    outs = remat_p(*_settled(checker, state), *args, **{**params, "jaxpr": _checked(checker, params["jaxpr"])})
    return outs[n:], outs[:n]


def _branch(checker: Checker, eqn: JaxprEqn, args: Sequence[Any], state: State) -> tuple[list, State]:
    params, n = eqn.params, checker.size
    index, *operands = args
    outs = bind_cond(index, [*_settled(checker, state), *operands], [_checked(checker, b) for b in params["branches"]],
                     params.get("branches_platforms"))
    return outs[n:], outs[:n]


def _scan(checker: Checker, eqn: JaxprEqn, args: Sequence[Any], state: State) -> tuple[list, State]:
    params, n = eqn.params, checker.size
    closed, num_consts = params["jaxpr"], params["num_consts"]
    derived, more = open_consts(_checked(checker, closed))
    first = len(more)

    def reordered(*flat: Any) -> list:
        consts, state, rest = flat[first:first + num_consts], flat[first + num_consts:first + num_consts + n], (
            flat[first + num_consts + n:])
        return derived(*flat[:first], *state, *consts, *rest)

    avals = [*[get_aval(c) for c in more], *closed.in_avals[:num_consts], *checker.state_avals(),
             *closed.in_avals[num_consts:]]
    body = derived.derive(("state behind constants", num_consts), lambda: stage_flat(reordered, avals, closed.debug_info))
    outs = scan_p(*more, *args[:num_consts], *_settled(checker, state), *args[num_consts:],
                  **{**params, "jaxpr": body, "num_consts": first + num_consts, "num_carry": params["num_carry"] + n})
    return outs[n:], outs[:n]


def lanes_of(closed: ClosedJaxpr, errors: frozenset[type[CheckFailure]]) -> tuple[int, ...]:
    """`(n,)` where the first thing within that several devices run, with checks, is run by `n` of them; else `()`."""
    for eqn in closed.jaxpr.eqns:
        if eqn.primitive is shard_map_p:
            if _concerns(eqn.params["jaxpr"], errors):
                return _devices_of(eqn)
        elif eqn.primitive in _CALLS:
            for inner in _closed_in(eqn):
                found = lanes_of(inner, errors)
                if found:
                    return found
    return ()


def _devices_of(eqn: JaxprEqn) -> tuple[int]:
    params = eqn.params
    return (math.prod([params["mesh"].shape[name] for name in params["newly_manual_axes"]]),)


def _shards(checker: Checker, eqn: JaxprEqn, args: Sequence[Any], state: State) -> tuple[list, State]:
    """Each device has a state of its own.

    They are the lanes of the state, where it has as many; else the first of them that failed is told.
    """
    params = eqn.params
    closed, mesh, manual, checks = (params[k] for k in ("jaxpr", "mesh", "newly_manual_axes", "check_vma"))
    lanes = _devices_of(eqn)
    outside = Checker(checker.errors, checker.slots, lanes, checker.varying)
    inside = Checker(checker.errors, checker.slots, (), checker.varying | manual if checks else frozenset())
    own = PartitionSpec(tuple([name for name in mesh.axis_names if name in manual]))
    n = checker.size

    def body(*flat: Any) -> list:
        before = [shape.reshape(x, get_aval(x).shape[1:]) for x in flat[:n]]  # type: ignore[attr-defined]
        outs, after = run(inside, closed, flat[n:], before)
        return [*[shape.reshape(x, (1, *a.shape)) for x, a in zip(_settled(inside, after), inside.state_avals())], *outs]

    def make() -> tuple[ClosedJaxpr, set[Site]]:
        avals = [part_type(a, own, mesh, checks) for a in outside.state_avals()]
        with mesh_axes(mesh, manual, checks):
            return stage_flat(body, [*avals, *closed.in_avals], closed.debug_info), inside.sites

    derived, sites = closed.derive(("checked", inside.key, mesh, manual, checks), make)
    checker.sites |= sites
    same = checker.lanes == lanes
    outs = apply_shards(derived, [*_settled(outside, state if same else outside.nothing()), *args], mesh,
                        (*[own] * n, *params["in_specs"]), (*[own] * n, *params["out_specs"]), manual, checks)
    return outs[n:], outs[:n] if same else _first_of(checker, outs[:n], state)


def _first_of(checker: Checker, lanes: State, state: State) -> State:
    """The state after those of several devices, of which the first that failed counts."""
    first = first_failed(lanes[0])
    code, *values = [slicing.dynamic_index_in_dim(x, first, 0, keepdims=False) for x in lanes]
    rest = iter(values)
    return checker.merge(state, code, {slot: [next(rest) for _ in slot] for slot in checker.slots})


def _while(checker: Checker, eqn: JaxprEqn, args: Sequence[Any], state: State) -> tuple[list, State]:
    """The test is made at the end of each round, where its checks have somewhere to go."""
    params, n = eqn.params, checker.size
    cond, body, nc, nb = (params[k] for k in ("cond_jaxpr", "body_jaxpr", "cond_nconsts", "body_nconsts"))
    if cond.out_avals[0].shape:
        raise CheckifyLoopError(where=eqn.place)
    test, step = _checked(checker, cond), _checked(checker, body)
    constants, carry = args[:nc + nb], args[nc + nb:]

    def round(*flat: Any) -> list:
        cc, bc, rest = flat[:nc], flat[nc:nc + nb], flat[nc + nb + 1:]
        moved = step(*rest[:n], *bc, *rest[n:])
        tested = test(*moved[:n], *cc, *moved[n:])
        return [tested[n], *tested[:n], *moved[n:]]

    truth = cond.out_avals[0]
    avals = [truth, *checker.state_avals(), *body.in_avals[nb:]]
    whole = step.derive(("checked round", test, nc), lambda: stage_flat(
        round, [*cond.in_avals[:nc], *body.in_avals[:nb], *avals], body.debug_info))
    go_on = step.derive(("go on", test, nc), lambda: stage_flat(lambda first, *_: [first], avals))
    tested = test(*_settled(checker, state), *args[:nc], *carry)
    outs = bind_while(go_on, [], whole, constants, [tested[n], *_settled(checker, tested[:n]), *carry])
    return outs[n + 1:], outs[1:n + 1]


def _with_state_behind(closed: ClosedJaxpr, original: ClosedJaxpr, n: int, count: int, avals: Sequence[Any]) -> ClosedJaxpr:
    """The checked jaxpr of a function with rules of its own: constants, state, visible operands."""
    def reordered(*flat: Any) -> list:
        return closed(*flat[count:count + n], *flat[:count], *flat[count + n:])

    return closed.derive(("state behind constants", count), lambda: stage_flat(
        reordered, [*original.in_avals[:count], *avals, *original.in_avals[count:]], original.debug_info))


def _without_checks(fun: Callable[..., Any], *groups: Sequence[Any], **options: Any) -> tuple[list, ...]:
    """`fun` of some lists of values, which returns lists of values, without the checks in it. A value may be a `Zero`."""
    flat = [x for group in groups for x in group if type(x) is not Zero]
    shapes: list[list[Any]] = []

    def call(*xs: Any) -> list:
        given = iter(xs)
        results = fun(*[[x if type(x) is Zero else next(given) for x in group] for group in groups], **options)
        shapes.extend([[x if type(x) is Zero else None for x in group] for group in results])
        return [x for group in results for x in group if type(x) is not Zero]

    closed = stage_flat(call, [get_aval(x) for x in flat])
    outs = iter(run(Checker(frozenset(), ()), closed, flat, [np.int32(0)])[0])
    return tuple([[next(outs) if x is None else x for x in group] for group in shapes])


def _refuse_moving(params: Any, moving: Sequence[bool], rule: str) -> None:
    """Raise where what a function with a rule of its own closes over is differentiated; the rule does not know it."""
    if any(moving):
        raise CustomRuleError(function=params["name"], kind="closure", rule=rule)


def _custom_jvp(checker: Checker, eqn: JaxprEqn, args: Sequence[Any], state: State) -> tuple[list, State]:
    """The function is checked; its derivative rule is not. What it closes over is an operand, so that it is at hand there."""
    params, n = eqn.params, checker.size
    original, rule, count = params["call_jaxpr"], params["jvp"], params["num_consts"]
    function = _with_state_behind(_checked(checker, original), original, n, count, checker.state_avals())
    visible = slice(count + n, None)

    def with_state(primals: Sequence[Any], tangents: Sequence[Any]) -> tuple[list, list]:
        _refuse_moving(params, [type(t) is not Zero for t in tangents[:count]], "defjvp")
        given = tangents[visible] if params["symbolic_zeros"] else [full_tangent(t) for t in tangents[visible]]
        outs, moved = _without_checks(rule, primals[visible], given)
        after = function(*primals)[:n]
        return [*after, *outs], [*[Zero.like(x) for x in after], *moved]

    outs = custom_jvp_call(*args[:count], *_settled(checker, state), *args[count:],
                           **{**params, "call_jaxpr": function, "jvp": with_state, "num_consts": 0, "symbolic_zeros": True})
    return outs[n:], outs[:n]


def _custom_vjp(checker: Checker, eqn: JaxprEqn, args: Sequence[Any], state: State) -> tuple[list, State]:
    """Likewise; nothing flows back to the state."""
    params, n = eqn.params, checker.size
    original, forward, back, count = (params[k] for k in ("call_jaxpr", "fwd", "bwd", "num_consts"))
    function = _with_state_behind(_checked(checker, original), original, n, count, checker.state_avals())
    visible = slice(count + n, None)

    def with_state(*xs: Any, moving: tuple) -> tuple[list, list]:
        _refuse_moving(params, moving[:count], "defvjp")
        outs, residuals = _without_checks(lambda given: forward(*given, moving=moving[visible]), xs[visible])
        return [*function(*xs)[:n], *outs], residuals

    def backward(residuals: Sequence[Any], cts: Sequence[Any]) -> list:
        hidden = [*original.in_avals[:count], *checker.state_avals()]
        zeros = [Zero(a.to_tangent_aval()) for a in hidden]
        return [*zeros, *_without_checks(lambda *xs: (back(*xs),), residuals, cts[n:])[0]]

    outs = custom_vjp_call(*args[:count], *_settled(checker, state), *args[count:],
                           **{**params, "call_jaxpr": function, "fwd": with_state, "bwd": backward, "num_consts": 0})
    return outs[n:], outs[:n]


_CALLS: dict[Primitive, Rule] = {
    jit_p: _call, remat_p: _remat, cond_p: _branch, scan_p: _scan, while_p: _while, shard_map_p: _shards,
    custom_jvp_call: _custom_jvp, custom_vjp_call: _custom_vjp,
}

__all__ = ["EXTRA", "OOB", "Checker", "ExtraCheck", "lanes_of", "run", "run_checked", "signatures_of"]
