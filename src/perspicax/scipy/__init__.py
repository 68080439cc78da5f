"""Functions with SciPy's signatures: `jax.scipy`. Its parts are imported when they are first used."""
from perspicax.diagnose.facade import on_demand as _on_demand

__getattr__, __dir__ = _on_demand(__name__, modules=(
    "cluster", "fft", "integrate", "interpolate", "linalg", "ndimage", "optimize", "signal", "sparse", "spatial", "special",
    "stats",
))

__all__ = ["linalg"]
