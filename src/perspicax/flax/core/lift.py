"""Transformations of functions of scopes: `flax.core.lift`."""
from __future__ import annotations

from typing import Any, TypeVar

from perspicax.flax.core.filters import CollectionFilter as CollectionFilter
from perspicax.flax.core.filters import DenyList as DenyList
from perspicax.flax.core.filters import Filter as Filter
from perspicax.flax.core.filters import PRNGSequenceFilter as PRNGSequenceFilter
from perspicax.flax.core.filters import group_collections as group_collections
from perspicax.flax.core.filters import in_filter as in_filter
from perspicax.flax.core.filters import intersect_filters as intersect_filters
from perspicax.flax.core.filters import is_filter_empty as is_filter_empty
from perspicax.flax.core.filters import subtract_filters as subtract_filters
from perspicax.flax.core.filters import union_filters as union_filters
from perspicax.flax.core.frozen_dict import freeze as freeze
from perspicax.flax.core.frozen_dict import unfreeze as unfreeze
from perspicax.flax.core.lift_control import cond as cond
from perspicax.flax.core.lift_control import switch as switch
from perspicax.flax.core.lift_control import while_loop as while_loop
from perspicax.flax.core.lift_derivatives import custom_vjp as custom_vjp
from perspicax.flax.core.lift_derivatives import jvp as jvp
from perspicax.flax.core.lift_derivatives import value_and_grad as value_and_grad
from perspicax.flax.core.lift_derivatives import vjp as vjp
from perspicax.flax.core.lift_maps import remat_scan as remat_scan
from perspicax.flax.core.lift_maps import scan as scan
from perspicax.flax.core.lift_maps import vmap as vmap
from perspicax.flax.core.lift_stages import CountsHolder as CountsHolder
from perspicax.flax.core.lift_stages import TransformContext as TransformContext
from perspicax.flax.core.lift_stages import checkpoint as checkpoint
from perspicax.flax.core.lift_stages import fold_rngs as fold_rngs
from perspicax.flax.core.lift_stages import jit as jit
from perspicax.flax.core.lift_stages import remat as remat
from perspicax.flax.core.lift_stages import set_from_dict as set_from_dict
from perspicax.flax.core.lift_variables import add_metadata_axis as add_metadata_axis
from perspicax.flax.core.lift_variables import map_variables as map_variables
from perspicax.flax.core.lift_variables import swap_collection as swap_collection
from perspicax.flax.core.packing import id_fn as id_fn
from perspicax.flax.core.packing import pack as pack
from perspicax.flax.core.packing import tree_map_rngs as tree_map_rngs
from perspicax.flax.core.scopes import LazyRng as LazyRng
from perspicax.flax.core.scopes import Scope as Scope
from perspicax.flax.typing import In as In
from perspicax.flax.typing import InOutAxis as InOutAxis
from perspicax.flax.typing import InOutScanAxis as InOutScanAxis
from perspicax.flax.typing import Out as Out

__all__ = [
    "A", "C", "CountsHolder", "DenyList", "In", "LazyRng", "Out", "Scope", "TransformContext", "add_metadata_axis",
    "checkpoint", "cond", "custom_vjp", "fold_rngs", "freeze", "group_collections", "id_fn", "in_filter",
    "intersect_filters", "is_filter_empty", "jit", "jvp", "map_variables", "pack", "remat", "remat_scan", "scan",
    "set_from_dict", "subtract_filters", "swap_collection", "switch", "tree_map_rngs", "unfreeze", "union_filters",
    "value_and_grad", "vjp", "vmap", "while_loop",
]

A = TypeVar("A")
C = TypeVar("C", bound=Any)
