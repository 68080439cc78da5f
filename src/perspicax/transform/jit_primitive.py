"""`jit_p`: the call of a staged function as one equation, its rules, and how a jaxpr is compiled and run."""
from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from perspicax.core import config as config_module
from perspicax.core.avals import abstract_token
from perspicax.core.jaxpr import ClosedJaxpr, JaxprEqn, eval_jaxpr, subjaxprs
from perspicax.core.primitive import Inside, Primitive
from perspicax.core.trace import Linear, Zero
from perspicax.core.tracer import Tracer
from perspicax.transform.batch import batch_jaxpr, to_axis
from perspicax.transform.jvp import jvp_jaxpr, linearize_jaxpr
from perspicax.transform.transpose import transpose_jaxpr
from perspicax.xla import compile as compilation
from perspicax.xla import dispatch
from perspicax.xla.array import ArrayImpl
from perspicax.xla.compiled_sharding import replicated_like, with_leading_axis
from perspicax.xla.errors import IncompatibleDevicesError
from perspicax.xla.explicit import on_devices
from perspicax.xla.mesh import current_mesh
from perspicax.xla.mixed_meshes import refuse_mixed_meshes
from perspicax.xla.sharding import NamedSharding, drawn, in_memories
from perspicax.xla.sharding_errors import ShardingFitError, ShardingMismatchError

state_key = config_module.state_key

# -- rules

def _jit_jvp(primals: tuple, tangents: tuple, *, jaxpr: ClosedJaxpr, name: str, in_shardings: Any, out_shardings: Any,
             **params: Any) -> tuple[list, list]:
    moving = tuple(type(t) is not Zero for t in tangents)
    derived, moves = jvp_jaxpr(jaxpr, moving)
    outs = _call(derived, [*primals, *[t for t in tangents if type(t) is not Zero]], _with_those(in_shardings, moving),
                 _with_those(out_shardings, moves), name=name, **params)
    return _with_zeros(outs, len(jaxpr.out_avals), moves)


def _call(derived: ClosedJaxpr, args: Sequence[Any], in_shardings: Any, out_shardings: Any, **params: Any) -> list:
    """A call of a jaxpr derived from that of a jitted function.

    Rules of custom derivatives within may have closed over traced values, which became its constants: they are operands.
    """
    consts = derived.consts if any(isinstance(c, Tracer) for c in derived.consts) else []
    if consts:
        body = derived.jaxpr
        derived = ClosedJaxpr(body.replace(constvars=[], invars=[*body.constvars, *body.invars]))
        in_shardings = None if in_shardings is None else (None,) * len(consts) + tuple(in_shardings)
    params["donated_invars"] = (False,) * len(derived.in_avals)
    return jit_p(*consts, *args, jaxpr=derived, in_shardings=in_shardings, out_shardings=out_shardings, **params)


def _with_zeros(outs: list, n: int, moves: Sequence[bool]) -> tuple[list, list]:
    rest = iter(outs[n:])
    results = outs[:n]
    return results, [next(rest) if m else Zero.like(x) for x, m in zip(results, moves)]


def _chosen(given: Any, marks: Sequence[bool]) -> tuple:
    """The shardings of the values that are marked; `None` for each where none were asked for."""
    return tuple([s for s, m in zip(given if given is not None else (None,) * len(marks), marks) if m])


def _with_those(given: Any, marks: Sequence[bool]) -> Any:
    """The shardings of values, and behind them those of the tangents of the ones that are marked."""
    return None if given is None else (*given, *_chosen(given, marks))


def any_of(given: tuple) -> Any:
    return given if any(s is not None for s in given) else None


def _jit_linearize(primals: tuple, tangents: tuple, *, jaxpr: ClosedJaxpr, name: str, in_shardings: Any,
                   out_shardings: Any, **params: Any) -> tuple[list, list]:
    moving = tuple(type(t) is not Zero for t in tangents)
    parts = linearize_jaxpr(jaxpr, moving)
    n = len(jaxpr.out_avals)
    extra = (None,) * (len(parts.forward.out_avals) - n)
    outs = _call(parts.forward, primals, in_shardings, None if out_shardings is None else (*out_shardings, *extra),
                 name=name, **params)
    residuals = parts.gather(primals, outs)
    moved: list = []
    if any(parts.moves):
        moved = _call(parts.linear, [*residuals, *[t for t in tangents if type(t) is not Zero]],
                      any_of((None,) * len(residuals) + _chosen(in_shardings, moving)),
                      any_of(_chosen(out_shardings, parts.moves)), name=name, **params)
    return _with_zeros(outs[:n] + moved, n, parts.moves)


