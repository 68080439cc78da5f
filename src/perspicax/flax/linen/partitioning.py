"""Names of axes that are kept in collections of their own, beside the variables: `flax.linen.partitioning`.

The boxes of `nn.with_logical_partitioning` do the same in another way; programs like T5X use this one.
"""
from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import perspicax as jax
from perspicax import tree_util
from perspicax.diagnose import Fix
from perspicax.flax import struct
from perspicax.flax.core import lift, meta
from perspicax.flax.core.frozen_dict import freeze as freeze
from perspicax.flax.core.frozen_dict import unfreeze as unfreeze
from perspicax.flax.core.lift import CollectionFilter, PRNGSequenceFilter
from perspicax.flax.core.scope import Scope, Variable
from perspicax.flax.linen import transforms
from perspicax.flax.linen.lifting import Methods
from perspicax.flax.linen.module_state import running
from perspicax.flax.linen.spmd import RulesFallback as RulesFallback
from perspicax.flax.linen.spmd import get_logical_axis_rules as get_axis_rules
from perspicax.flax.linen.spmd import logical_axis_rules as axis_rules
from perspicax.flax.linen.spmd import logical_to_mesh as logical_to_mesh
from perspicax.flax.linen.spmd import logical_to_mesh_axes as logical_to_mesh_axes
from perspicax.flax.linen.spmd import set_logical_axis_rules as set_axis_rules
from perspicax.flax.linen.spmd import with_logical_constraint
from perspicax.flax.scope_errors import PartitioningUnspecifiedError
from perspicax.flax.traverse_util import flatten_dict as flatten_dict
from perspicax.flax.traverse_util import unflatten_dict as unflatten_dict
from perspicax.flax.tree_errors import AxisRuleError
from perspicax.flax.typing import In as ScanIn
from perspicax.flax.typing import InOutAxis, InOutScanAxis
from perspicax.flax.typing import Out as ScanOut

__all__ = [
    "AxisMetadata", "PartitionedVariable", "RulesFallback", "ScanIn", "ScanOut", "axis_rules", "core_remat_static",
    "flatten_dict", "freeze", "get_axis_names", "get_axis_rules", "logical_to_mesh", "logical_to_mesh_axes",
    "param_with_axes", "remat", "scan_with_axes", "set_axis_rules", "unflatten_dict", "unfreeze", "variable_with_axes",
    "vmap_with_axes", "with_sharding_constraint",
]

with_sharding_constraint = with_logical_constraint


@struct.dataclass
class AxisMetadata:
    """The names of a variable's axes. It is a pytree without leaves.

    Attributes:
        names: for each axis its logical name, or `None`.
    """

    names: Any = struct.field(pytree_node=False)


class PartitionedVariable(Variable[Any]):
    """A variable whose values are constrained to the sharding of its axes."""

    def __init__(self, scope: Scope, collection: str, name: str, axes: tuple[str, ...] | None = None,
                 fallback: RulesFallback = RulesFallback.AXIS_IS_UNSHARDED) -> None:
        super().__init__(scope, collection, name, unbox=True)
        self.axes = axes
        self.fallback = fallback

    def _constrained(self, value: Any) -> Any:
        return value if self.axes is None else with_logical_constraint(value, self.axes, fallback=self.fallback)

    @property
    def value(self) -> Any:
        """The value."""
        return self._constrained(meta.unbox(self.scope.get_variable(self.collection, self.name)))

    @value.setter
    def value(self, value: Any) -> None:
        self.scope.put_variable(self.collection, self.name, self._constrained(value))


def _keep_names(module: Any, collection: str, name: str, axes: tuple[str, ...] | None) -> None:
    """Write the names of a variable's axes into the collection beside its own."""
    if axes is not None:
        module.sow(f"{collection}_axes", f"{name}_axes", AxisMetadata(tuple(axes)), reduce_fn=lambda _, new: new,
                   init_fn=lambda: AxisMetadata(()))


def _check_axes(name: str, axes: tuple[str, ...] | None, value: Any) -> None:
    for leaf in tree_util.tree_leaves(value):
        if axes is not None and jax.numpy.ndim(leaf) != len(axes):
            raise AxisRuleError(says=f"`{name}` has {jax.numpy.ndim(leaf)} axes, and {len(axes)} names for them: {axes!r}.",
                                why="there is one name for each axis; None stands for an axis without one",
                                fixes=(Fix("give as many names as the shape has entries"),))


def param_with_axes(name: str, init_fn: Callable[..., Any], *init_args: Any, axes: tuple[str, ...] | None = None,
                    module: Any = None, **init_kwargs: Any) -> Any:
    """Declare a parameter with names for its axes, which are kept in the collection `params_axes`.

    Args:
        name: its name.
        init_fn: makes its first value from a random key and the arguments below.
        *init_args: for `init_fn`.
        axes: for each axis its logical name, or `None`.
        module: the module; by default the one whose method is running.
        **init_kwargs: for `init_fn`.

    Returns:
        The value, constrained to the sharding of its axes.
    """
    owner: Any = running.modules[-1] if module is None else module
    value = owner.param(name, init_fn, *init_args, **init_kwargs)
    if axes is not None:
        _check_axes(name, axes, value)
        value = with_logical_constraint(value, axes)
        _keep_names(owner, "params", name, axes)
    return value


