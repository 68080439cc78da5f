"""`jax.ffi`: foreign functions in programs, by XLA's foreign function interface."""
from perspicax.api.foreign import build_ffi_lowering_function as build_ffi_lowering_function
from perspicax.api.foreign import ffi_lowering as ffi_lowering
from perspicax.api.foreign import include_dir as include_dir
from perspicax.api.foreign import pycapsule as pycapsule
from perspicax.api.foreign import register_ffi_target as register_ffi_target
from perspicax.api.foreign import register_ffi_target_as_batch_partitionable as register_ffi_target_as_batch_partitionable
from perspicax.api.foreign import register_ffi_type as register_ffi_type
from perspicax.api.foreign import register_ffi_type_id as register_ffi_type_id
from perspicax.lax.foreign import ffi_call as ffi_call

__all__ = [
    "build_ffi_lowering_function", "ffi_call", "ffi_lowering", "include_dir", "pycapsule", "register_ffi_target",
    "register_ffi_target_as_batch_partitionable", "register_ffi_type", "register_ffi_type_id",
]
