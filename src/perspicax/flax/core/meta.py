"""Boxes that hold a variable together with facts on its axes: `flax.core.meta`."""
from __future__ import annotations

import functools
from abc import ABCMeta, abstractmethod
from collections.abc import Callable
from typing import Any, Generic, TypeVar

import perspicax as jax
from perspicax import tree_util
from perspicax.diagnose import Fix
from perspicax.flax import struct
from perspicax.flax.scope_errors import PartitioningUnspecifiedError
from perspicax.flax.tree_errors import LiftError
from perspicax.flax.typing import LogicalNames

__all__ = [
    "PARTITION_NAME", "AxisMetadata", "Partitioned", "TAxisMetadata", "add_axis", "get_global_mesh", "get_partition_spec",
    "get_sharding", "global_mesh_defined", "is_axis_metadata", "map_axis_meta", "remove_axis", "replace_boxed", "unbox",
    "with_partitioning",
]

A = TypeVar("A")
B = TypeVar("B")
TAxisMetadata = TypeVar("TAxisMetadata", bound="AxisMetadata[Any]")

PARTITION_NAME = "partition_name"
"""The key in `metadata_params` under which a transformation says how the axis is called that it adds or removes."""


class AxisMetadata(Generic[A], metaclass=ABCMeta):
    """A box around a variable that knows about its axes.

    A lifted transformation that stacks variables (`vmap`, `scan`) tells the boxes which axis it adds or takes away.
    Boxes are pytrees; modules see the value inside.
    """

    @abstractmethod
    def unbox(self) -> A:
        """What is in the box."""

    @abstractmethod
    def replace_boxed(self, val: B) -> AxisMetadata[B]:
        """The same box around another value."""

    @abstractmethod
    def add_axis(self: TAxisMetadata, index: int, params: dict[Any, Any]) -> TAxisMetadata:
        """The box, when an axis was added to its value.

        Args:
            index: where; it may count from the end.
            params: the `metadata_params` of the transformation.
        """

    @abstractmethod
    def remove_axis(self: TAxisMetadata, index: int, params: dict[Any, Any]) -> TAxisMetadata:
        """The box, when an axis was taken away from its value; as `add_axis`."""


def is_axis_metadata(val: Any) -> bool:
    """Whether a value is a box."""
    return isinstance(val, AxisMetadata)


def map_axis_meta(fn: Callable[[AxisMetadata[Any]], Any], tree: Any) -> Any:
    """A tree in which `fn(box)` stands for each box; the rest is as it was."""
    return tree_util.tree_map(lambda x: fn(x) if isinstance(x, AxisMetadata) else x, tree, is_leaf=is_axis_metadata)


def add_axis(tree: Any, index: int, params: dict[Any, Any]) -> Any:
    """A tree whose boxes know of an axis that was added to all values in it."""
    return map_axis_meta(lambda box: box.add_axis(index, params), tree)


def remove_axis(tree: Any, index: int, params: dict[Any, Any]) -> Any:
    """A tree whose boxes know of an axis that was taken away from all values in it."""
    return map_axis_meta(lambda box: box.remove_axis(index, params), tree)


def unbox(tree: Any) -> Any:
    """A tree with the values instead of the boxes, however deep they are packed."""
    return map_axis_meta(lambda box: unbox(box.unbox()), tree)


def replace_boxed(tree: Any, updates: Any) -> Any:
    """A tree with new values in its boxes.

    Args:
        tree: the boxes, and values without a box.
        updates: a tree of the same structure, without boxes.
    """
    def put(old: Any, new: Any) -> Any:
        return old.replace_boxed(replace_boxed(old.unbox(), new)) if isinstance(old, AxisMetadata) else new

    return tree_util.tree_map(put, tree, updates, is_leaf=is_axis_metadata)


def get_global_mesh() -> Any:
    """The mesh that `with mesh:` or `jax.set_mesh` has made current; `None` if there is none."""
    from perspicax import sharding

    mesh = sharding.get_abstract_mesh() if hasattr(sharding, "get_abstract_mesh") else None
    return None if mesh is None or mesh.empty else mesh


def global_mesh_defined() -> bool:
    """Whether there is a current mesh."""
    return get_global_mesh() is not None


