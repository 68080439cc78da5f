"""Scopes and what works on them: `flax.core`."""
from perspicax.diagnose.facade import on_demand as _on_demand
from perspicax.flax.core import axes_scan as axes_scan
from perspicax.flax.core import frozen_dict as frozen_dict
from perspicax.flax.core import lift as lift
from perspicax.flax.core import meta as meta
from perspicax.flax.core import partial_eval as partial_eval
from perspicax.flax.core import scope as scope
from perspicax.flax.core import spmd as spmd
from perspicax.flax.core import tracers as tracers
from perspicax.flax.core.axes_scan import broadcast as broadcast
from perspicax.flax.core.frozen_dict import FrozenDict as FrozenDict
from perspicax.flax.core.frozen_dict import copy as copy
from perspicax.flax.core.frozen_dict import freeze as freeze
from perspicax.flax.core.frozen_dict import pop as pop
from perspicax.flax.core.frozen_dict import pretty_repr as pretty_repr
from perspicax.flax.core.frozen_dict import unfreeze as unfreeze
from perspicax.flax.core.lift import custom_vjp as custom_vjp
from perspicax.flax.core.lift import jit as jit
from perspicax.flax.core.lift import jvp as jvp
from perspicax.flax.core.lift import remat as remat
from perspicax.flax.core.lift import remat_scan as remat_scan
from perspicax.flax.core.lift import scan as scan
from perspicax.flax.core.lift import vjp as vjp
from perspicax.flax.core.lift import vmap as vmap
from perspicax.flax.core.lift import while_loop as while_loop
from perspicax.flax.core.meta import AxisMetadata as AxisMetadata
from perspicax.flax.core.meta import map_axis_meta as map_axis_meta
from perspicax.flax.core.meta import unbox as unbox
from perspicax.flax.core.scope import DenyList as DenyList
from perspicax.flax.core.scope import Scope as Scope
from perspicax.flax.core.scope import apply as apply
from perspicax.flax.core.scope import bind as bind
from perspicax.flax.core.scope import init as init
from perspicax.flax.core.scope import lazy_init as lazy_init
from perspicax.flax.core.tracers import check_trace_level as check_trace_level
from perspicax.flax.core.tracers import current_trace as current_trace
from perspicax.flax.typing import Array as Array

__getattr__, __dir__ = _on_demand(__name__, modules=("nn",))

__all__ = [
    "Array", "AxisMetadata", "DenyList", "FrozenDict", "Scope", "apply", "axes_scan", "bind", "broadcast", "check_trace_level",
    "copy", "current_trace", "custom_vjp", "freeze", "frozen_dict", "init", "jit", "jvp", "lazy_init", "lift",
    "map_axis_meta", "meta", "partial_eval", "pop", "pretty_repr", "remat", "remat_scan", "scan", "scope", "spmd", "tracers",
    "unbox", "unfreeze", "vjp", "vmap", "while_loop",
]
