"""`jax.experimental.mesh_utils`: grids of devices for a mesh."""
from perspicax.api.device_grids import create_device_mesh as create_device_mesh
from perspicax.api.device_grids import create_hybrid_device_mesh as create_hybrid_device_mesh

__all__ = ["create_device_mesh", "create_hybrid_device_mesh"]
