"""Stands for `jax.experimental.sparse`: NumPyro asks whether a value is sparse, which none is yet."""
from perspicax.compat.stand_ins.unmade import unmade_class

BCOO = unmade_class("jax.experimental.sparse.BCOO")
BCSR = unmade_class("jax.experimental.sparse.BCSR")

__all__ = ["BCOO", "BCSR"]
