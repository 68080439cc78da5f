"""`jax.experimental.array_serialization.pytree_serialization`: trees of arrays in folders."""
from perspicax.api.tree_files import load as load
from perspicax.api.tree_files import load_pytreedef as load_pytreedef
from perspicax.api.tree_files import nonblocking_load as nonblocking_load
from perspicax.api.tree_files import nonblocking_save as nonblocking_save
from perspicax.api.tree_files import save as save

__all__ = ["load", "load_pytreedef", "nonblocking_load", "nonblocking_save", "save"]
