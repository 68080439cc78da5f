"""Shardings, meshes and partition specs: `jax.sharding`."""
from perspicax.api.axis_modes import auto_axes as auto_axes
from perspicax.api.axis_modes import explicit_axes as explicit_axes
from perspicax.api.meshes import get_abstract_mesh as get_abstract_mesh
from perspicax.api.meshes import get_mesh as get_mesh
from perspicax.api.meshes import set_mesh as set_mesh
from perspicax.api.meshes import use_abstract_mesh as use_abstract_mesh
from perspicax.diagnose.facade import on_demand as _on_demand
from perspicax.lax.constraints import reshard as reshard
from perspicax.xla.manual_axis_type import ManualAxisType as ManualAxisType
from perspicax.xla.mesh import AbstractDevice as AbstractDevice
from perspicax.xla.mesh import AbstractMesh as AbstractMesh
from perspicax.xla.mesh import AxisType as AxisType
from perspicax.xla.mesh import Mesh as Mesh
from perspicax.xla.partition import PartitionSpec as PartitionSpec
from perspicax.xla.sharding import NamedSharding as NamedSharding
from perspicax.xla.sharding import Sharding as Sharding
from perspicax.xla.sharding import SingleDeviceSharding as SingleDeviceSharding
from perspicax.xla.sharding import on_device as make_single_device_sharding

__getattr__, __dir__ = _on_demand(__name__)

__all__ = [
    "AbstractDevice", "AbstractMesh", "AxisType", "ManualAxisType", "Mesh", "NamedSharding", "PartitionSpec",
    "Sharding", "SingleDeviceSharding", "auto_axes", "explicit_axes", "get_abstract_mesh", "get_mesh",
    "make_single_device_sharding", "reshard", "set_mesh", "use_abstract_mesh",
]
