"""The current mesh: `make_mesh`, `set_mesh` and who asks for it."""
from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from perspicax.api.wrapping import public
from perspicax.core.config import local
from perspicax.core.option import Override
from perspicax.diagnose.boundary import public_methods
from perspicax.transform.mesh_scope import manual_axes, mesh_in_scope
from perspicax.xla import client
from perspicax.xla import mesh as meshes
from perspicax.xla.mesh import AbstractMesh, AxisType, Mesh
from perspicax.xla.sharding_errors import MeshError

__all__ = ["get_abstract_mesh", "get_mesh", "make_mesh", "set_mesh", "use_abstract_mesh"]


@public
def make_mesh(axis_shapes: Sequence[int], axis_names: Sequence[str] | str, axis_types: Any = None, *,
              devices: Sequence[Any] | None = None) -> Mesh:
    """A mesh of devices.

    Args:
        axis_shapes: number of devices along each axis.
        axis_names: the names of the axes.
        axis_types: who decides how arrays lie along each; `AxisType.Explicit` by default.
        devices: the devices to arrange; by default all, of which as many are taken as the mesh needs. They are taken in
            their order, which is the best there is where all devices are equally near, as on the CPU.

    Raises:
        MeshError: there are fewer devices than the mesh needs, or not as many names or types as axes.

    Axes of the type Explicit are part of the types of arrays: `jax.typeof(x)` shows how `x` lies along them, results lie as the
    types of operands say, and operations that leave it open take `out_sharding`. `axis_types=(AxisType.Auto,) * n` leaves all
    to the compiler.
    """
    sizes = tuple([int(n) for n in axis_shapes])
    names = (axis_names,) if isinstance(axis_names, str) else tuple(axis_names)
    chosen = list(client.devices() if devices is None else devices)
    if min(sizes, default=1) < 1:
        raise MeshError(kind="zero", shape=sizes, names=names)
    count = math.prod(sizes)
    if count > len(chosen) or (devices is not None and count != len(chosen)):
        raise MeshError(kind="count", shape=sizes, names=names, got=f"{count} devices; there are {len(chosen)}")
    grid = np.empty(count, object)
    grid[:] = chosen[:count]
    return Mesh(grid.reshape(sizes), names, (AxisType.Explicit,) * len(names) if axis_types is None else axis_types)


@public_methods("__init__")
class set_mesh:
    """Make a mesh the current one: for good by a call, or for a block as `with set_mesh(mesh):`.

    Bare `PartitionSpec`s are in its terms, and what nothing places elsewhere lies on all of its devices.

    Args:
        mesh: the mesh; `None` for none.

    Raises:
        MeshError: `mesh` is none, or a function is being traced.
    """

    def __init__(self, mesh: Mesh | None) -> None:
        if mesh is not None and not isinstance(mesh, Mesh):
            raise MeshError(kind="mesh", shape=(), names=(), got=repr(mesh)[:80])
        if not local.trace.base:
            raise MeshError(kind="inside", shape=(), names=())
        self._set = Override(meshes.current_mesh, None if mesh is None or mesh.empty else mesh)
        self._set.__enter__()

    def __enter__(self) -> None:
        return None

    def __exit__(self, *exception: object) -> None:
        self._set.__exit__(*exception)


@public_methods("__init__")
class use_abstract_mesh:
    """`with use_abstract_mesh(mesh):` traces under the axes of a mesh, whatever its devices.

    Args:
        mesh: an abstract mesh.

    Raises:
        MeshError: it is none.
    """

    def __init__(self, mesh: AbstractMesh) -> None:
        if not isinstance(mesh, AbstractMesh):
            raise MeshError(kind="mesh", shape=(), names=(), got=repr(mesh)[:80])
        self.mesh = mesh
        self._set = Override(meshes.current_abstract_mesh, mesh)

    def __enter__(self) -> AbstractMesh:
        self._set.__enter__()
        return self.mesh

    def __exit__(self, *exception: object) -> None:
        self._set.__exit__(*exception)


@public
def get_mesh() -> Mesh:
    """The mesh that `set_mesh` has made the current one; an empty one where there is none.

    Raises:
        MeshError: a function is being traced: there, `get_abstract_mesh` tells the axes.
    """
    if not local.trace.base:
        raise MeshError(kind="inside get", shape=(), names=())
    return meshes.get_concrete_mesh() or meshes.empty_mesh()


@public
def get_abstract_mesh() -> AbstractMesh:
    """The axes of the current mesh, also while a function is traced; none where there is no mesh.

    Inside `shard_map` that is its mesh; the axes over which the function was mapped are manual.
    """
    mesh = mesh_in_scope()
    if mesh is None:
        return meshes.get_abstract_mesh()
    abstract = mesh if isinstance(mesh, AbstractMesh) else mesh.abstract_mesh
    return abstract.update_axis_types(dict.fromkeys(manual_axes(), AxisType.Manual))
