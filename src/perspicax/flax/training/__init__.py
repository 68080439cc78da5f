"""What a training loop needs beside the model: `flax.training`."""
from perspicax.diagnose.facade import on_demand as _on_demand

__getattr__, __dir__ = _on_demand(__name__, modules=(
    "checkpoints", "common_utils", "dynamic_scale", "early_stopping", "lr_schedule", "orbax_utils", "prefetch_iterator",
    "train_state"))

__all__: list[str] = []
