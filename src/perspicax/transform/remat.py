"""`checkpoint`: a function whose intermediate values are computed again for its derivative, not kept.

The primitive `remat2` holds the function's jaxpr. Linearised, the jaxpr is taken apart into what is computed at once (the
results, and what the policy keeps) and a linear part that begins with computing the rest again; this part is one
equation on the tape, `differentiated`, and so is its transposition. Its operands go through an optimisation barrier, so
that the compiler neither merges the second computation with the first nor starts it before the cotangents are there.
"""
from __future__ import annotations

import inspect
import operator
import weakref
from collections.abc import Callable, Iterable, Sequence
from typing import Any, NamedTuple

from perspicax.core.config import config, state_key
from perspicax.core.jaxpr import ClosedJaxpr, JaxprEqn, eval_jaxpr, jaxprs_in
from perspicax.core.primitive import Inside, Primitive
from perspicax.core.refs import lent, write_all
from perspicax.core.trace import Linear, Zero, stage_flat
from perspicax.core.tracer import Tracer
from perspicax.transform import trees as tree
from perspicax.transform.batch import BatchAxis, axes_key, batch_jaxpr, to_axis
from perspicax.transform.errors import ArgumentTypeError, StaticArgumentError
from perspicax.transform.jit import also_cleared
from perspicax.transform.jit_primitive import jit_p
from perspicax.transform.jvp import jvp_jaxpr, linearize_jaxpr
from perspicax.transform.ref_calls import has_refs, passed_for, with_arguments
from perspicax.transform.remat_errors import RematOptionError, RematPolicyError, RemovedOptionError
from perspicax.transform.remat_split import Either, Policy, nothing, split_jaxpr
from perspicax.transform.stage import FlatFunction, check_arguments, debug_info, function_name, wraps
from perspicax.transform.transpose import transpose_jaxpr
from perspicax.xla.compile import without_dead_equations
from perspicax.xla.emit import Value, physical_aval

MAX_STAGED = 4096  # combinations of argument types kept for one function

Flags = bool | tuple[bool, ...]


# -- the parts of a checkpointed jaxpr

class _Parts(NamedTuple):
    """A checkpointed jaxpr, linearised.

    Attributes:
        forward: inputs to results, then what the policy keeps.
        linear: some inputs, what is kept, moving tangents, to the moving tangents of the results.
        inputs: which inputs `linear` reads.
        kept: which of the kept values it reads.
        moves: which results move.
    """

    forward: ClosedJaxpr
    linear: ClosedJaxpr
    inputs: list[int]
    kept: list[int]
    moves: tuple[bool, ...]


def _take_apart(closed: ClosedJaxpr, moving: tuple[bool, ...], policy: Policy | None) -> _Parts:
    return closed.derive(("remat", moving, policy), lambda: _parts_of(closed, moving, policy))


def _parts_of(closed: ClosedJaxpr, moving: tuple[bool, ...], policy: Policy | None) -> _Parts:
    whole = linearize_jaxpr(closed if policy is None else _under_policy(closed, policy), moving)
    count = len(closed.out_avals)
    of_residuals = {i for kind, i in whole.residuals if kind == "out"}
    wanted = tuple([i in of_residuals for i in range(len(whole.forward.out_avals))])
    split = split_jaxpr(whole.forward, policy or nothing, wanted)
    place = {index: n for n, index in enumerate(sorted(of_residuals))}
    n_in, n_kept = len(closed.in_avals), split.kept

    def linear(*args: Any) -> list[Any]:
        primals, kept, tangents = args[:n_in], args[n_in:n_in + n_kept], args[n_in + n_kept:]
        found = eval_jaxpr(split.again.jaxpr, split.again.consts, *primals, *kept)
        residuals = [primals[i] if kind == "in" else found[place[i]] for kind, i in whole.residuals]
        return eval_jaxpr(whole.linear.jaxpr, whole.linear.consts, *residuals, *tangents)

    avals = [*closed.in_avals, *split.known.out_avals[len(split.known.out_avals) - n_kept:],
             *[a.to_tangent_aval() for a, m in zip(closed.in_avals, moving) if m]]
    staged = stage_flat(linear, avals, closed.debug_info)
    body, read = without_dead_equations(staged.jaxpr)
    inputs = [i for i in range(n_in) if read[i]]
    kept = [i for i in range(n_kept) if read[n_in + i]]
    invars = [*[body.invars[i] for i in inputs], *[body.invars[n_in + i] for i in kept], *body.invars[n_in + n_kept:]]
    known = split.known.jaxpr
    known_out = known.outvars[len(known.outvars) - n_kept:] if n_kept else []
    forward, _ = without_dead_equations(known.replace(outvars=[*known.outvars[:count], *known_out]))
    return _Parts(ClosedJaxpr(forward, split.known.consts), ClosedJaxpr(body.replace(invars=invars), staged.consts), inputs,
                  kept, whole.moves)


