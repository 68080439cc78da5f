"""Perspicax: an independent implementation of JAX whose errors explain themselves. `jax.X` is `perspicax.X`."""

from perspicax.diagnose import importing as _importing  # first: every tenth millisecond of the rest is a collection

with _importing.Quietly():
    import perspicax.numpy.install as _install  # arrays get their operators and methods

import perspicax.sanitize.switch as _switch  # the sanitizers follow the configuration
from perspicax.api.differentiate import grad as grad
from perspicax.api.differentiate import jvp as jvp
from perspicax.api.differentiate import linearize as linearize
from perspicax.api.differentiate import value_and_grad as value_and_grad
from perspicax.api.differentiate import vjp as vjp
from perspicax.api.differentiate import vmap as vmap
from perspicax.api.jit import jit as jit
from perspicax.api.placement import block_until_ready as block_until_ready
from perspicax.api.placement import copy_to_host_async as copy_to_host_async
from perspicax.api.placement import device_get as device_get
from perspicax.api.placement import device_put as device_put
from perspicax.api.placement import effects_barrier as effects_barrier
from perspicax.api.placement import live_arrays as live_arrays
from perspicax.api.placement import make_array_from_callback as make_array_from_callback
from perspicax.api.placement import make_array_from_single_device_arrays as make_array_from_single_device_arrays
from perspicax.api.staging import clear_caches as clear_caches
from perspicax.api.staging import eval_shape as eval_shape
from perspicax.api.staging import make_jaxpr as make_jaxpr
from perspicax.api.staging import named_call as named_call
from perspicax.api.staging import named_scope as named_scope
from perspicax.api.staging import typeof as typeof
from perspicax.binding.runtime import Device as Device
from perspicax.core.array import Array as Array
from perspicax.core.config import allow_f16_reductions as allow_f16_reductions
from perspicax.core.config import array_garbage_collection_guard as array_garbage_collection_guard
from perspicax.core.config import auto_pcast as auto_pcast
from perspicax.core.config import check_tracer_leaks as check_tracer_leaks
from perspicax.core.config import checking_leaks as checking_leaks
from perspicax.core.config import config as config
from perspicax.core.config import debug_infs as debug_infs
from perspicax.core.config import debug_key_reuse as debug_key_reuse
from perspicax.core.config import debug_nans as debug_nans
from perspicax.core.config import default_device as default_device
from perspicax.core.config import default_matmul_precision as default_matmul_precision
from perspicax.core.config import default_prng_impl as default_prng_impl
from perspicax.core.config import disable_jit as disable_jit
from perspicax.core.config import enable_checks as enable_checks
from perspicax.core.config import enable_custom_prng as enable_custom_prng
from perspicax.core.config import enable_x64 as enable_x64
from perspicax.core.config import explain_cache_misses as explain_cache_misses
from perspicax.core.config import jax2tf_associative_scan_reductions as jax2tf_associative_scan_reductions
from perspicax.core.config import legacy_prng_key as legacy_prng_key
from perspicax.core.config import log_compiles as log_compiles
from perspicax.core.config import make_user_context as make_user_context
from perspicax.core.config import no_execution as no_execution
from perspicax.core.config import no_tracing as no_tracing
from perspicax.core.config import numpy_dtype_promotion as numpy_dtype_promotion
from perspicax.core.config import numpy_rank_promotion as numpy_rank_promotion
from perspicax.core.config import remove_size_one_mesh_axis_from_type as remove_size_one_mesh_axis_from_type
from perspicax.core.config import softmax_custom_jvp as softmax_custom_jvp
from perspicax.core.config import thread_guard as thread_guard
from perspicax.core.config import threefry_partitionable as threefry_partitionable
from perspicax.core.config import transfer_guard as transfer_guard
from perspicax.core.config import transfer_guard_device_to_device as transfer_guard_device_to_device
from perspicax.core.config import transfer_guard_device_to_host as transfer_guard_device_to_host
from perspicax.core.config import transfer_guard_host_to_device as transfer_guard_host_to_device
from perspicax.core.dtypes import float0 as float0
from perspicax.core.folding import ensure_compile_time_eval as ensure_compile_time_eval
from perspicax.diagnose.facade import on_demand as _on_demand
from perspicax.lax import hook_table as _hook_table  # what transformations need of lax
from perspicax.lax.callback import pure_callback as pure_callback
from perspicax.transform.ahead import ShapeDtypeStruct as ShapeDtypeStruct
from perspicax.transform.custom import custom_jvp as custom_jvp
from perspicax.transform.custom import custom_vjp as custom_vjp
from perspicax.xla.array import Shard as Shard
from perspicax.xla.client import default_backend as default_backend
from perspicax.xla.client import device_count as device_count
from perspicax.xla.client import devices as devices
from perspicax.xla.client import host_count as host_count
from perspicax.xla.client import host_id as host_id
from perspicax.xla.client import host_ids as host_ids
from perspicax.xla.client import local_device_count as local_device_count
from perspicax.xla.client import local_devices as local_devices
from perspicax.xla.client import process_count as process_count
from perspicax.xla.client import process_index as process_index
from perspicax.xla.client import process_indices as process_indices
from perspicax.xla.sharding import NamedSharding as NamedSharding
from perspicax.xla.sharding import PartitionSpec as P