def _jit_transpose(cts: list, *operands: Any, jaxpr: ClosedJaxpr, name: str, in_shardings: Any, out_shardings: Any,
                   **params: Any) -> list:
    linear = tuple(type(x) is Linear for x in operands)
    moving = tuple(type(ct) is not Zero for ct in cts)
    derived, reached = transpose_jaxpr(jaxpr, linear, moving)
    known = [not is_linear for is_linear in linear]
    outs = iter(_call(derived, [*[x for x in operands if type(x) is not Linear], *[ct for ct in cts if type(ct) is not Zero]],
                      any_of(_chosen(in_shardings, known) + _chosen(out_shardings, moving)),
                      any_of(_chosen(_chosen(in_shardings, linear), reached)), name=name, **params))
    reach = iter(reached)
    return [(next(outs) if next(reach) else None) if is_linear else None for is_linear in linear]


def _jit_batch(axis: Any, args: tuple, axes: tuple, *, jaxpr: ClosedJaxpr, name: str, in_shardings: Any,
               out_shardings: Any, **params: Any) -> tuple[list, list]:
    batched = tuple(a is not None for a in axes)
    derived, found = batch_jaxpr(jaxpr, axis, batched)
    args = tuple([to_axis(x, a, 0, axis.size) if a is not None else x for x, a in zip(args, axes)])
    outs = _call(derived, args, _batched_shardings(in_shardings, batched, axis.spmd),
                 _batched_shardings(out_shardings, found, axis.spmd), name=name, **params)
    return outs, [0 if b else None for b in found]


def _batched_shardings(given: Any, batched: Sequence[bool], mesh_axis: Any) -> Any:
    if given is None:
        return None
    return tuple([with_leading_axis(s, mesh_axis) if b and s is not None else s for s, b in zip(given, batched)])


def _jit_evaluate(*args: Any, jaxpr: ClosedJaxpr, name: str, donated_invars: tuple, keep_unused: bool,
                  **params: Any) -> list:
    arrays = [x if type(x) is ArrayImpl else dispatch.as_array(x) for x in args]
    return run_jaxpr(jaxpr, arrays, name=name, donated=donated_invars, keep_unused=keep_unused, **params)


def _placed(b: Any, values: Sequence[Any], given: Any) -> Sequence[Any]:
    """The values, those with a sharding of their own under its annotation."""
    if given is None or b.module.num_partitions == 1:
        return values
    return [v if s is None else b.annotate_sharding(v, s) for v, s in zip(values, given)]


def _jit_split(eqn: JaxprEqn, policy: Any, wanted: tuple[bool, ...]) -> tuple[JaxprEqn, Sequence[Any], JaxprEqn]:
    from perspicax.transform.remat_split import split_call, split_jaxpr  # for its weight: few programs need it

    split = split_jaxpr(eqn.params["jaxpr"], policy, wanted)
    more = (None,) * split.kept

    def known(params: dict) -> dict:
        out = params["out_shardings"]
        return {**params, "out_shardings": None if out is None else (*out, *more)}

    def again(params: dict) -> dict:
        given = params["in_shardings"]
        return {**params, "in_shardings": None if given is None else (*given, *more),
                "out_shardings": any_of(_chosen(params["out_shardings"], wanted)),
                "donated_invars": (False,) * len(split.again.in_avals)}

    return split_call(eqn, split, known=known, again=again, wanted=wanted)


def _makes_masks(jaxpr: ClosedJaxpr) -> bool:
    """Whether all that a function returns are booleans made of random bits, as the masks of dropout are.

    XLA takes a random generator for cheap, and would write its rounds into each operation that reads the mask, forwards and
    backwards: most of a transformer's time to compile. A mask in memory is one byte an element.
    """
    if any(aval is abstract_token or aval.dtype != np.bool_ for aval in jaxpr.out_avals):
        return False
    return jaxpr.derive("draws", lambda: _draws(jaxpr.jaxpr))


def _draws(jaxpr: Any) -> bool:
    """Whether random bits are drawn in it, or in a function that it calls."""
    return any(eqn.primitive.extra.get("draws", False) or (eqn.primitive is jit_p and _draws(eqn.params["jaxpr"].jaxpr))
               for eqn in jaxpr.eqns)


jit_p = Primitive(
    "jit",
    params=("jaxpr", "name", "donated_invars", "in_shardings", "out_shardings", "keep_unused", "inline",
            "compiler_options"),
    multiple_results=True,
    cache_types=False,
    handles_extended=True,
    type_rule=lambda *avals, jaxpr, **_: list(jaxpr.out_avals),
    jvp=_jit_jvp,
    linearize=_jit_linearize,
    transpose=_jit_transpose,
    batch=_jit_batch,
    emit=lambda b, *operands, jaxpr, name, in_shardings, out_shardings, **_: _placed(
        b, b.call(jaxpr, _placed(b, operands, in_shardings), name, _makes_masks(jaxpr)), out_shardings),
    evaluate=_jit_evaluate,
    effects=lambda jaxpr, **_: jaxpr.effects,
    inside=lambda jaxpr, **_: Inside.call(jaxpr),
    source="a call of a staged function",
)


