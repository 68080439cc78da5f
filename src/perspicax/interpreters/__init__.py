"""The rules of primitives, by transformation: `jax.interpreters`."""
from perspicax.diagnose.facade import on_demand as _on_demand

__getattr__, __dir__ = _on_demand(__name__, modules=("ad", "batching", "mlir", "partial_eval", "pxla", "xla"))

__all__ = []
