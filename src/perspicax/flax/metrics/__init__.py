"""Where metrics are written: `flax.metrics`."""
from perspicax.diagnose.facade import on_demand as _on_demand

__getattr__, __dir__ = _on_demand(__name__, modules=("tensorboard",))

__all__: list[str] = []
