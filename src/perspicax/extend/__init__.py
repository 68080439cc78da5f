"""For libraries on top: `jax.extend`."""
from perspicax.diagnose.facade import on_demand as _on_demand

__getattr__, __dir__ = _on_demand(
    __name__, modules=("backend", "core", "ifrt_programs", "linear_util", "mlir", "random", "sharding",
                       "source_info_util"))

__all__ = []
