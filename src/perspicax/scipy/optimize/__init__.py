"""Minimisation with SciPy's signatures: `jax.scipy.optimize`."""
from perspicax.diagnose.facade import publish as _publish
from perspicax.scipy.optimize.minimize import OptimizeResults, minimize

__all__ = ["OptimizeResults", "minimize"]

_publish(__name__)