def _under_policy(closed: ClosedJaxpr, policy: Policy) -> ClosedJaxpr:
    """The jaxpr in which checkpointed functions keep, besides what they keep by themselves, what `policy` says.

    What the outer function may keep need not be computed again for the inner one.
    """
    return closed.derive(("under policy", policy), lambda: _with_policy(closed, policy))


def _with_policy(closed: ClosedJaxpr, policy: Policy) -> ClosedJaxpr:
    changed = [_equation_under(eqn, policy) for eqn in closed.jaxpr.eqns]
    if all(new is old for new, old in zip(changed, closed.jaxpr.eqns)):
        return closed
    return ClosedJaxpr(closed.jaxpr.replace(eqns=changed), closed.consts)


def _equation_under(eqn: JaxprEqn, policy: Policy) -> JaxprEqn:
    values = tuple([_value_under(v, policy) for v in eqn.values])
    if eqn.primitive is remat_p:
        params = remat_p.unpack(values)
        if not params["differentiated"]:
            values = remat_p.pack({**params, "policy": Either(params["policy"], policy)})
    if all(new is old for new, old in zip(values, eqn.values)):
        return eqn
    return JaxprEqn(eqn.primitive, eqn.invars, values, eqn.outvars, eqn.effects, eqn.place)


def _value_under(value: Any, policy: Policy) -> Any:
    if type(value) is ClosedJaxpr:
        return _under_policy(value, policy)
    if type(value) is tuple and any(True for _ in jaxprs_in(value)):
        changed = tuple([_value_under(v, policy) for v in value])
        return value if all(new is old for new, old in zip(changed, value)) else changed
    return value


# -- the primitive

def _apply(closed: ClosedJaxpr, args: Sequence[Any], flags: Flags, **params: Any) -> list[Any]:
    """A call of a jaxpr derived from that of a checkpointed function.

    Rules of custom derivatives within may have closed over traced values, which became its constants: they are operands.
    """
    consts = closed.consts if any(isinstance(c, Tracer) for c in closed.consts) else []
    if consts:
        body = closed.jaxpr
        closed = ClosedJaxpr(body.replace(constvars=[], invars=[*body.constvars, *body.invars]))
        flags = flags if isinstance(flags, bool) else (True,) * len(consts) + flags
    return remat_p(*consts, *args, jaxpr=closed, prevent_cse=flags, **params)


def _chosen(flags: Flags, indices: Iterable[int], more: int) -> Flags:
    """The flags of some operands, and of further ones behind them."""
    return flags if isinstance(flags, bool) else tuple([flags[i] for i in indices]) + (True,) * more


def _jvp(primals: tuple, tangents: tuple, *, jaxpr: ClosedJaxpr, prevent_cse: Flags,
         **params: Any) -> tuple[list, list]:
    moving = tuple([type(t) is not Zero for t in tangents])
    derived, moves = jvp_jaxpr(jaxpr, moving)
    flags = _chosen(prevent_cse, range(len(primals)), sum(moving))
    outs = _apply(derived, [*primals, *[t for t in tangents if type(t) is not Zero]], flags, **params)
    return _paired(outs[:len(moves)], outs[len(moves):], moves)


def _paired(results: list, moved: Sequence[Any], moves: Sequence[bool]) -> tuple[list, list]:
    rest = iter(moved)
    return results, [next(rest) if m else Zero.like(x) for x, m in zip(results, moves)]


