"""Pytrees by short names: `jax.tree`."""
from perspicax.core.tree import tree_all as all
from perspicax.core.tree import tree_flatten as flatten
from perspicax.core.tree import tree_flatten_with_path as flatten_with_path
from perspicax.core.tree import tree_leaves as leaves
from perspicax.core.tree import tree_leaves_with_path as leaves_with_path
from perspicax.core.tree import tree_map as map
from perspicax.core.tree import tree_map_with_path as map_with_path
from perspicax.core.tree import tree_reduce as reduce
from perspicax.core.tree import tree_reduce_associative as reduce_associative
from perspicax.core.tree import tree_structure as structure
from perspicax.core.tree import tree_transpose as transpose
from perspicax.core.tree import tree_unflatten as unflatten
from perspicax.core.tree_prefix import tree_broadcast as broadcast
from perspicax.core.tree_register import static as static

__all__ = [
    "all", "broadcast", "flatten", "flatten_with_path", "leaves", "leaves_with_path", "map", "map_with_path", "reduce",
    "reduce_associative", "static", "structure", "transpose", "unflatten",
]
