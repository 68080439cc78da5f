"""Rotations with SciPy's signatures: `jax.scipy.spatial.transform`."""
from perspicax.diagnose.facade import on_demand as _on_demand

__getattr__, __dir__ = _on_demand(__name__, names={"Rotation": "perspicax.api.rotations", "Slerp": "perspicax.api.rotations"})

__all__ = ["Rotation", "Slerp"]