def _linearize(primals: tuple, tangents: tuple, *, jaxpr: ClosedJaxpr, prevent_cse: Flags, differentiated: bool,
               policy: Policy | None) -> tuple[list, list]:
    parts = _take_apart(jaxpr, tuple([type(t) is not Zero for t in tangents]), policy)
    if differentiated:  # it stays behind its barrier: what it computes again is computed already
        outs = _apply(parts.forward, primals, prevent_cse, differentiated=True, policy=policy)
    else:
        outs = eval_jaxpr(parts.forward.jaxpr, parts.forward.consts, *primals)
    count = len(parts.moves)
    moved: list[Any] = []
    if any(parts.moves):
        moving = [t for t in tangents if type(t) is not Zero]
        kept = [outs[count + i] for i in parts.kept]
        moved = _apply(parts.linear, [*[primals[i] for i in parts.inputs], *kept, *moving],
                       _chosen(prevent_cse, parts.inputs, len(kept) + len(moving)), differentiated=True, policy=policy)
    return _paired(outs[:count], moved, parts.moves)


def _transpose(cts: Sequence[Any], *operands: Any, jaxpr: ClosedJaxpr, prevent_cse: Flags, **params: Any) -> list[Any]:
    linear = tuple([type(x) is Linear for x in operands])
    moving = [ct for ct in cts if type(ct) is not Zero]
    derived, reached = transpose_jaxpr(jaxpr, linear, tuple([type(ct) is not Zero for ct in cts]))
    known = [i for i, is_linear in enumerate(linear) if not is_linear]
    outs = iter(_apply(derived, [*[operands[i] for i in known], *moving], _chosen(prevent_cse, known, len(moving)),
                       **params))
    reach = iter(reached)
    return [(next(outs) if next(reach) else None) if is_linear else None for is_linear in linear]


def _batch(axis: BatchAxis, args: tuple, axes: tuple, *, jaxpr: ClosedJaxpr, prevent_cse: Flags,
           **params: Any) -> tuple[list, list]:
    derived, found = batch_jaxpr(jaxpr, axis, tuple([a is not None for a in axes]))
    moved = [x if a is None else to_axis(x, a, 0, axis.size) for x, a in zip(args, axes)]
    return _apply(derived, moved, prevent_cse, **params), [0 if b else None for b in found]


def _emit(b: Any, *operands: Any, jaxpr: ClosedJaxpr, prevent_cse: Flags, differentiated: bool, **_: Any) -> list[Any]:
    if differentiated and prevent_cse:
        flags = (True,) * len(operands) if isinstance(prevent_cse, bool) else prevent_cse
        chosen = [x for x, f in zip(operands, flags) if f]
        physical = [physical_aval(x.aval) for x in chosen]
        held = b.hlo("optimization_barrier", [Value(x.name, a) for x, a in zip(chosen, physical)], physical) if chosen else []
        behind = iter([Value(v.name, x.aval) for v, x in zip(held, chosen)])
        operands = tuple([next(behind) if f else x for x, f in zip(operands, flags)])
    return b.call(jaxpr, operands, "checkpoint")


remat_p = Primitive(
    "remat2",
    params=("jaxpr", "prevent_cse", "differentiated", "policy"),
    multiple_results=True,
    cache_types=False,
    handles_extended=True,
    type_rule=lambda *avals, jaxpr, **_: list(jaxpr.out_avals),
    jvp=_jvp,
    linearize=_linearize,
    transpose=_transpose,
    batch=_batch,
    emit=_emit,
    evaluate=lambda *args, jaxpr, **_: eval_jaxpr(jaxpr.jaxpr, jaxpr.consts, *args),
    effects=lambda jaxpr, **_: jaxpr.effects,
    inside=lambda jaxpr, differentiated, **_: Inside.call(jaxpr, again=differentiated),
    in_sight=True,
    source="Griewank and Walther, Evaluating Derivatives, chapter 12 (checkpointing)",
)
remat_p.extra["axis_names"] = jit_p.extra["axis_names"]


# -- the function

class _Staged(NamedTuple):
    """A function staged for one combination of argument types; what it closes over are the first inputs."""

    jaxpr: ClosedJaxpr
    consts: list[Any]
    out_tree: Any


_caches: weakref.WeakKeyDictionary[Any, dict[Any, _Staged]] = weakref.WeakKeyDictionary()
also_cleared.append(_caches.clear)


