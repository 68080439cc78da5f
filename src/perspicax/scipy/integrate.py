"""Integrals with SciPy's signatures: `jax.scipy.integrate`."""
from perspicax.numpy.sampled import trapezoid

__all__ = ["trapezoid"]
