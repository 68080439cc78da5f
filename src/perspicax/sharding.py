"""Shardings, meshes and partition specs: `jax.sharding`."""
from perspicax.diagnose.facade import on_demand as _on_demand
from perspicax.xla.sharding import Mesh as Mesh
from perspicax.xla.sharding import NamedSharding as NamedSharding
from perspicax.xla.sharding import PartitionSpec as PartitionSpec
from perspicax.xla.sharding import Sharding as Sharding
from perspicax.xla.sharding import SingleDeviceSharding as SingleDeviceSharding
from perspicax.xla.sharding import on_device as make_single_device_sharding

__getattr__, __dir__ = _on_demand(__name__, absent=(
    "AbstractDevice", "AbstractMesh", "AxisType", "ManualAxisType", "auto_axes", "explicit_axes", "get_abstract_mesh",
    "get_mesh", "reshard", "set_mesh", "use_abstract_mesh"))

__all__ = [
    "Mesh", "NamedSharding", "PartitionSpec", "Sharding", "SingleDeviceSharding", "make_single_device_sharding",
]
