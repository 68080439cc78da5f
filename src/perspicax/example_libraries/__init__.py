"""Small libraries that the examples of JAX use: `optimizers` and `stax`."""
from perspicax.diagnose.facade import on_demand as _on_demand

__getattr__, __dir__ = _on_demand(__name__, modules=("optimizers", "stax"))

__all__: list[str] = []
