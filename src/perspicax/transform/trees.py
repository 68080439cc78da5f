"""The pytree functions that transformations use, straight from the registry: no layer on hot paths."""
from perspicax.binding.pytree import flatten, flatten_with_path
from perspicax.core.tree import tree_leaves as leaves
from perspicax.core.tree import tree_map
from perspicax.core.tree_paths import keystr
from perspicax.core.tree_prefix import broadcast_prefix
from perspicax.core.tree_register import register_pytree_node

__all__ = ["broadcast_prefix", "flatten", "flatten_with_path", "keystr", "leaves", "register_pytree_node", "tree_map"]
