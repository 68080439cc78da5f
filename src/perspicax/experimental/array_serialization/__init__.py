"""`jax.experimental.array_serialization`: arrays on disk."""
from perspicax.diagnose.facade import on_demand as _on_demand

__getattr__, __dir__ = _on_demand(__name__, modules=("pytree_serialization", "serialization", "tensorstore_impl"))

__all__: list[str] = []