class _Options:
    """The options of `checkpoint`, checked."""

    __slots__ = ("argnames", "argnums", "policy", "prevent_cse")

    def __init__(self, prevent_cse: Any, policy: Any, static_argnums: Any, static_argnames: Any) -> None:
        if not isinstance(prevent_cse, (bool, tuple, list)):
            raise RematOptionError(option="prevent_cse", given=repr(prevent_cse), kind="type")
        if policy is not None and not callable(policy):
            raise RematPolicyError(policy="", primitive="", answer=repr(policy), answer_type=type(policy).__name__)
        self.prevent_cse, self.policy = prevent_cse, policy
        several = not hasattr(static_argnums, "__index__")
        self.argnums = tuple([operator.index(n) for n in (static_argnums if several else (static_argnums,))])
        self.argnames = (static_argnames,) if isinstance(static_argnames, str) else tuple(static_argnames)

    def statics(self, fun: Any, args: tuple, kwargs: dict) -> tuple[set[int], set[str]]:
        """Positions and keywords of static arguments.

        Raises:
            StaticArgumentError: a number counts beyond the arguments.
        """
        for n in self.argnums:
            if not -len(args) <= n < len(args):
                raise StaticArgumentError(option="static_argnums", given=str(n), function=function_name(fun),
                                          kind="missing", parameters=_parameters(fun))
        positions = {n % len(args) for n in self.argnums}
        if self.argnames:
            names = _parameters(fun)
            positions |= {names.index(n) for n in self.argnames if n in names[:len(args)]}
        return positions, {n for n in self.argnames if n in kwargs}

    def flags(self, fun: Any, args: tuple, positions: set[int], keywords: int) -> Flags:
        """One flag for each flat operand, or one for all.

        Raises:
            RematOptionError: `prevent_cse` has not the structure of the arguments.
        """
        if isinstance(self.prevent_cse, bool):
            return self.prevent_cse
        prefix: Any = tuple(self.prevent_cse)
        try:
            if len(prefix) != len(args):
                raise ValueError(f"it has {len(prefix)} entries, the call {len(args)} positional arguments")
            kept = [i for i in range(len(args)) if i not in positions]
            found = tree.broadcast_prefix(tuple([prefix[i] for i in kept]), tuple([args[i] for i in kept]))
        except ValueError as error:
            raise RematOptionError(option="prevent_cse", given=repr(self.prevent_cse), kind="structure",
                                   function=function_name(fun), reason=str(error).splitlines()[0]) from None
        if not all(isinstance(f, bool) for f in found):
            raise RematOptionError(option="prevent_cse", given=repr(self.prevent_cse), kind="type")
        return (*found, *(True,) * keywords)


def _parameters(fun: Any) -> tuple[str, ...]:
    try:
        return tuple(inspect.signature(fun).parameters)
    except (TypeError, ValueError):  # a built-in function without a signature
        return ()


