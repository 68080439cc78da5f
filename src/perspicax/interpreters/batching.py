"""Batching rules of primitives: `jax.interpreters.batching`."""
from perspicax.api.user_primitives import axis_primitive_batchers as axis_primitive_batchers
from perspicax.api.user_primitives import bdim_at_front as bdim_at_front
from perspicax.api.user_primitives import defbroadcasting as defbroadcasting
from perspicax.api.user_primitives import defreducer as defreducer
from perspicax.api.user_primitives import defvectorized as defvectorized
from perspicax.api.user_primitives import fancy_primitive_batchers as fancy_primitive_batchers
from perspicax.api.user_primitives import moveaxis as moveaxis
from perspicax.api.user_primitives import not_mapped as not_mapped
from perspicax.api.user_primitives import primitive_batchers as primitive_batchers
from perspicax.api.user_primitives import repeated as broadcast
from perspicax.diagnose.facade import on_demand as _on_demand

__getattr__, __dir__ = _on_demand(__name__, absent=("register_vmappable", "unregister_vmappable"))

__all__ = [
    "axis_primitive_batchers", "bdim_at_front", "broadcast", "defbroadcasting", "defreducer", "defvectorized",
    "fancy_primitive_batchers", "primitive_batchers",
]
