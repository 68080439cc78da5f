"""Pytrees: `jax.tree_util`."""
from perspicax.core.tree import Partial as Partial
from perspicax.core.tree import PyTreeDef as PyTreeDef
from perspicax.core.tree import tree_all as tree_all
from perspicax.core.tree import tree_flatten as tree_flatten
from perspicax.core.tree import tree_flatten_with_path as tree_flatten_with_path
from perspicax.core.tree import tree_leaves as tree_leaves
from perspicax.core.tree import tree_leaves_with_path as tree_leaves_with_path
from perspicax.core.tree import tree_map as tree_map
from perspicax.core.tree import tree_map_with_path as tree_map_with_path
from perspicax.core.tree import tree_reduce as tree_reduce
from perspicax.core.tree import tree_reduce_associative as tree_reduce_associative
from perspicax.core.tree import tree_structure as tree_structure
from perspicax.core.tree import tree_transpose as tree_transpose
from perspicax.core.tree import tree_unflatten as tree_unflatten
from perspicax.core.tree_parts import all_leaves as all_leaves
from perspicax.core.tree_parts import flatten_one_level as flatten_one_level
from perspicax.core.tree_parts import flatten_one_level_with_keys as flatten_one_level_with_keys
from perspicax.core.tree_parts import is_tree_node as is_tree_node
from perspicax.core.tree_parts import treedef_children as treedef_children
from perspicax.core.tree_parts import treedef_is_leaf as treedef_is_leaf
from perspicax.core.tree_parts import treedef_tuple as treedef_tuple
from perspicax.core.tree_paths import DictKey as DictKey
from perspicax.core.tree_paths import FlattenedIndexKey as FlattenedIndexKey
from perspicax.core.tree_paths import GetAttrKey as GetAttrKey
from perspicax.core.tree_paths import KeyEntry as KeyEntry
from perspicax.core.tree_paths import KeyPath as KeyPath
from perspicax.core.tree_paths import SequenceKey as SequenceKey
from perspicax.core.tree_paths import keystr as keystr
from perspicax.core.tree_prefix import tree_broadcast as tree_broadcast
from perspicax.core.tree_register import default_registry as default_registry
from perspicax.core.tree_register import register_dataclass as register_dataclass
from perspicax.core.tree_register import register_pytree_node as register_pytree_node
from perspicax.core.tree_register import register_pytree_node_class as register_pytree_node_class
from perspicax.core.tree_register import register_pytree_with_keys as register_pytree_with_keys
from perspicax.core.tree_register import register_pytree_with_keys_class as register_pytree_with_keys_class
from perspicax.core.tree_register import register_static as register_static

__all__ = [
    "DictKey", "FlattenedIndexKey", "GetAttrKey", "KeyEntry", "KeyPath", "Partial", "PyTreeDef", "SequenceKey",
    "all_leaves", "default_registry", "flatten_one_level", "flatten_one_level_with_keys", "is_tree_node", "keystr",
    "register_dataclass", "register_pytree_node", "register_pytree_node_class", "register_pytree_with_keys",
    "register_pytree_with_keys_class", "register_static", "tree_all", "tree_broadcast", "tree_flatten",
    "tree_flatten_with_path", "tree_leaves", "tree_leaves_with_path", "tree_map", "tree_map_with_path", "tree_reduce",
    "tree_reduce_associative", "tree_structure", "tree_transpose", "tree_unflatten", "treedef_children",
    "treedef_is_leaf", "treedef_tuple",
]
