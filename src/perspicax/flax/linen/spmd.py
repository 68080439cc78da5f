"""Logical axes of arrays, and on which axes of a mesh they lie: `flax.linen.spmd`."""
from __future__ import annotations

import enum
import functools
from collections.abc import Callable
from typing import Any

import perspicax as jax
from perspicax import tree_util
from perspicax.diagnose import Fix
from perspicax.flax import struct
from perspicax.flax.core import meta
from perspicax.flax.core.spmd import get_logical_axis_rules as get_logical_axis_rules
from perspicax.flax.core.spmd import logical_axis_rules as logical_axis_rules
from perspicax.flax.core.spmd import set_logical_axis_rules as set_logical_axis_rules
from perspicax.flax.traceback_util import api_boundary
from perspicax.flax.tree_errors import AxisRuleError
from perspicax.flax.typing import LogicalNames, LogicalRules

__all__ = [
    "LogicallyPartitioned", "RulesFallback", "get_logical_axis_rules", "logical_axis_rules", "logical_to_mesh",
    "logical_to_mesh_axes", "logical_to_mesh_sharding", "set_logical_axis_rules", "with_logical_constraint",
    "with_logical_partitioning",
]


class RulesFallback(enum.Enum):
    """What becomes of a logical axis for which there is no rule."""

    AXIS_IS_UNSHARDED = "axis_is_unsharded"
    """It is not split."""
    RAISE_ERROR = "raise_error"
    """That is an error."""
    NO_CONSTRAINT = "no_constraint"
    """The array is not constrained at all."""


class _Unassigned:
    """The mesh axis of a logical axis without a rule."""


_UNASSIGNED = _Unassigned()


def _flat(axes: Any) -> tuple[Any, ...]:
    return axes if isinstance(axes, tuple) else (axes,)


def _assign(names: Any, rules: LogicalRules | None) -> tuple[Any, ...]:
    """For each logical axis its mesh axis; the first rule counts whose mesh axes are not taken."""
    if isinstance(names, str):
        raise AxisRuleError(says=f"The names of the axes are given as the text {names!r}.",
                            why="there is one name for each axis of the array",
                            fixes=(Fix("for an array with one axis", code=f"({names!r},)"),))
    logical = tuple(names)
    twice = sorted({name for name in logical if isinstance(name, str) and logical.count(name) > 1})
    if twice:
        raise AxisRuleError(says=f"An array has several axes named {twice[0]!r}: {logical!r}.",
                            why="an axis of the mesh splits one axis of an array at most, so that each of them needs a name",
                            fixes=(Fix("give the others another name, or None"),))
    found: list[Any] = [_UNASSIGNED if isinstance(name, str) else name for name in logical]
    taken: set[Any] = set()
    for name, axes in get_logical_axis_rules() if rules is None else rules:
        if name in logical:
            at = logical.index(name)
            if found[at] is _UNASSIGNED and (axes is None or taken.isdisjoint(_flat(axes))):
                found[at] = axes
                taken.update(axis for axis in _flat(axes) if axis is not None)
    return tuple(found)


@api_boundary
def logical_to_mesh_axes(array_dim_names: Any, rules: LogicalRules | None = None) -> Any:
    """The axes of a mesh for the logical axes of an array.

    Args:
        array_dim_names: for each axis its logical name, or `None`; or `None` as a whole.
        rules: pairs of a logical name and a mesh axis (several, or `None`); by default the current ones. An earlier rule
            comes first, and no mesh axis is used twice.

    Returns:
        A `PartitionSpec`, with `None` for axes without a rule; `None` for `None`.

    Raises:
        AxisRuleError: a name occurs twice.

    >>> nn.logical_to_mesh_axes(("batch", "embed"), rules=(("batch", "data"),))
    PartitionSpec('data', None)
    """
    if array_dim_names is None:
        return None
    found = _assign(array_dim_names, rules)
    return jax.sharding.PartitionSpec(*[None if axes is _UNASSIGNED else axes for axes in found])


def _is_spec(value: Any) -> bool:
    return value is None or isinstance(value, jax.sharding.PartitionSpec)


def logical_to_mesh(tree: Any, rules: LogicalRules | None = None) -> Any:
    """A tree of `PartitionSpec`s of mesh axes, of one of logical axes.

    Args:
        tree: `PartitionSpec`s of logical names, as `nn.get_partition_spec` finds them; `None` stays.
        rules: as for `logical_to_mesh_axes`.
    """
    return tree_util.tree_map(lambda names: logical_to_mesh_axes(names, rules), tree, is_leaf=_is_spec)


