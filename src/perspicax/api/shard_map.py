"""`shard_map` and `smap`: a function that each device of a mesh runs on its part of the arguments."""
from __future__ import annotations

from collections.abc import Callable, Sequence, Set
from typing import Any

from perspicax.api.shard_errors import ShardMapMeshError, ShardOutputError, ShardSpecError, ShardSumsError
from perspicax.core.config import local, state_key
from perspicax.core.effects import ordered
from perspicax.core.jaxpr import ClosedJaxpr
from perspicax.core.trace import stage_flat
from perspicax.core.tracer import Tracer
from perspicax.diagnose.boundary import public
from perspicax.lax.bodies import check_callable
from perspicax.lax.control_errors import LoopEffectError
from perspicax.lax.marks import marks_of
from perspicax.lax.shard_map import apply_shards, names_of, part_type, with_parts_of_sums
from perspicax.transform import trees as tree
from perspicax.transform.batch import axes_key, axis_frames
from perspicax.transform.mesh_scope import MeshAxis, manual_axes, mesh_axes
from perspicax.transform.stage import FlatFunction, check_arguments, debug_info, function_name, result_path, short_repr, wraps
from perspicax.xla.mesh import AbstractMesh, Mesh, get_abstract_mesh, get_concrete_mesh
from perspicax.xla.partition import UNCONSTRAINED, names_in
from perspicax.xla.sharding import NamedSharding, PartitionSpec
from perspicax.xla.sharding_errors import ShardingFitError

WHOLE = PartitionSpec()
MAX_STAGED = 256


