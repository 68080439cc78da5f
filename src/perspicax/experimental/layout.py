"""`jax.experimental.layout`: how arrays lie in memory."""
from perspicax.lax.layout_constraint import with_layout_constraint as with_layout_constraint
from perspicax.xla.layouts import Format as Format
from perspicax.xla.layouts import Layout as Layout

__all__ = ["Format", "Layout", "with_layout_constraint"]
