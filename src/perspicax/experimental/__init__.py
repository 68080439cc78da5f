"""What may change: `jax.experimental`."""
from perspicax.diagnose.facade import on_demand as _on_demand
from perspicax.lax.callback import io_callback as io_callback

__getattr__, __dir__ = _on_demand(
    __name__, modules=("array_serialization", "checkify", "custom_partitioning", "jet", "layout", "mesh_utils",
                       "multihost_utils", "ode", "pjit", "shard_map", "sparse"),
    absent=("EArray", "compilation_cache", "cur_qdd", "pallas", "primal_tangent_dtype"))

__all__ = ["io_callback"]