def _axis_names(jaxpr: ClosedJaxpr, **_: Any) -> frozenset:
    return jaxpr.derive("axis_names", lambda: _collect_axis_names(jaxpr.jaxpr))


def _collect_axis_names(jaxpr: Any) -> frozenset:
    found: set = set()
    for eqn in jaxpr.eqns:
        mentions = eqn.primitive.extra.get("axis_names")
        if mentions is not None:
            found.update(mentions(**eqn.params))
    return frozenset(found)


jit_p.extra["axis_names"] = _axis_names
jit_p.extra["split"] = _jit_split


# -- running a jaxpr

def program_for(closed: ClosedJaxpr, placed: Any, committed: bool, *, name: str, donated: Sequence[bool] = (),
                keep_unused: bool = False, in_shardings: Any = None, out_shardings: Any = None, compiler_options: tuple = (),
                lowered: compilation.Lowered | None = None) -> compilation.Executable:
    """The executable of a jaxpr on the devices of `placed`, compiled once; `lowered` where it was lowered already.

    Once under the same options: a jaxpr may be staged under other ones than those that its emission reads.
    """
    key = ("program", state_key(), placed, committed, tuple(donated), keep_unused, in_shardings, out_shardings,
           compiler_options)

    def make() -> compilation.Executable:
        module = lowered or compilation.lower(closed, name=f"jit_{name}", placed=placed, donated=donated,
                                              keep_unused=keep_unused, in_shardings=in_shardings, out_shardings=out_shardings)
        return compilation.compile_lowered(module, overrides=compiler_options, committed=committed)

    return closed.derive(key, make)


def run_jaxpr(closed: ClosedJaxpr, arrays: list[ArrayImpl], *, name: str, donated: Sequence[bool] = (),
              keep_unused: bool = False, in_shardings: Any = None, out_shardings: Any = None, inline: bool = False,
              compiler_options: tuple = (), search: Callable[[], Any] | None = None) -> list[ArrayImpl]:
    """Compile (once) and run a jaxpr on concrete arrays.

    Args:
        search: with debug_nans, runs the same equation by equation when a result is not finite; `None`: as it stands.
    """
    if dispatch.checking.nans:
        donated = ()  # the search needs the operands
    placed, program = program_at(closed, arrays, name, donated, keep_unused, in_shardings, out_shardings, compiler_options)
    results = program(dispatch.move_all(arrays, placed, program.in_shardings))
    if dispatch.checking.nans:
        find_non_finite(closed, arrays, results, name, search)
    return results


def program_at(closed: ClosedJaxpr, arrays: Sequence[ArrayImpl], name: str, donated: Sequence[bool], keep_unused: bool,
                in_shardings: Any, out_shardings: Any, compiler_options: tuple) -> tuple[Any, Any]:
    """Where a jaxpr runs on these arrays, and its program there."""
    explicit = [s for s in (*(in_shardings or ()), *(out_shardings or ()), *inner_shardings(closed)) if s is not None]
    placed, committed = dispatch.common_placement(arrays, name, lambda: argument_names(closed, len(arrays)))
    if explicit:
        placed, committed = _explicit_placement(explicit, arrays, in_shardings, name), True
    mesh = current_mesh.value
    if mesh is not None and committed and mesh.device_tuple and placed.devices != mesh.device_tuple:
        dispatch.refuse_other_devices(arrays, placed, mesh, name, argument_names(closed, len(arrays)))
    if len(placed.devices) > 1:
        _check_result_shardings(closed, out_shardings, name)
        refuse_mixed_meshes(closed, arrays, lambda: argument_names(closed, len(arrays)))
        placed, in_shardings = dispatch.spread_placement(arrays, placed, in_shardings, name,
                                                         lambda: argument_names(closed, len(arrays)))
    else:
        _check_memories(closed, arrays, in_shardings, name)
        found = _results_on_one(closed, out_shardings, placed, asked=bool(explicit))
        in_shardings, out_shardings = None, in_memories(closed.out_avals, out_shardings, found)
    program = program_for(closed, placed, committed, name=name, donated=donated, keep_unused=keep_unused,
                          in_shardings=in_shardings, out_shardings=out_shardings, compiler_options=compiler_options)
    return placed, program


def _check_memories(closed: ClosedJaxpr, arrays: Sequence[ArrayImpl], in_shardings: Any, name: str) -> None:
    """Raise where an argument on the one device of a program is in another memory than was asked for.

    Raises:
        ShardingMismatchError: of the first such argument.
    """
    for i, (x, wanted) in enumerate(zip(arrays, in_shardings or ())):
        if wanted is not None and x._committed and x.sharding.memory_kind != wanted.memory_kind:
            raise ShardingMismatchError(function=name, name=argument_names(closed, len(arrays))[i],
                                        type_text=x.aval.str_short(), wanted=drawn(wanted, x.shape),
                                        got=drawn(x.sharding, x.shape))


