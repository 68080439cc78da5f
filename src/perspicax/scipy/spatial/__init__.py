"""Geometry with SciPy's signatures: `jax.scipy.spatial`."""
from perspicax.diagnose.facade import on_demand as _on_demand

__getattr__, __dir__ = _on_demand(__name__, modules=("transform",))

__all__ = ["transform"]