def logical_to_mesh_sharding(tree: Any, mesh: Any, rules: LogicalRules | None = None) -> Any:
    """A tree of shardings on a mesh, of a tree of `PartitionSpec`s of logical axes.

    Args:
        tree: `PartitionSpec`s of logical names; `None` stays.
        mesh: the mesh.
        rules: as for `logical_to_mesh_axes`.
    """
    specs = logical_to_mesh(tree, rules)
    return tree_util.tree_map(lambda spec: None if spec is None else jax.sharding.NamedSharding(mesh, spec), specs,
                              is_leaf=_is_spec)


def _constrain(x: Any, names: Any, rules: LogicalRules, mesh: Any, fallback: RulesFallback) -> Any:
    found = _assign(names, rules)
    lacking = [name for name, axes in zip(names, found, strict=True) if axes is _UNASSIGNED]
    if lacking and fallback is RulesFallback.RAISE_ERROR:
        raise AxisRuleError(says=f"There is no rule for the logical axis {lacking[0]!r} of {tuple(names)!r}.",
                            why=f"the rules name {', '.join(repr(name) for name, _ in rules)}; the fallback asks for an error",
                            fixes=(Fix("add a rule", code=f"rules = (*rules, ({lacking[0]!r}, None))"),))
    if (lacking and fallback is RulesFallback.NO_CONSTRAINT) or (mesh is None and not meta.global_mesh_defined()):
        return x
    spec = jax.sharding.PartitionSpec(*[None if axes is _UNASSIGNED else axes for axes in found])
    return jax.lax.with_sharding_constraint(x, spec if mesh is None else jax.sharding.NamedSharding(mesh, spec))


@api_boundary
def with_logical_constraint(x: Any, logical_axis_resources: Any, rules: LogicalRules | None = None, mesh: Any = None,
                            fallback: RulesFallback = RulesFallback.AXIS_IS_UNSHARDED) -> Any:
    """As `jax.lax.with_sharding_constraint`, with names of logical axes.

    Args:
        x: an array, or a tree of arrays with the same axes.
        logical_axis_resources: for each axis its logical name, or `None`; or `None` as a whole, for no constraint.
        rules: as for `logical_to_mesh_axes`. Where there are none, nothing is constrained.
        mesh: the mesh; by default the current one. Where there is none, nothing is constrained.
        fallback: what becomes of an axis without a rule.

    Returns:
        The same values.

    Raises:
        AxisRuleError: an axis has no rule, and the fallback is `RAISE_ERROR`.
    """
    rules = get_logical_axis_rules() if rules is None else rules
    if not rules or logical_axis_resources is None:
        return x
    return tree_util.tree_map(lambda leaf: _constrain(leaf, logical_axis_resources, rules, mesh, fallback), x)


class LogicallyPartitioned(meta.Partitioned[Any]):
    """A box that names the logical axes of its value.

    Attributes:
        value: the array.
        names: for each axis its logical name, or `None`.
        mesh: the mesh; `None` means the current one.
        rules: what the names mean; `None` means the current rules.
    """

    rules: Any = struct.field(default=None, pytree_node=False)

    def unbox(self, apply_constraint: bool = True) -> Any:
        """The value, constrained to its sharding where there are a mesh and rules.

        Args:
            apply_constraint: whether to constrain it.
        """
        if not apply_constraint or (self.mesh is None and not meta.global_mesh_defined()):
            return self.value
        return with_logical_constraint(self.value, self.get_partition_spec(), rules=self.rules, mesh=self.mesh)


def with_logical_partitioning(fn: Callable[..., Any], names: LogicalNames, mesh: Any = None,
                              rules: LogicalRules | None = None) -> Callable[..., LogicallyPartitioned]:
    """An initialiser whose value is boxed with the names of its logical axes.

    Args:
        fn: the initialiser.
        names: for each axis of its value the logical name, or `None`.
        mesh: the mesh; `None` means the current one.
        rules: what the names mean; `None` means the current rules.

    Returns:
        A function that takes what `fn` takes and returns a `LogicallyPartitioned`.

    >>> nn.Dense(8, kernel_init=nn.with_logical_partitioning(nn.initializers.lecun_normal(), ("embed", "mlp")))
    """
    @functools.wraps(fn)
    def boxed(*args: Any, **kwargs: Any) -> LogicallyPartitioned:
        return LogicallyPartitioned(fn(*args, **kwargs), names, mesh=mesh, rules=rules)

    return boxed