def _results_on_one(closed: ClosedJaxpr, wanted: Any, placed: Any, asked: bool) -> tuple | None:
    """The shardings of results on one device: those that were asked for, or that types tell; for the others that of the
    operands, where they have axes enough for it. Where shardings were asked for, the others are whole."""
    if not isinstance(placed, NamedSharding):
        return wanted
    whole, wanted = replicated_like(placed), wanted or (None,) * len(closed.out_avals)
    least = float("inf") if asked else len(placed.spec)
    told = [None if a is abstract_token or a.explicit is None else on_devices(a.explicit, placed.devices)
            for a in closed.out_avals]
    return tuple([s if s is not None and not s.open else t or (
        placed if a is not abstract_token and a.ndim >= least else whole) for s, t, a in zip(wanted, told, closed.out_avals)])


def _explicit_placement(explicit: Sequence[Any], arrays: Sequence[ArrayImpl], in_shardings: Any, name: str) -> Any:
    """A sharding on the devices that the user asks for.

    Raises:
        IncompatibleDevicesError: they are not the same everywhere, or not those of an argument that lies on several.
    """
    chosen = next((s for s in explicit if len(s.devices) > 1), explicit[0])
    if len(chosen.devices) == 1:
        other = next((s for s in explicit if s.devices != chosen.devices), None)
        if other is not None:
            raise IncompatibleDevicesError(what=name, placements=(f"{chosen}", f"{other}"))
    if len(chosen.devices) > 1:
        taken = [x for i, x in enumerate(arrays) if in_shardings is None or in_shardings[i] is None]
        theirs = [x.sharding for x in taken if x._committed]
        other = next((s for s in (*explicit, *theirs) if len(s.devices) > 1 and s.devices != chosen.devices), None)
        if other is None:
            other = next((s for s in theirs if s.devices != chosen.devices), None)
        if other is not None:
            raise IncompatibleDevicesError(what=name, placements=(f"{chosen}", f"{other}"))
    return chosen


def inner_shardings(closed: ClosedJaxpr) -> tuple:
    """The shardings that jitted functions called within ask for; they tell on which devices the whole runs."""
    if not shardings_asked_for:
        return ()
    return closed.derive("inner shardings", lambda: tuple(_collect_shardings(
        compilation.without_dead_equations(closed.jaxpr)[0], set())))  # what is not run asks for nothing


shardings_asked_for: list[bool] = []  # holds something once any jitted function of the process asked for shardings


def _collect_shardings(jaxpr: Any, seen: set[int]) -> list:
    found: list = []
    for eqn in jaxpr.eqns:
        if not eqn.values:
            continue
        if eqn.primitive is jit_p:
            params = eqn.params
            found += [s for s in (*(params["in_shardings"] or ()), *(params["out_shardings"] or ())) if s is not None]
        mentions = eqn.primitive.extra.get("shardings")
        if mentions is not None:
            found += mentions(**eqn.params)
        for inner in subjaxprs(eqn):
            if id(inner) not in seen:
                seen.add(id(inner))
                found += _collect_shardings(inner, seen)
    return found


def _check_result_shardings(closed: ClosedJaxpr, out_shardings: Any, name: str) -> None:
    for i, (s, aval) in enumerate(zip(out_shardings or (), closed.out_avals)):
        if s is not None:
            try:
                s.shard_shape(aval.shape)
            except ShardingFitError as error:
                error.name = "result" if len(closed.out_avals) == 1 else f"result {i}"
                error.function, error.type_text = name, aval.str_short()
                raise


def argument_names(closed: ClosedJaxpr, count: int) -> Sequence[str]:
    names = (closed.debug_info.arg_names if closed.debug_info is not None else None) or ()
    return names if len(names) == count else [f"argument {i}" for i in range(count)]


def find_non_finite(closed: ClosedJaxpr, arrays: Sequence[ArrayImpl], results: Sequence[ArrayImpl], name: str,
                    search: Callable[[], Any] | None = None) -> None:
    """With debug_nans: where a result is not finite, run equation by equation, so that the report names the one.

    Raises:
        NonFiniteError: of the operation, or of the whole where its operands were donated.
    """
    try:
        dispatch.check_results(results, name)
        return
    except FloatingPointError as error:
        found = error
    try:  # outside of the handler: the report of the operation stands alone
        if search is not None:
            search()
        elif not any(x.is_deleted() for x in arrays):
            eval_jaxpr(closed.jaxpr, closed.consts, *arrays)
        raise found
    finally:
        del found
