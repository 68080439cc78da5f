"""`jax.experimental.layout`: how arrays lie in memory."""
from perspicax.xla.layouts import Format as Format
from perspicax.xla.layouts import Layout as Layout

__all__ = ["Format", "Layout"]
