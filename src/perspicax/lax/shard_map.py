"""`shard_map_p`: a function that each device of a mesh runs on its part of the operands.

The body is the jaxpr of one device's part; specifications say which axes of an operand, and of a result, are split by which
axes of the mesh. The axes in `newly_manual_axes` are in scope in the body, where collectives name them; along the others the
compiler splits arrays as it likes. With `check_vma` the types of the body tell along which axes values vary
(`transform/mesh_scope.py`).

The rules derive the body as they would any jaxpr, with the axes in scope. What a derivative keeps of the first half for the
second is split along all axes along which it varies.
"""
from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

from perspicax.core.jaxpr import ClosedJaxpr, eval_jaxpr
from perspicax.core.primitive import Parts, Primitive
from perspicax.core.trace import Linear, Zero, stage_flat
from perspicax.lax import elementwise
from perspicax.lax.bodies import open_consts
from perspicax.lax.collectives import psum_p
from perspicax.lax.families import constant_like
from perspicax.lax.marks import marks_of, remarked
from perspicax.lax.mesh_collectives import manual_region, sharding_text
from perspicax.lax.shape import reshape
from perspicax.transform.batch import BatchAxis, batch_flat, to_axis
from perspicax.transform.hooks import as_cotangent, flowing_to
from perspicax.transform.jit_primitive import any_of, jit_p, run_jaxpr, shardings_asked_for
from perspicax.transform.jvp import jvp_jaxpr, linearize_jaxpr
from perspicax.transform.mesh_scope import mesh_axes
from perspicax.transform.transpose import transpose_linear
from perspicax.xla import dispatch
from perspicax.xla.array import ArrayImpl
from perspicax.xla.compile import without_dead_equations
from perspicax.xla.emit import physical_aval
from perspicax.xla.errors import EmissionError
from perspicax.xla.explicit import part_of_type
from perspicax.xla.sharding import Mesh, NamedSharding, PartitionSpec, in_memory_of, names_in
from perspicax.xla.sharding_errors import MeshAxisError, MeshError

Specs = tuple[PartitionSpec, ...]
WHOLE = PartitionSpec()


# -- types: of the whole, and of one device's part

def names_of(spec: PartitionSpec) -> frozenset:
    """The axes of the mesh that a specification names."""
    return frozenset([name for part in spec for name in names_in(part)])


def _sizes(spec: PartitionSpec, mesh: Any, rank: int) -> list[int]:
    parts = [math.prod([mesh.shape[n] for n in names_in(part)]) for part in spec]
    return parts + [1] * (rank - len(parts))