def checkpoint(fun: Callable[..., Any], *, prevent_cse: bool | Sequence[Any] = True, policy: Policy | None = None,
               static_argnums: int | Sequence[int] = (), static_argnames: str | Iterable[str] = (),
               concrete: Any = None) -> Callable[..., Any]:
    """`fun`, whose intermediate values are computed again when it is differentiated in reverse, instead of being kept.

    It trades time for memory: of the forward pass only the arguments of `fun` (and what `policy` keeps) wait for the
    backward pass. Values and derivatives are those of `fun`.

    Args:
        fun: a function of pytrees of arrays.
        prevent_cse: keep the compiler from recognising that things are computed twice, which would undo the saving. It
            costs a little, and is needless in the body of a `scan`. One truth value, or a tuple with one (or a pytree
            prefix) for each positional argument.
        policy: says which intermediate values are kept all the same, such as
            `jax.checkpoint_policies.dots_saveable`: asked as `policy(primitive, *operand_types, **params)`, it returns
            a truth value, or `Saveable`, `Recompute` or `Offloadable(src, dst)` of `jax.ad_checkpoint`. On the CPU what
            is offloaded is kept where it is.
        static_argnums: positions of arguments that are Python values, on which `fun` may branch. They need no hash.
        static_argnames: the same by name.
        concrete: was removed; it may not be given.

    Returns:
        A function of the same arguments, with the same results.

    Raises:
        RemovedOptionError: `concrete` was given.
        RematOptionError: `prevent_cse` is no truth value, or does not fit the arguments.
        RematPolicyError: `policy` is no function, or its answer is none.
        StaticArgumentError: `static_argnums` counts beyond the arguments.

    Differs: JAX takes `static_argnames` and ignores it; here these arguments are static.

    >>> jax.value_and_grad(jax.checkpoint(lambda x: jnp.sin(jnp.sin(x))))(2.0)[1]
    Array(-0.2556391, dtype=float32, weak_type=True)
    """
    if concrete is not None:
        raise RemovedOptionError(option="concrete", function="jax.checkpoint", instead="static_argnums=(1,)",
                                 because="arguments that Python branches on are named by `static_argnums`; all others "
                                         "are traced")
    options = _Options(prevent_cse, policy, static_argnums, static_argnames)
    own: dict[Any, _Staged] = {}

    def checkpointed(*args: Any, **kwargs: Any) -> Any:
        positions, names = options.statics(fun, args, kwargs)
        dynamic = tuple([x for i, x in enumerate(args) if i not in positions]) if positions else args
        keywords = {k: v for k, v in kwargs.items() if k not in names} if names else kwargs
        leaves, in_tree = tree.flatten((dynamic, keywords))
        try:
            avals = check_arguments(leaves, in_tree, fun, "checkpoint")
        except ArgumentTypeError:
            if not has_refs((dynamic, keywords)):
                raise
            cells, (passed, named) = passed_for((args, kwargs), fun, "checkpoint")
            with lent(cells, "checkpoint", function_name(fun)):
                values, result = checkpoint(with_arguments(fun), prevent_cse=prevent_cse, policy=policy,
                                            static_argnums=static_argnums, static_argnames=static_argnames)(*passed, **named)
            write_all(cells, values)
            return result
        fixed = {i: args[i] for i in sorted(positions)}, {k: kwargs[k] for k in sorted(names)}
        staged = _stage(fun, own, in_tree, avals, fixed, len(args))
        flags = options.flags(fun, args, positions, len(tree.leaves(keywords)))
        if not isinstance(flags, bool):
            flags = (True,) * len(staged.consts) + flags
        outs = remat_p(*staged.consts, *leaves, jaxpr=staged.jaxpr, prevent_cse=flags, differentiated=False, policy=policy)
        return staged.out_tree.unflatten(outs)

    return wraps(fun, checkpointed)


def _stage(fun: Any, own: dict[Any, _Staged], in_tree: Any, avals: Sequence[Any], fixed: tuple[dict, dict],
           count: int) -> _Staged:
    """The function as a jaxpr, staged once for each combination of types and static values that can be hashed."""
    by_place, by_name = fixed
    statics = tuple([(k, type(v), v) for k, v in (*by_place.items(), *by_name.items())])
    key = (state_key(), in_tree, tuple(avals), statics, axes_key())
    try:
        # A bound method is a new object at each access, equal to others of an instance that may have changed.
        cache = own if inspect.ismethod(fun) else _caches.setdefault(fun, {})
        found = cache.get(key)
    except TypeError:  # a static value or a function that cannot be hashed or weakly referenced
        cache, found = None, None
    if found is not None:
        return found
    rebuild = None
    if by_place or by_name:
        def rebuild(both: tuple) -> tuple[tuple, dict]:
            values = iter(both[0])
            return (tuple([by_place[i] if i in by_place else next(values) for i in range(count)]),
                    {**both[1], **by_name})

    flat = FlatFunction(fun, in_tree, "checkpoint", rebuild)
    closed = stage_flat(flat, avals, debug_info("checkpoint", fun, in_tree, static=tuple(by_place)))
    body = closed.jaxpr
    staged = _Staged(ClosedJaxpr(body.replace(constvars=[], invars=[*body.constvars, *body.invars])), closed.consts,
                     flat.out_tree)
    if cache is not None and not config.jax_check_tracer_leaks and not any(
            isinstance(x, Tracer) for x in (*closed.consts, *by_place.values(), *by_name.values())):
        if len(cache) >= MAX_STAGED:
            cache.clear()
        cache[key] = staged
    return staged


def remat(fun: Callable[..., Any], *, prevent_cse: bool | Sequence[Any] = True, policy: Policy | None = None,
          static_argnums: int | Sequence[int] = (), concrete: Any = None) -> Callable[..., Any]:
    """`checkpoint` by its other name; see there."""
    return checkpoint(fun, prevent_cse=prevent_cse, policy=policy, static_argnums=static_argnums, concrete=concrete)


__all__ = ["checkpoint", "remat", "remat_p"]
