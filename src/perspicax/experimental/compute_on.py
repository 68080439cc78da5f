"""`jax.experimental.compute_on`: where a part of a program is computed."""
from perspicax.api.compute import compute_on as compute_on
from perspicax.api.compute import compute_on2 as compute_on2

__all__ = ["compute_on", "compute_on2"]