def part_type(aval: Any, spec: PartitionSpec, mesh: Any, check_vma: bool) -> Any:
    """The type of one device's part of a value of type `aval`."""
    shape = tuple([n // s for n, s in zip(aval.shape, _sizes(spec, mesh, aval.ndim))])
    part = aval.at_shape(shape).varying(aval.vma | names_of(spec) if check_vma else aval.vma)
    if aval.explicit is not None:
        part = part.laid(_left_of(aval.explicit, names_of(spec) | spec.unreduced | spec.reduced))
    if not check_vma or not (spec.unreduced or spec.reduced):
        return part
    own = marks_of(part)
    return remarked(part, own[0] | spec.unreduced, own[1] | spec.reduced, mesh)


def _left_of(explicit: NamedSharding, manual: frozenset) -> NamedSharding | None:
    """What a type says of the explicit axes that are not manual."""
    parts, spec = [tuple([n for n in names_in(p) if n not in manual]) for p in explicit.spec.partitions], explicit.spec
    left = PartitionSpec(*parts, unreduced=spec.unreduced - manual, reduced=spec.reduced - manual)
    return part_of_type(NamedSharding(explicit.mesh, left), len(parts))


def _joined(spec: PartitionSpec, explicit: NamedSharding) -> PartitionSpec:
    """A specification, and behind it what a type says of one device's part."""
    parts = [*spec, *[None] * (len(explicit.spec) - len(spec))]
    return PartitionSpec(*[(*names_in(p), *names_in(q)) for p, q in zip(parts, explicit.spec.partitions)],
                         unreduced=spec.unreduced | explicit.spec.unreduced, reduced=spec.reduced | explicit.spec.reduced)


def whole_type(aval: Any, spec: PartitionSpec, mesh: Any, manual: frozenset) -> Any:
    """The type of the whole of which each device has a part of type `aval`."""
    shape = tuple([n * s for n, s in zip(aval.shape, _sizes(spec, mesh, aval.ndim))])
    whole = aval.at_shape(shape).varying(aval.vma - manual)
    explicit = None if aval.explicit is None else _left_of(aval.explicit, manual)
    if not mesh.explicit_axes:
        return whole if explicit is None else whole.laid(explicit)  # marked along the axes of a `shard_map` around it
    spec = spec if explicit is None else _joined(spec, explicit)
    return whole.laid(part_of_type(NamedSharding(mesh, spec), whole.ndim))


def _type_rule(*avals: Any, jaxpr: ClosedJaxpr, mesh: Any, out_specs: Specs, newly_manual_axes: frozenset, **_: Any) -> list:
    return [whole_type(a, spec, mesh, newly_manual_axes) for a, spec in zip(jaxpr.out_avals, out_specs)]


# -- deriving the body

class _Call:
    """The parameters of one call, for its rules."""

    __slots__ = ("check_vma", "in_specs", "jaxpr", "manual", "mesh", "out_specs")

    def __init__(self, jaxpr: ClosedJaxpr, mesh: Any, in_specs: Specs, out_specs: Specs, newly_manual_axes: frozenset,
                 check_vma: bool) -> None:
        self.jaxpr, self.mesh, self.in_specs, self.out_specs = jaxpr, mesh, in_specs, out_specs
        self.manual, self.check_vma = newly_manual_axes, check_vma

    def within(self) -> Any:
        """The axes in scope."""
        return mesh_axes(self.mesh, self.manual, self.check_vma)

    def staged(self, fun: Callable[..., Sequence[Any]], avals: Sequence[Any]) -> ClosedJaxpr:
        """The jaxpr of a function of parts."""
        with self.within():
            return stage_flat(fun, avals, self.jaxpr.debug_info)

    def kept(self, key: tuple, make: Callable[[], Any]) -> Any:
        """What is derived of the body for these specifications, once."""
        return self.jaxpr.derive((*key, self.mesh, self.in_specs, self.out_specs, self.manual, self.check_vma), make)

    def bind(self, jaxpr: ClosedJaxpr, args: Sequence[Any], in_specs: Sequence[PartitionSpec],
             out_specs: Sequence[PartitionSpec]) -> list:
        """A call of a derived body. What it has closed over is an operand, and whole."""
        opened, consts = open_consts(jaxpr)
        return shard_map_p(*consts, *args, jaxpr=opened, mesh=self.mesh, in_specs=(WHOLE,) * len(consts) + tuple(in_specs),
                           out_specs=tuple(out_specs), newly_manual_axes=self.manual, check_vma=self.check_vma)

    def residual_spec(self, aval: Any) -> PartitionSpec:
        """How a value of the body is kept: one part for each device that may have another value."""
        along = aval.vma & self.manual if self.check_vma else self.manual
        names = tuple([n for n in self.mesh.axis_names if n in along])
        unreduced, reduced = [marks & self.manual for marks in marks_of(aval)]
        return PartitionSpec(*[names] if names else [], unreduced=unreduced, reduced=reduced)

    def unmentioned(self, spec: PartitionSpec) -> tuple:
        """The manual axes along which a value is the same for all, and is no sum, and its cotangent is none."""
        named = names_of(spec) | spec.unreduced | spec.reduced
        return tuple([n for n in self.mesh.axis_names if n in self.manual and n not in named])


def _moving(tangents: Sequence[Any]) -> tuple[bool, ...]:
    return tuple([type(t) is not Zero for t in tangents])


def _present(tangents: Sequence[Any]) -> list[Any]:
    return [t for t in tangents if type(t) is not Zero]


def _marked(items: Sequence[Any], marks: Sequence[bool]) -> list[Any]:
    return [x for x, m in zip(items, marks) if m]


def _with_zeros(outs: list, moved: list, moves: Sequence[bool]) -> tuple[list, list]:
    rest = iter(moved)
    return outs, [next(rest) if m else Zero.like(x) for x, m in zip(outs, moves)]


def with_parts_of_sums(closed: ClosedJaxpr, out_specs: Specs) -> ClosedJaxpr:
    """A body whose results are parts of sums where specifications say so; the axes are in scope."""
    from perspicax.lax.partial_sums import vary_unreduced_cast_p  # for its weight: few programs need it

    def body(*args: Any) -> list[Any]:
        outs = eval_jaxpr(closed.jaxpr, closed.consts, *args)
        for i, (x, aval, spec) in enumerate(zip(outs, closed.out_avals, out_specs)):
            axes = spec.unreduced - marks_of(aval)[0]
            if axes:
                outs[i] = vary_unreduced_cast_p(x, axes=tuple(sorted(axes, key=str)))
        return outs

    return stage_flat(body, closed.in_avals, closed.debug_info)


# -- derivatives

def _jvp(primals: tuple, tangents: tuple, **params: Any) -> tuple[list, list]:
    call = _Call(**params)
    moving = _moving(tangents)
    with call.within():
        derived, moves = jvp_jaxpr(call.jaxpr, moving)
    outs = call.bind(derived, [*primals, *_present(tangents)], [*call.in_specs, *_marked(call.in_specs, moving)],
                     [*call.out_specs, *_marked(call.out_specs, moves)])
    n = len(call.out_specs)
    return _with_zeros(outs[:n], outs[n:], moves)


def _linearize(primals: tuple, tangents: tuple, **params: Any) -> tuple[list, list]:
    call = _Call(**params)
    moving = _moving(tangents)
    forward, linear, moves, sources, extra_specs = call.kept(("linear parts", moving), lambda: _taken_apart(call, moving))
    outs = call.bind(forward, primals, call.in_specs, [*call.out_specs, *extra_specs])
    n = len(call.out_specs)
    moved: list = []
    if any(moves):
        residuals = [primals[i] if kind == "in" else outs[i] for kind, i in sources]
        specs = [call.in_specs[i] if kind == "in" else [*call.out_specs, *extra_specs][i] for kind, i in sources]
        moved = call.bind(linear, [*residuals, *_present(tangents)], [*specs, *_marked(call.in_specs, moving)],
                          _marked(call.out_specs, moves))
    return _with_zeros(outs[:n], moved, moves)


def _taken_apart(call: _Call, moving: tuple[bool, ...]) -> tuple:
    """The body in two halves; residuals without axes get one between the halves, along which they are put together."""
    with call.within():
        parts = linearize_jaxpr(call.jaxpr, moving)
    n = len(call.out_specs)
    extra = parts.forward.out_avals[n:]

    def forward(*args: Any) -> list[Any]:
        outs = eval_jaxpr(parts.forward.jaxpr, parts.forward.consts, *args)
        return [*outs[:n], *[x if a.shape else reshape(x, (1,)) for x, a in zip(outs[n:], extra)]]

    lone = [kind == "out" and i >= n and not parts.forward.out_avals[i].shape for kind, i in parts.residuals]

    def linear(*args: Any) -> list[Any]:
        residuals = [reshape(x, ()) if one else x for x, one in zip(args, lone)]
        return eval_jaxpr(parts.linear.jaxpr, parts.linear.consts, *residuals, *args[len(lone):])

    if not any(lone):
        halves = parts.forward, parts.linear
    else:
        avals = [a.at_shape((1,)) if i < len(lone) and lone[i] else a for i, a in enumerate(parts.linear.in_avals)]
        halves = call.staged(forward, parts.forward.in_avals), call.staged(linear, avals)
    return *halves, parts.moves, parts.residuals, [call.residual_spec(a) for a in extra]


def _transpose(cts: list, *operands: Any, **params: Any) -> list:
    call = _Call(**params)
    linear = tuple([type(x) is Linear for x in operands])
    moving = _moving(cts)
    derived, reached = call.kept(("transposed", linear, moving), lambda: _transposed(call, linear, moving))
    known = [not is_linear for is_linear in linear]
    outs = iter(call.bind(derived, [*_marked(operands, known), *_present(cts)],
                          [*_marked(call.in_specs, known), *_duals(_marked(call.out_specs, moving))],
                          _duals(_marked(_marked(call.in_specs, linear), reached))))
    reach = iter(reached)
    return [(next(outs) if next(reach) else None) if is_linear else None for is_linear in linear]


def _duals(specs: Sequence[PartitionSpec]) -> list[PartitionSpec]:
    """Those of the cotangents."""
    return [spec.to_ct_spec() for spec in specs]


def _transposed(call: _Call, linear: tuple[bool, ...], moving: tuple[bool, ...]) -> tuple[ClosedJaxpr, tuple[bool, ...]]:
    """The transposed body, and which linear operands get a cotangent.

    Where types do not tell what varies, each result is taken to be the same along the axes that do not split it: each device
    gets an equal share of its cotangent. An operand that is whole along axes gets the sum of what all devices along them give.
    """
    closed = call.jaxpr
    known = [a for a, is_linear in zip(closed.in_avals, linear) if not is_linear]
    ct_avals = [as_cotangent(a.varying(a.vma | names_of(spec))) if call.check_vma else a
                for a, spec, m in zip(closed.out_avals, call.out_specs, moving) if m]
    reached: list[tuple[bool, ...]] = []

    def share(ct: Any, spec: PartitionSpec) -> Any:
        copies = math.prod([call.mesh.shape[n] for n in call.unmentioned(spec)])
        return ct if call.check_vma or copies == 1 else elementwise.div(ct, constant_like(ct, copies))

    def summed(ct: Any, spec: PartitionSpec, aval: Any) -> Any:
        axes = call.unmentioned(spec)
        if call.check_vma and (spec.unreduced or spec.reduced):
            ct = flowing_to(aval, ct)
        return ct if call.check_vma or not axes else psum_p(ct, axes=axes, axis_index_groups=None)

    def transposed(*args: Any) -> list[Any]:
        values, given = iter(args[:len(known)]), iter(args[len(known):])
        operands = [Linear(a) if is_linear else next(values) for a, is_linear in zip(closed.in_avals, linear)]
        cts = [share(next(given), spec) if m else Zero(a) for a, spec, m in zip(closed.out_avals, call.out_specs, moving)]
        found = transpose_linear(closed.jaxpr, closed.consts, operands, cts)
        back = [(ct, spec, aval) for ct, spec, aval, is_linear in zip(found, call.in_specs, closed.in_avals, linear)
                if is_linear]
        reached.append(tuple([type(ct) is not Zero for ct, _, _ in back]))
        return [summed(ct, spec, aval) for ct, spec, aval in back if type(ct) is not Zero]

    return call.staged(transposed, [*known, *ct_avals]), reached[0]


# -- batching

def _batch(axis: BatchAxis, args: tuple, axes: tuple, **params: Any) -> tuple[list, list]:
    call = _Call(**params)
    batched = tuple([a is not None for a in axes])
    args = tuple([to_axis(x, a, 0, axis.size) if a is not None else x for x, a in zip(args, axes)])
    over = names_in(axis.spmd) if axis.spmd is not None else ()
    over = tuple([n for n in over if n in call.manual])
    for option, specs in (("in_specs", call.in_specs), ("out_specs", call.out_specs)) if over else ():
        for spec in specs:
            if not names_of(spec).isdisjoint(over):
                raise MeshAxisError(kind="spmd", spec=repr(spec), axis=next(n for n in over if n in names_of(spec)),
                                    mesh=str(call.mesh), axes=call.mesh.axis_names, function=option)
    derived, found = call.kept(("batched", axis.size, axis.name, over, batched), lambda: _batched(call, axis, over, batched))
    front = over if len(over) > 1 else over[0] if over else None
    outs = call.bind(derived, args, [_with_front(s, front) if b else s for s, b in zip(call.in_specs, batched)],
                     [_with_front(s, front) if b else s for s, b in zip(call.out_specs, found)])
    return outs, [0 if b else None for b in found]


def _with_front(spec: PartitionSpec, part: Any) -> PartitionSpec:
    return spec.update(partitions=(part, *spec))


def _batched(call: _Call, axis: BatchAxis, over: tuple, batched: tuple[bool, ...]) -> tuple[ClosedJaxpr, tuple[bool, ...]]:
    """The body over a batch axis in front of the operands in `batched`; `over` are axes of the mesh that split it."""
    closed = call.jaxpr
    size = axis.size // math.prod([call.mesh.shape[n] for n in over])
    inner = BatchAxis(size, axis.name, axis.spmd)
    found: list[tuple[bool, ...]] = []

    def mapped(*args: Any) -> list[Any]:
        outs, axes = batch_flat(lambda *xs: eval_jaxpr(closed.jaxpr, closed.consts, *xs), inner, args,
                                [0 if b else None for b in batched])
        found.append(tuple([a is not None for a in axes]))
        return [to_axis(x, a, 0, size) if a is not None else x for x, a in zip(outs, axes)]

    varied = frozenset(over) if call.check_vma else frozenset()
    avals = [a.batched(size, 0).varying(a.vma | varied) if b else a for a, b in zip(closed.in_avals, batched)]
    return call.staged(mapped, avals), found[0]


# -- emission and evaluation

def _emit(b: Any, *operands: Any, jaxpr: ClosedJaxpr, mesh: Any, in_specs: Specs, out_specs: Specs,
          newly_manual_axes: frozenset, check_vma: bool) -> list:
    module = b.module
    if isinstance(mesh, Mesh):
        module.spoken_of.append(NamedSharding(mesh, WHOLE))
    body, _ = without_dead_equations(jaxpr.jaxpr)  # collectives among them, which the compiler would run
    manual = newly_manual_axes | (module.manual[-1][1] if module.manual else frozenset())
    module.manual.append((mesh, manual))
    try:
        if module.num_partitions == 1:
            if mesh.size > 1 and not isinstance(mesh, Mesh):
                raise MeshError(kind="no devices", shape=mesh.axis_sizes, names=mesh.axis_names)
            if mesh.size > 1:
                raise EmissionError(primitive="shard_map", platform=module.platform,
                                    reason=f"the program is for one device, and the mesh has {mesh.size}")
            return b.inline(body, [], operands)
        closed = manual.issuperset(mesh.axis_names)

        def texts(avals: Sequence[Any], specs: Specs) -> list[str]:
            return [sharding_text(b, mesh, tuple(spec), len(physical_aval(a).shape), closed, spec.unreduced)
                    for a, spec in zip(avals, specs)]

        return manual_region(b, mesh, newly_manual_axes, operands, texts([v.aval for v in operands], in_specs), b.out,
                             texts(b.out, out_specs), lambda inner, *args: inner.inline(body, [], args), jaxpr.in_avals)
    finally:
        module.manual.pop()


def _evaluate(*args: Any, **params: Any) -> list:
    call = _Call(**params)
    arrays = [x if type(x) is ArrayImpl else dispatch.as_array(x) for x in args]
    avals = tuple([x.aval for x in arrays])
    program = call.kept(("program", avals), lambda: dispatch.kernel_jaxpr(
        shard_map_p, avals, shard_map_p.pack(params), shard_map_p.infer(avals, shard_map_p.pack(params))))
    name = call.jaxpr.debug_info.name if call.jaxpr.debug_info is not None else "shard_map"
    wanted, found = _placements(call, arrays)
    return run_jaxpr(program, arrays, name=name, in_shardings=wanted, out_shardings=found,
                     search=lambda: None)  # it is the one equation: there is nothing to search


def _placements(call: _Call, arrays: Sequence[ArrayImpl]) -> tuple[Any, Any]:
    """Where operands go that lie nowhere in particular yet, and where results are put; `None` leaves it to the compiler."""
    mesh = call.mesh
    if not isinstance(mesh, Mesh) or len(mesh.device_tuple) == 1:
        return None, None
    whole = call.manual.issuperset(mesh.axis_names)
    wanted = [None if x._committed or len(x.sharding.devices) > 1 else NamedSharding(mesh, spec)
              for x, spec in zip(arrays, call.in_specs)]
    return any_of(tuple(wanted)), tuple([in_memory_of(NamedSharding(mesh, spec), a) for spec, a in zip(
        call.out_specs, call.jaxpr.out_avals)]) if whole else None


def _prune(used: Sequence[bool], params: dict[str, Any]) -> tuple[dict, list[bool], list[bool]]:
    """The call without the results that nobody reads, and without the operands that only they need."""
    closed, wanted = params["jaxpr"], list(used)
    def make() -> tuple[ClosedJaxpr, list[bool]]:
        body = closed.jaxpr
        live, reads = without_dead_equations(body.replace(outvars=_marked(body.outvars, wanted)))
        return ClosedJaxpr(live.replace(invars=_marked(live.invars, reads))), reads

    pruned, reads = closed.derive(("pruned", tuple(wanted)), make)
    return {**params, "jaxpr": pruned, "in_specs": tuple(_marked(params["in_specs"], reads)),
            "out_specs": tuple(_marked(params["out_specs"], wanted))}, reads, wanted


def _axis_names(jaxpr: ClosedJaxpr, newly_manual_axes: frozenset, **_: Any) -> frozenset:
    """The named axes around it that it mentions."""
    return jit_p.extra["axis_names"](jaxpr) - newly_manual_axes


def _parts(jaxpr: ClosedJaxpr, mesh: Any, in_specs: Specs, **_: Any) -> Parts:
    return Parts(jaxpr, tuple([tuple([tuple(names_in(part)) for part in spec]) for spec in in_specs]), dict(mesh.shape))


def _mesh_shardings(mesh: Any, **_: Any) -> list:
    return [NamedSharding(mesh, WHOLE)] if isinstance(mesh, Mesh) else []


shard_map_p = Primitive(
    "shard_map", params=("check_vma", "in_specs", "jaxpr", "mesh", "newly_manual_axes", "out_specs"),
    multiple_results=True, cache_types=False, handles_extended=True, type_rule=_type_rule, jvp=_jvp, linearize=_linearize,
    transpose=_transpose, batch=_batch, emit=_emit, evaluate=_evaluate, effects=lambda jaxpr, **_: jaxpr.effects,
    source="a program of one device's part, run by all devices of a mesh")
shard_map_p.extra["axis_names"] = _axis_names
shard_map_p.extra["shardings"] = _mesh_shardings
shard_map_p.extra["prune"] = _prune
shard_map_p.extra["parts"] = _parts


def apply_shards(jaxpr: ClosedJaxpr, args: Sequence[Any], mesh: Any, in_specs: Specs, out_specs: Specs, manual: frozenset,
                 check_vma: bool) -> list:
    """Run `jaxpr`, staged for one device's part, on all devices of a mesh. What it has closed over is whole on each."""
    if not shardings_asked_for:
        shardings_asked_for.append(True)
    return _Call(jaxpr, mesh, in_specs, out_specs, manual, check_vma).bind(jaxpr, args, in_specs, out_specs)


__all__ = ["apply_shards", "names_of", "part_type", "shard_map_p", "whole_type"]
