"""Stands for `jax._src.earray`: Flax makes arrays of its own dtypes by it."""
from perspicax.compat.stand_ins.unmade import unmade_class

EArray = unmade_class("jax._src.earray.EArray")

__all__ = ["EArray"]
