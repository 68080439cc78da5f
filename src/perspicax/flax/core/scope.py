"""Scopes: `flax.core.scope`."""
from __future__ import annotations

from typing import TypeVar

from perspicax.flax.configurations import config as config
from perspicax.flax.core.filters import CollectionFilter as CollectionFilter
from perspicax.flax.core.filters import DenyList as DenyList
from perspicax.flax.core.filters import Filter as Filter
from perspicax.flax.core.filters import PRNGSequenceFilter as PRNGSequenceFilter
from perspicax.flax.core.filters import filter_to_set as filter_to_set
from perspicax.flax.core.filters import group_collections as group_collections
from perspicax.flax.core.filters import in_filter as in_filter
from perspicax.flax.core.filters import intersect_filters as intersect_filters
from perspicax.flax.core.filters import is_filter_empty as is_filter_empty
from perspicax.flax.core.filters import subtract_filters as subtract_filters
from perspicax.flax.core.filters import union_filters as union_filters
from perspicax.flax.core.frozen_dict import FrozenDict as FrozenDict
from perspicax.flax.core.frozen_dict import freeze as freeze
from perspicax.flax.core.frozen_dict import unfreeze as unfreeze
from perspicax.flax.core.rngs import LazyRng as LazyRng
from perspicax.flax.core.running import apply as apply
from perspicax.flax.core.running import bind as bind
from perspicax.flax.core.running import init as init
from perspicax.flax.core.running import lazy_init as lazy_init
from perspicax.flax.core.scopes import Scope as Scope
from perspicax.flax.core.scopes import Variable as Variable
from perspicax.flax.core.scopes import child_rng_token as child_rng_token
from perspicax.flax.core.scopes import no_flag as no_flag
from perspicax.flax.ids import uuid as uuid
from perspicax.flax.typing import Collection as Collection
from perspicax.flax.typing import FrozenVariableDict as FrozenVariableDict
from perspicax.flax.typing import MutableCollection as MutableCollection
from perspicax.flax.typing import MutableVariableDict as MutableVariableDict
from perspicax.flax.typing import PRNGFoldable as PRNGFoldable
from perspicax.flax.typing import PRNGKey as PRNGKey
from perspicax.flax.typing import RNGSequences as RNGSequences
from perspicax.flax.typing import VariableDict as VariableDict

__all__ = [
    "DenyList", "FrozenDict", "FrozenVariableDict", "LazyRng", "Scope", "T", "Variable", "apply", "bind", "child_rng_token",
    "config", "filter_to_set", "freeze", "group_collections", "in_filter", "init", "intersect_filters", "is_filter_empty",
    "lazy_init", "no_flag", "subtract_filters", "unfreeze", "union_filters", "uuid",
]

T = TypeVar("T")