def variable_with_axes(collection: str, name: str, init_fn: Callable[..., Any], *init_args: Any,
                       axes: tuple[str, ...] | None = None, module: Any = None,
                       fallback: RulesFallback = RulesFallback.AXIS_IS_UNSHARDED, **init_kwargs: Any) -> PartitionedVariable:
    """Declare a variable with names for its axes, which are kept in the collection `COLLECTION_axes`.

    Args:
        collection: its collection.
        name: its name.
        init_fn: makes its first value.
        *init_args: for `init_fn`.
        axes: for each axis its logical name, or `None`.
        module: the module; by default the one whose method is running.
        fallback: what becomes of an axis without a rule.
        **init_kwargs: for `init_fn`.

    Returns:
        The variable.
    """
    owner: Any = running.modules[-1] if module is None else module
    made = owner.variable(collection, name, init_fn, *init_args, **init_kwargs)
    _check_axes(name, axes, made.value)
    _keep_names(owner, collection, name, axes)
    return PartitionedVariable(owner.scope, collection, name, axes, fallback)


def get_axis_names(axes_metadata: Any) -> Any:
    """The names of axes in a collection such as `params_axes`, by the names of the variables, as `PartitionSpec`s."""
    flat = flatten_dict(unfreeze(axes_metadata))
    suffix = "_axes"
    named = {(*path[:-1], path[-1].removesuffix(suffix)): jax.sharding.PartitionSpec(*value.names)
             for path, value in flat.items()}
    return freeze(unflatten_dict(named))


# Transformations that keep the names in step with the axes that they add and take away


def _names_inserted(collections: Mapping[str, Any], at: int, name: Any) -> Any:
    def insert(box: Any) -> Any:
        if not isinstance(box, AxisMetadata):
            return box
        names = list(box.names)
        names.insert(at if at >= 0 else at + len(names) + 1, name)
        return AxisMetadata(tuple(names))

    return tree_util.tree_map(insert, collections, is_leaf=lambda x: isinstance(x, AxisMetadata))


def _names_removed(collections: Mapping[str, Any], at: int, name: Any) -> Any:
    def remove(box: Any) -> Any:
        if not isinstance(box, AxisMetadata):
            return box
        names = list(box.names)
        found = names.pop(at)
        if found != name:
            raise AxisRuleError(says=f"Axis {at} of a variable is named {found!r}, but the transformation calls it {name!r}.",
                                why="a transformation takes away the axis that it has added, under the same name",
                                fixes=(Fix(f"name it {found!r} here too"),))
        return AxisMetadata(tuple(names))

    return tree_util.tree_map(remove, collections, is_leaf=lambda x: isinstance(x, AxisMetadata))


def _number(axis: Any) -> int | None:
    if isinstance(axis, (ScanIn, ScanOut)):
        axis = axis.axis
    return axis if isinstance(axis, int) else None


def _with_names(target: Any, collection: str, axis: int | None, name: Any, methods: Methods) -> Any:
    """A target for which the names in `COLLECTION_axes` lack the axis that the transformation adds."""
    if axis is None:
        return target
    return transforms.map_variables(
        target, f"{collection}_axes", lambda kept: _names_removed(kept, axis, name),
        lambda kept: _names_inserted(kept, axis, name), mutable=True, methods=methods)


def _renamed(target: Any, made: Any, prefix: str) -> Any:
    """Give a class the name that the transformation alone would have given it."""
    if isinstance(made, type):
        made.__name__ = made.__qualname__ = prefix + target.__name__
    return made


