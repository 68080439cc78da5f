"""Stands for `jax.experimental.layout`: Flax asks whether a sharding is a `Format`, which none is yet."""
from perspicax.compat.stand_ins.unmade import unmade_class

Format = unmade_class("jax.experimental.layout.Format")
Layout = unmade_class("jax.experimental.layout.Layout")

__all__ = ["Format", "Layout"]