class _Infer:
    """`in_specs` that follow from the arguments."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "jax.sharding.Infer"

    def __reduce__(self) -> str:
        return "Infer"


Infer = _Infer()


@public
def shard_map(f: Callable[..., Any] | None = None, /, *, out_specs: Any, in_specs: Any = Infer, mesh: Any = None,
              axis_names: Set[Any] = frozenset(), check_vma: bool = True) -> Any:
    """`f`, run by each device of a mesh on its part of the arguments.

    In `f` the axes of the mesh have names that the collectives of `jax.lax` take: `psum(x, "x")` is the sum over the devices
    along the axis `"x"`, `axis_index("x")` the place along it.

    Args:
        f: a function of arrays of shape `[n / k, ...]`: parts of arguments of shape `[n, ...]` of which an axis of the mesh of
            size `k` splits the first axis. Left out, `shard_map` is a decorator.
        out_specs: a PartitionSpec for each result, or a prefix of their tree. What the devices return is put together along the
            axes that it names; along those in `unreduced` it is parts of a sum that is made later; along the other axes it is
            the same on all devices, and along those in `reduced` its cotangent is such a sum.
        in_specs: likewise for the positional arguments; `None` for one that is whole on each device. Left out, over a mesh of
            explicit axes, as the types of the arguments say.
        mesh: the devices; by default the mesh that `jax.set_mesh` has set.
        axis_names: the axes of the mesh to map over, all by default. Along the others the compiler splits arrays, in `f` as
            outside of it.
        check_vma: whether types tell along which axes values may differ ("varying"), so that `out_specs` is checked, and
            derivatives need no more collectives than they must. Without it each result is taken at its word.

    Returns:
        A function of the whole arguments, which may be differentiated, batched, jitted and called in another one.

    Raises:
        ShardMapMeshError: there is no mesh, it lacks an axis that is named, or one is mapped over already.
        ShardSpecError: a specification does not fit the arguments or results, or names an axis that is not mapped over.
        ShardingFitError: an axis of an argument cannot be split evenly.
        MeshAxisError: a specification names an axis that the mesh does not have, or one twice.
        ShardOutputError: a result may differ along an axis that `out_specs` does not name.

    Differs: where a value that is the same for all meets one that is not, JAX inserts `pvary`, and asks for `pcast` where a
    carry or a branch changes in this regard; here neither is needed. An argument that explicit axes do not split may be given
    any specification.

    >>> mesh = jax.make_mesh((jax.device_count(),), ("x",))
    >>> total = jax.shard_map(lambda x: lax.psum(x.sum(), "x"), mesh=mesh, in_specs=jax.P("x"), out_specs=jax.P())
    >>> total(jnp.arange(8.))
    Array(28., dtype=float32)
    """
    if f is None:
        return lambda g: shard_map(g, out_specs=out_specs, in_specs=in_specs, mesh=mesh, axis_names=axis_names,
                                   check_vma=check_vma)
    check_callable(f, "shard_map", "f")
    return _mapped(f, "shard_map", in_specs, out_specs, mesh, axis_names, check_vma)


@public
def shard_map_with_check_rep(f: Callable[..., Any], mesh: Any, in_specs: Any, out_specs: Any,
                             check_rep: bool = True) -> Any:
    """`shard_map` as `jax.experimental.shard_map` has it: `check_rep` is `check_vma`. For arguments and errors see there."""
    return shard_map(f, mesh=mesh, in_specs=in_specs, out_specs=out_specs, check_vma=check_rep)


@public
def smap(f: Callable[..., Any] | None = None, /, *, in_axes: Any = Infer, out_axes: Any, axis_name: Any) -> Any:
    """`shard_map` over one axis of the mesh that is set, with axes given by their numbers as for `vmap`.

    The function keeps the axis of its arguments, of which it sees one device's part.

    Args:
        f: the function. Left out, `smap` is a decorator.
        in_axes: for each argument (or a prefix of the tree of arguments) the axis that is split, or `None`: it is whole.
        out_axes: likewise for the results; `None` for what is the same on all devices.
        axis_name: the axis of the mesh.

    Raises:
        ShardSpecError: `in_axes` or `out_axes` do not fit the arguments or results; and as `shard_map`.
    """
    if f is None:
        return lambda g: smap(g, in_axes=in_axes, out_axes=out_axes, axis_name=axis_name)
    check_callable(f, "smap", "f")
    name = function_name(f)
    return _mapped(f, "smap", in_axes if in_axes is Infer else _axes_to_specs(in_axes, axis_name, name, "in_axes"),
                   _axes_to_specs(out_axes, axis_name, name, "out_axes"), None, {axis_name}, True)


def _axes_to_specs(axes: Any, axis_name: Any, function: str, option: str) -> Any:
    def spec(axis: Any) -> PartitionSpec:
        if axis is None:
            return WHOLE
        if not isinstance(axis, int) or isinstance(axis, bool) or axis < 0:
            raise ShardSpecError(function=function, option=option, kind="axis", got=short_repr(axis), transform="smap")
        return PartitionSpec(*[None] * axis, axis_name)

    leaves, structure = tree.flatten(axes, lambda x: x is None)
    return structure.unflatten([spec(a) for a in leaves])


class _Staged:
    """What was staged for arguments of some types."""

    __slots__ = ("closed", "in_specs", "out_specs", "out_tree")

    def __init__(self, closed: ClosedJaxpr, in_specs: tuple, out_specs: tuple, out_tree: Any) -> None:
        self.closed, self.in_specs, self.out_specs, self.out_tree = closed, in_specs, out_specs, out_tree


def _mapped(f: Callable[..., Any], transform: str, in_specs: Any, out_specs: Any, mesh: Any, axis_names: Any,
            check_vma: bool) -> Callable[..., Any]:
    kept: dict[Any, _Staged] = {}

    @public
    def mapped(*args: Any, **kwargs: Any) -> Any:
        if kwargs:
            raise ShardSpecError(function=function_name(f), option="in_specs", kind="keyword", name=next(iter(kwargs)),
                                 transform=transform)
        over, manual = _mesh_here(transform, mesh, axis_names)
        leaves, in_tree = tree.flatten((args, {}))
        avals = check_arguments(leaves, in_tree, f, transform)
        eager = local.trace.base
        key = (state_key(), in_tree, tuple(avals), over, manual, axes_key(), eager)
        staged = kept.get(key)
        if staged is None:
            staged = _stage(f, transform, in_specs, out_specs, over, manual, check_vma, args, in_tree, avals, eager)
            if not any(isinstance(c, Tracer) for c in staged.closed.consts):
                if len(kept) >= MAX_STAGED:
                    kept.clear()
                kept[key] = staged
        outs = apply_shards(staged.closed, leaves, over, staged.in_specs, staged.out_specs, manual, check_vma)
        return staged.out_tree.unflatten(outs)

    return wraps(f, mapped)


# -- the mesh

def _mesh_here(transform: str, mesh: Any, axis_names: Any) -> tuple[Any, frozenset]:
    """The mesh, and the axes that become manual."""
    outer = [f for f in axis_frames() if isinstance(f, MeshAxis)]
    taken = frozenset([f.name for f in outer])
    here = outer[0].mesh[0] if outer else get_concrete_mesh()
    if here is None:
        abstract = get_abstract_mesh()
        here = None if abstract.empty else abstract
    if mesh is None:
        mesh = here
        if mesh is None:
            raise ShardMapMeshError(function=transform, kind="none")
    elif not isinstance(mesh, (Mesh, AbstractMesh)):
        raise ShardMapMeshError(function=transform, kind="type", got=short_repr(mesh))
    elif here is not None and (mesh.axis_names, mesh.axis_sizes) != (here.axis_names, here.axis_sizes):
        raise ShardMapMeshError(function=transform, kind="other", got=str(mesh), mesh=str(here))
    if isinstance(mesh, AbstractMesh) and isinstance(here, Mesh):
        mesh = here
    if isinstance(axis_names, str):  # its letters would be taken for names
        raise ShardMapMeshError(function=transform, kind="set", got=repr(axis_names))
    named = frozenset(axis_names)
    unknown = tuple([n for n in axis_names if n not in mesh.axis_names])
    if unknown:
        raise ShardMapMeshError(function=transform, kind="names", axes=unknown, mesh=str(mesh), known=tuple(mesh.axis_names))
    left = frozenset(mesh.axis_names) - taken
    again = tuple([n for n in mesh.axis_names if n in taken and (n in named or not left)])
    if again:
        raise ShardMapMeshError(function=transform, kind="manual", axes=again,
                                known=tuple([n for n in mesh.axis_names if n in left]))
    return mesh, named or left


# -- specifications

def _is_none(x: Any) -> bool:
    return x is None


def _flat_specs(f: Any, transform: str, option: str, specs: Any, full: Any, mesh: Any, manual: frozenset) -> tuple:
    """One specification for each leaf."""
    name = function_name(f)
    is_leaf = _is_none if option.startswith("in") else None  # a result may be None, which has no leaves
    for spec in tree.flatten(specs, is_leaf)[0]:
        if spec is None:
            continue
        if not isinstance(spec, PartitionSpec):
            raise ShardSpecError(function=name, option=option, kind="type", got=short_repr(spec), transform=transform)
        NamedSharding(mesh, spec)  # raises for names that the mesh does not have, or that stand there twice
        if spec.unreduced or spec.reduced:
            _check_all_manual(name, transform, option, spec, mesh, manual)
        if UNCONSTRAINED in spec.partitions:
            raise ShardSpecError(function=name, option=option, kind="open", got=repr(spec), transform=transform)
        beyond = [n for part in spec for n in names_in(part) if n not in manual]
        if beyond:
            raise ShardSpecError(function=name, option=option, kind="manual", got=repr(beyond[0]), transform=transform,
                                 axes=tuple([n for n in mesh.axis_names if n in manual]))
    try:
        found = tree.broadcast_prefix(specs, full, is_leaf=is_leaf)
    except ValueError:
        from perspicax.core.tree_prefix import prefix_errors  # only an error needs it

        raise ShardSpecError(function=name, option=option, kind="tree", got=short_repr(specs), transform=transform,
                             mismatches=tuple(prefix_errors(specs, full, is_leaf=is_leaf))) from None
    return tuple([WHOLE if spec is None else spec for spec in found])


def _stage(f: Any, transform: str, in_specs: Any, out_specs: Any, mesh: Any, manual: frozenset, check_vma: bool, args: tuple,
           in_tree: Any, avals: Sequence[Any], eager: bool) -> _Staged:
    debug = debug_info(transform, f, in_tree)
    if in_specs is Infer:
        if not mesh.explicit_axes:
            raise ShardSpecError(function=function_name(f), option="in_specs", kind="infer", transform=transform)
        for i, a in enumerate(avals):
            if any(marks_of(a)):
                _check_all_manual(function_name(f), transform, "in_specs", a.explicit.spec, mesh, manual,
                                  f"`{(debug.arg_names or ())[i]}`")
        specs = tuple([_told_by(a, manual) for a in avals])
    else:
        specs = _flat_specs(f, transform, "in_specs", in_specs, args, mesh, manual)
    for i, (aval, spec) in enumerate(zip(avals, specs)):
        told = _told_by(aval, manual)
        split = aval.explicit is not None and any(map(names_in, aval.explicit.spec.partitions))
        if (split and _parts(spec, aval.ndim) != _parts(told, aval.ndim)) or (
                (spec.unreduced, spec.reduced) != (told.unreduced, told.reduced)):
            raise ShardSpecError(function=function_name(f), option="in_specs", kind="explicit", got=repr(spec),
                                 name=f"`{(debug.arg_names or ())[i]}`", type_text=aval.str_short(), transform=transform)
        try:
            NamedSharding(mesh, spec).shard_shape(aval.shape)
        except ShardingFitError as error:
            error.name, error.function, error.type_text = (debug.arg_names or ())[i], function_name(f), aval.str_short()
            raise
    flat = FlatFunction(f, in_tree, transform)
    with mesh_axes(mesh, manual, check_vma, eager):
        closed = stage_flat(flat, [part_type(a, spec, mesh, check_vma) for a, spec in zip(avals, specs)], debug)
    for effect in ordered(closed.effects):
        raise LoopEffectError(function=function_name(f), transform=transform, effect=repr(effect))
    result = flat.out_tree.unflatten(closed.out_avals)
    outs = _flat_specs(f, transform, "out_specs", out_specs, result, mesh, manual)
    _check_results(f, transform, closed, outs, result, mesh, manual, check_vma)
    if check_vma and any(spec.unreduced - marks_of(a)[0] for a, spec in zip(closed.out_avals, outs)):
        with mesh_axes(mesh, manual, check_vma, eager):
            closed = with_parts_of_sums(closed, outs)
    return _Staged(closed, specs, outs, flat.out_tree)


def _told_by(aval: Any, manual: frozenset) -> PartitionSpec:
    """The specification that a type says by itself, in terms of the axes that are mapped over."""
    if aval.explicit is None:
        return WHOLE
    spec = aval.explicit.spec
    return PartitionSpec(*[tuple([n for n in names_in(part) if n in manual]) for part in spec.partitions],
                         unreduced=spec.unreduced & manual, reduced=spec.reduced & manual)


def _parts(spec: PartitionSpec, ndim: int) -> list[tuple]:
    return [names_in(p) for p in (*spec, *[None] * (ndim - len(spec)))]


def _check_all_manual(name: str, transform: str, option: str, spec: PartitionSpec, mesh: Any, manual: frozenset,
                      argument: str = "") -> None:
    """Raise for sums that are not made yet where the compiler splits along some axes of the mesh."""
    left = frozenset(mesh.axis_names) - manual - manual_axes()
    if left:
        raise ShardSumsError(function=name, option=option, got=repr(spec), transform=transform, name=argument,
                             axes=tuple([n for n in mesh.axis_names if n in left]))


def _check_results(f: Any, transform: str, closed: ClosedJaxpr, specs: tuple, result: Any, mesh: Any, manual: frozenset,
                   check_vma: bool) -> None:
    wrong = []
    for i, (aval, spec) in enumerate(zip(closed.out_avals, specs)):
        if len(spec) > len(aval.shape):
            raise ShardSpecError(function=function_name(f), option="out_specs", kind="rank", got=repr(spec),
                                 name=f"`{result_path(result, i)}`", type_text=aval.str_short(), transform=transform)
        unreduced, reduced = [marks & manual for marks in marks_of(aval)]
        if check_vma and (reduced != spec.reduced or unreduced - spec.unreduced or spec.unreduced - unreduced - aval.vma):
            raise ShardSpecError(function=function_name(f), option="out_specs", kind="marks", got=repr(spec),
                                 name=f"`{result_path(result, i)}`", type_text=aval.str_short(), transform=transform,
                                 wanted=repr(spec.update(partitions=tuple([p for p in spec if not (unreduced | reduced)
                                                                           .intersection(names_in(p))]),
                                                         unreduced=unreduced, reduced=reduced)),
                                 axes=tuple(sorted(unreduced or reduced or spec.unreduced or spec.reduced, key=str)),
                                 sums="unreduced" if unreduced else "reduced" if reduced else "")
        along = tuple([n for n in mesh.axis_names if n in (aval.vma & manual) - names_of(spec) - spec.unreduced])
        if check_vma and along:
            wrong.append((f"`{result_path(result, i)}`", aval.str_short(), repr(spec), along))
    if wrong:
        raise ShardOutputError(function=function_name(f), rows=tuple(wrong), mesh=str(mesh))


__all__ = ["Infer", "shard_map", "shard_map_with_check_rep", "smap"]