def scan_with_axes(target: Any, variable_axes: Mapping[CollectionFilter, InOutScanAxis] = {},
                   variable_broadcast: CollectionFilter = False, variable_carry: CollectionFilter = False,
                   split_rngs: Mapping[PRNGSequenceFilter, bool] = {}, in_axes: Any = 0, out_axes: Any = 0,
                   length: int | None = None, reverse: bool = False, unroll: int = 1, axis_name: str = "layers",
                   axes_collections: tuple[str, ...] = ("params",), data_transform: Callable[..., Any] | None = None,
                   methods: Methods = None) -> Any:
    """As `nn.scan`; the axis that it adds to variables has a name.

    Args:
        target: as for `nn.scan`.
        variable_axes: as for `nn.scan`.
        variable_broadcast: as for `nn.scan`.
        variable_carry: as for `nn.scan`.
        split_rngs: as for `nn.scan`.
        in_axes: as for `nn.scan`.
        out_axes: as for `nn.scan`.
        length: as for `nn.scan`.
        reverse: as for `nn.scan`.
        unroll: as for `nn.scan`.
        axis_name: the name of the axis.
        axes_collections: the collections whose variables have names for their axes.
        data_transform: as for `nn.scan`.
        methods: as for `nn.scan`.
    """
    axes: dict[Any, Any] = dict(variable_axes)
    inner = target
    for collection in axes_collections:
        axes[f"{collection}_axes"] = 0  # the names are no arrays: nothing is stacked
        inner = _with_names(inner, collection, _number(variable_axes.get(collection)), axis_name, methods)
    made = transforms.scan(inner, variable_axes=axes, variable_broadcast=variable_broadcast, variable_carry=variable_carry,
                           split_rngs=split_rngs, in_axes=in_axes, out_axes=out_axes, length=length, reverse=reverse,
                           unroll=unroll, data_transform=data_transform, methods=methods)
    return _renamed(target, made, "Scan")


def vmap_with_axes(target: Any, variable_axes: Mapping[CollectionFilter, InOutAxis],
                   split_rngs: Mapping[PRNGSequenceFilter, bool] = {}, in_axes: Any = 0, out_axes: Any = 0,
                   axis_size: int | None = None, axis_name: str | None = None,
                   partitioning_axis_names: Mapping[Any, str] = {}, spmd_axis_name: str | None = None,
                   methods: Methods = None) -> Any:
    """As `nn.vmap`; the axes that it adds to variables have names.

    Args:
        target: as for `nn.vmap`.
        variable_axes: as for `nn.vmap`.
        split_rngs: as for `nn.vmap`.
        in_axes: as for `nn.vmap`.
        out_axes: as for `nn.vmap`.
        axis_size: as for `nn.vmap`.
        axis_name: as for `nn.vmap`.
        partitioning_axis_names: for each collection the name of the axis.
        spmd_axis_name: as for `nn.vmap`.
        methods: as for `nn.vmap`.

    Raises:
        PartitioningUnspecifiedError: a collection gets an axis, has names, and `partitioning_axis_names` lacks it.
    """
    axes: dict[Any, Any] = dict(variable_axes)
    inner = target
    for collection in variable_axes:
        at = _number(variable_axes[collection])
        if isinstance(collection, str) and f"{collection}_axes" in variable_axes and at is not None:
            if collection not in partitioning_axis_names:
                raise PartitioningUnspecifiedError(collection)
            axes[f"{collection}_axes"] = None  # the names are no arrays: nothing is stacked
            inner = _with_names(inner, collection, at, partitioning_axis_names[collection], methods)
    made = transforms.vmap(inner, variable_axes=axes, split_rngs=split_rngs, in_axes=in_axes, out_axes=out_axes,
                           axis_size=axis_size, axis_name=axis_name, spmd_axis_name=spmd_axis_name, methods=methods)
    return _renamed(target, made, "Vmap")


def core_remat_static(fn: Callable[..., Any], variables: CollectionFilter = True, rngs: PRNGSequenceFilter = True,
                      concrete: bool = False, prevent_cse: bool = True, static_argnums: int | Sequence[int] = (),
                      policy: Callable[..., bool] | None = None) -> Callable[..., Any]:
    """As `flax.core.lift.remat`.

    Args:
        fn: takes a scope and arguments.
        variables: the collections that it uses.
        rngs: the streams of random keys that it uses.
        concrete: accepted; it has no effect.
        prevent_cse: as for `jax.checkpoint`.
        static_argnums: numbers of static arguments; the scope is not counted.
        policy: which results to keep.
    """
    numbers = (static_argnums,) if isinstance(static_argnums, int) else tuple(static_argnums)
    return lift.remat(fn, variables=variables, rngs=rngs, concrete=concrete, prevent_cse=prevent_cse,
                      static_argnums=numbers, policy=policy)


def remat(target: Any, variables: CollectionFilter = True, rngs: PRNGSequenceFilter = True, concrete: bool = False,
          prevent_cse: bool = True, static_argnums: int | Sequence[int] = (),
          policy: Callable[..., bool] | None = None, methods: Methods = None) -> Any:
    """As `nn.remat`, but numbers of static arguments do not count the module.

    Args:
        target: as for `nn.remat`.
        variables: as for `nn.remat`.
        rngs: as for `nn.remat`.
        concrete: accepted; it has no effect.
        prevent_cse: as for `nn.remat`.
        static_argnums: numbers of static arguments; the first one after the module is number 0.
        policy: as for `nn.remat`.
        methods: as for `nn.remat`.
    """
    numbers = (static_argnums,) if isinstance(static_argnums, int) else tuple(static_argnums)
    return transforms.remat(target, variables=variables, rngs=rngs, concrete=concrete, prevent_cse=prevent_cse,
                            static_argnums=tuple([n + 1 for n in numbers]), policy=policy, methods=methods)