__version__ = "0.1.0"

__getattr__, __dir__ = _on_demand(
    __name__,
    modules=(
        "ad_checkpoint", "api_util", "core", "custom_batching", "custom_derivatives", "debug", "distributed", "dlpack",
        "dtypes", "errors", "example_libraries", "experimental", "export", "extend", "ffi", "flatten_util", "image",
        "interpreters", "lax", "lib", "monitoring", "nn", "numpy", "ops", "profiler", "random", "ref", "scipy",
        "sharding", "stages", "test_util", "tree", "tree_util", "typing", "version",
    ),
    names={
        "ad": "perspicax.api.accumulators",
        "checkpoint": "perspicax.api.remat", "checkpoint_policies": "perspicax.api.remat_policies",
        "closure_convert": "perspicax.api.custom_rules", "custom_gradient": "perspicax.api.custom_rules",
        "ds": "perspicax.numpy.dynamic_slices",
        "fwd_and_bwd": "perspicax.api.forward_backward", "hessian": "perspicax.api.jacobian",
        "jacfwd": "perspicax.api.jacobian", "jacobian": "perspicax.api.jacobian",
        "linear_transpose": "perspicax.api.linear",
        "make_array_from_process_local_data": "perspicax.api.process_local",
        "make_mesh": "perspicax.api.meshes", "reshard": "perspicax.lax.constraints", "set_mesh": "perspicax.api.meshes",
        "memory": "perspicax.api.memory", "pmap": "perspicax.api.pmap",
        "print_environment_info": "perspicax.api.environment",
        "Ref": "perspicax.api.refs", "empty_ref": "perspicax.api.refs", "free_ref": "perspicax.api.refs",
        "freeze": "perspicax.api.refs", "new_ref": "perspicax.api.refs",
        "jacrev": "perspicax.api.jacobian", "remat": "perspicax.api.remat",
        "shard_map": "perspicax.api.shard_map", "smap": "perspicax.api.shard_map",
        "explain_value": "perspicax.api.explaining", "load_ipython_extension": "perspicax.cli.notebook",
        "unload_ipython_extension": "perspicax.cli.notebook",
    },
)

__all__ = [
    "Array", "Device", "NamedSharding", "P", "Ref", "ShapeDtypeStruct", "Shard", "ad", "allow_f16_reductions",
    "array_garbage_collection_guard", "auto_pcast", "block_until_ready", "check_tracer_leaks", "checking_leaks",
    "checkpoint", "checkpoint_policies", "clear_caches", "closure_convert", "config", "copy_to_host_async",
    "custom_gradient", "custom_jvp", "custom_vjp", "debug_infs", "debug_key_reuse", "debug_nans", "default_backend",
    "default_device", "default_matmul_precision", "default_prng_impl", "device_count", "device_get", "device_put",
    "devices", "disable_jit", "ds", "effects_barrier", "empty_ref", "enable_checks", "enable_custom_prng", "enable_x64",
    "ensure_compile_time_eval", "eval_shape", "explain_cache_misses", "float0", "free_ref", "freeze", "fwd_and_bwd",
    "grad", "hessian",
    "host_count", "host_id", "host_ids", "jacfwd", "jacobian", "jacrev", "jax2tf_associative_scan_reductions", "jit",
    "jvp", "legacy_prng_key", "linear_transpose", "linearize", "live_arrays", "local_device_count", "local_devices",
    "log_compiles", "make_array_from_callback", "make_array_from_process_local_data",
    "make_array_from_single_device_arrays", "make_jaxpr", "make_mesh", "make_user_context", "memory", "named_call",
    "named_scope", "new_ref", "no_execution", "no_tracing", "numpy_dtype_promotion", "numpy_rank_promotion", "pmap",
    "print_environment_info", "process_count", "process_index", "process_indices", "pure_callback", "remat",
    "remove_size_one_mesh_axis_from_type", "reshard", "set_mesh", "shard_map", "smap", "softmax_custom_jvp", "thread_guard",
    "threefry_partitionable",
    "transfer_guard", "transfer_guard_device_to_device", "transfer_guard_device_to_host",
    "transfer_guard_host_to_device", "typeof", "value_and_grad", "vjp", "vmap",
]