class Partitioned(struct.PyTreeNode, AxisMetadata[A]):
    """A box that names the axis of the mesh over which each axis of its value is spread.

    Attributes:
        value: the array, or a tree of arrays.
        names: for each axis the name of a mesh axis, a tuple of such names, or `None`.
        mesh: the mesh; `None` means the current one.
    """

    value: Any
    names: LogicalNames = struct.field(pytree_node=False)
    mesh: Any = struct.field(default=None, pytree_node=False)

    def unbox(self, apply_constraint: bool = True) -> Any:
        """The value, constrained to its sharding where there is a mesh.

        Args:
            apply_constraint: whether to constrain it.
        """
        if not apply_constraint or (self.mesh is None and not global_mesh_defined()):
            return self.value
        spec = self.get_partition_spec()
        place = spec if self.mesh is None else jax.sharding.NamedSharding(self.mesh, spec)
        return jax.lax.with_sharding_constraint(self.value, place)

    def replace_boxed(self, val: B) -> Partitioned[B]:
        """The same names for another value."""
        return self.replace(value=val)  # type: ignore[return-value]

    def _get_partition_name(self, params: dict[Any, Any]) -> Any:
        if PARTITION_NAME not in params:
            raise PartitioningUnspecifiedError(self)
        return params[PARTITION_NAME]

    def add_axis(self, index: int, params: dict[Any, Any]) -> Partitioned[A]:
        """The box, with the name that `params[PARTITION_NAME]` gives the new axis.

        Raises:
            PartitioningUnspecifiedError: `params` does not say.
        """
        name = self._get_partition_name(params)
        names = list(self.names)
        at = index if index >= 0 else max(index + len(names), 0)  # where the tuple has fewer names than the value has axes
        names += [None] * (at - len(names))
        names.insert(at, name)
        return self.replace(names=tuple(names))

    def remove_axis(self, index: int, params: dict[Any, Any]) -> Partitioned[A]:
        """The box without the name of the axis that was taken away.

        Raises:
            PartitioningUnspecifiedError: `params` does not say how it is called.
            LiftError: the axis has another name.
        """
        name = self._get_partition_name(params)
        names = list(self.names)
        found = names.pop(index) if -len(names) <= index < len(names) else None
        if found != name:
            raise LiftError(says=f"Axis {index} of a partitioned variable is {found!r}, but the transformation that takes it "
                                 f"away calls it {name!r}; its axes are {self.names!r}.",
                            why="a transformation takes away the axis that it has added, under the same name",
                            fixes=(Fix(code=f"metadata_params={{nn.PARTITION_NAME: {found!r}}}"),))
        return self.replace(names=tuple(names))

    def get_partition_spec(self) -> Any:
        """The names as a `PartitionSpec`."""
        return jax.sharding.PartitionSpec(*self.names)

    def get_sharding(self, mesh: Any) -> Any:
        """The sharding of the value on a mesh."""
        return jax.sharding.NamedSharding(mesh, self.get_partition_spec())




def with_partitioning(fn: Callable[..., Any], names: LogicalNames, mesh: Any = None) -> Callable[..., Partitioned[Any]]:
    """An initialiser whose value is boxed.

    Args:
        fn: the initialiser.
        names: for each axis of its value the name of a mesh axis, or `None`.
        mesh: the mesh; `None` means the current one.

    Returns:
        A function that takes what `fn` takes and returns a `Partitioned`.
    """
    @functools.wraps(fn)
    def boxed(*args: Any, **kwargs: Any) -> Partitioned[Any]:
        return Partitioned(fn(*args, **kwargs), names, mesh=mesh)

    return boxed


def _mapped_leaves(tree: Any, of_box: Callable[[Any], Any], of_array: Callable[[], Any]) -> Any:
    def look(x: Any) -> Any:
        if hasattr(x, "get_partition_spec"):
            return of_box(x)
        return of_array() if hasattr(x, "shape") else None  # what is no array lives on no device

    return tree_util.tree_map(look, tree, is_leaf=is_axis_metadata)


def get_partition_spec(tree: Any) -> Any:
    """A tree with the `PartitionSpec` of each box and array (an empty one for those without a box), `None` for others."""
    return _mapped_leaves(tree, lambda box: box.get_partition_spec(), lambda: jax.sharding.PartitionSpec())


def get_sharding(tree: Any, mesh: Any) -> Any:
    """A tree with the sharding on `mesh` of each box and array, `None` for others."""
    return _mapped_leaves(tree, lambda box: box.get_sharding(mesh),
                          lambda: jax.sharding.NamedSharding(mesh, jax.sharding.PartitionSpec()))
