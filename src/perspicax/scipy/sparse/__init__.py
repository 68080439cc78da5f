"""Solvers for operators that are given as functions: `jax.scipy.sparse`."""
from perspicax.diagnose.facade import on_demand as _on_demand

__getattr__, __dir__ = _on_demand(__name__, modules=("linalg",))

__all__ = ["linalg"]
