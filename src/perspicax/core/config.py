"""The options of JAX, under JAX's names, and Perspicax's own (`perspicax_…`); `config`, and their context managers.

An option object (`enable_x64`) is its own context manager: `with enable_x64(True): …`. Code of Perspicax reads
`enable_x64.value`. How options work is in `option.py`, from which this module also passes on `define`, `on_change`,
`before_change`, `state_key` and `local`.
"""
from __future__ import annotations

import functools
import sys
from typing import Any

from perspicax.core.config_errors import OptionAssignmentError
from perspicax.core.option import (
    Option,
    Override,
    StateKey,
    ThreadState,
    before_change,
    define,
    local,
    on_change,
    option_named,
    options,
    state_key,
    user_context,
)
from perspicax.diagnose.boundary import public_methods

__all__ = [
    "Config", "Option", "Override", "StateKey", "ThreadState", "allow_f16_reductions",
    "array_garbage_collection_guard", "auto_pcast", "before_change", "check_static_indices", "check_tracer_leaks",
    "checking_leaks", "config", "cpu_devices", "debug_infs", "debug_key_reuse", "debug_nans", "default_device",
    "default_matmul_precision", "default_prng_impl", "define", "disable_jit", "disable_x64", "eager_host",
    "enable_checks", "enable_custom_prng", "enable_x64", "explain_cache_misses", "explicit_x64_dtypes",
    "jax2tf_associative_scan_reductions", "jit_disabled", "legacy_prng_key", "local", "log_compiles",
    "make_user_context", "no_execution", "no_tracing", "numpy_dtype_promotion", "numpy_rank_promotion", "on_change",
    "option_named", "options", "random_seed_offset", "recompiles", "remove_size_one_mesh_axis_from_type", "sanitize",
    "softmax_custom_jvp", "state_key", "thread_guard", "threefry_partitionable", "traceback", "transfer_guard",
    "transfer_guard_device_to_device", "transfer_guard_device_to_host", "transfer_guard_host_to_device",
]


def _jax(name: str, type: type, default: Any, doc: str, traced: bool = False, env: bool = True,
         **more: Any) -> Option:
    """An option of JAX. Numbers may be `None`, as in JAX."""
    optional = more.pop("optional", type in (int, float) or default is None)
    return define(name, type, default, name.upper() if env else None, doc, traced, optional=optional, **more)


# --- types and promotion
enable_x64 = _jax("jax_enable_x64", bool, False, "Whether 64-bit types exist; without them 64 bits become 32.", True)
explicit_x64_dtypes = _jax(
    "jax_explicit_x64_dtypes", str, "warn", "What happens when a 64-bit dtype is asked for by name while "
    "`jax_enable_x64` is off: a warning and 32 bits, an error, or 64 bits.", True, choices=("warn", "error", "allow"))
numpy_dtype_promotion = _jax(
    "jax_numpy_dtype_promotion", str, "standard", "Which dtypes combine implicitly: all that JAX's table allows, or "
    "only Python scalars with arrays.", True, choices=("standard", "strict"))
numpy_rank_promotion = _jax(
    "jax_numpy_rank_promotion", str, "allow", "What happens when operands of different rank are broadcast.", True,
    choices=("allow", "warn", "raise"))
default_matmul_precision = _jax(
    "jax_default_matmul_precision", str, None, "Precision of matrix products and convolutions that name none.", True,
    choices=("default", "high", "highest", "bfloat16", "tensorfloat32", "float32", "ANY_F8_ANY_F8_F32",
             "ANY_F8_ANY_F8_F32_FAST_ACCUM", "ANY_F8_ANY_F8_ANY", "ANY_F8_ANY_F8_ANY_FAST_ACCUM", "F16_F16_F16",
             "F16_F16_F32", "BF16_BF16_BF16", "BF16_BF16_F32", "BF16_BF16_F32_X3", "BF16_BF16_F32_X6",
             "BF16_BF16_F32_X9", "TF32_TF32_F32", "TF32_TF32_F32_X3", "F32_F32_F32", "F64_F64_F64"))
allow_f16_reductions = _jax("jax_allow_f16_reductions", bool, True, "Whether 16-bit floats may be summed in 16 bits "
                            "where the backend does so.", True)

# --- finding mistakes
debug_nans = _jax("jax_debug_nans", bool, False, "Report the operation that makes a NaN.", True)
debug_infs = _jax("jax_debug_infs", bool, False, "Report the operation that makes an infinity.", True)
debug_key_reuse = _jax("jax_debug_key_reuse", bool, False, "Report a random key that is used twice.", True)
check_tracer_leaks = _jax("jax_check_tracer_leaks", bool, False, "Report traced values that outlive their trace.",
                          True)  # what was traced without it was not looked at
check_static_indices = _jax("jax_check_static_indices", bool, False, "Report constant indices out of bounds.", True)
enable_checks = _jax("jax_enable_checks", bool, False, "Check the intermediate representation after every step.")
no_tracing = _jax("jax_no_tracing", bool, False, "Refuse to trace: report what would be traced again.")
no_execution = _jax("jax_no_execution", bool, False, "Refuse to run compiled programs.")
thread_guard = _jax("jax_thread_guard", bool, False, "Refuse device work from a second thread.")
log_compiles = _jax("jax_log_compiles", bool, False, "Log every trace and compilation as a warning.")
explain_cache_misses = _jax("jax_explain_cache_misses", bool, False, "Say why a function is traced again.")
error_checking_behavior_nan = _jax("jax_error_checking_behavior_nan", str, "ignore", "Whether `error_check` looks for "
                                   "NaNs.", True, choices=("ignore", "raise"))
error_checking_behavior_divide = _jax("jax_error_checking_behavior_divide", str, "ignore", "Whether `error_check` "
                                      "looks for divisions by zero.", True, choices=("ignore", "raise"))
error_checking_behavior_oob = _jax("jax_error_checking_behavior_oob", str, "ignore", "Whether `error_check` looks for "
                                   "indices out of bounds.", True, choices=("ignore", "raise"))
mutable_array_checks = _jax("jax_mutable_array_checks", bool, True, "Check that references are not aliased.")
disable_bwd_checks = _jax("jax_disable_bwd_checks", bool, False, "Do not check the types that the backward rules of "
                          "`custom_vjp` return.")
disable_vmap_shmap_error = _jax("jax_disable_vmap_shmap_error", bool, False, "Do not check `vmap` over `shard_map`.")
disallow_mesh_context_manager = _jax("jax_disallow_mesh_context_manager", bool, False, "Refuse `with mesh:`.")
captured_constants_warn_bytes = _jax("jax_captured_constants_warn_bytes", int, 2_000_000_000, "Size from which "
                                     "constants that a function captures are reported; -1 for never.")
captured_constants_report_frames = _jax("jax_captured_constants_report_frames", int, 0, "Frames that such a report "
                                        "shows; -1 for all.")

# --- running
jit_disabled = _jax("jax_disable_jit", bool, False, "Run functions under `jit` operation by operation.")


def _device(value: Any) -> Any:
    """a device (`jax.devices()[0]`) or a platform ('cpu', 'gpu', 'tpu')"""
    if value in ("cpu", "gpu", "tpu") if isinstance(value, str) else hasattr(value, "platform"):
        return value
    raise ValueError(value)


default_device = _jax("jax_default_device", object, None, "Where arrays are made and programs run that name no "
                      "device.", True, validator=_device)
_GUARD = ("allow", "log", "disallow", "log_explicit", "disallow_explicit")
transfer_guard_host_to_device = _jax("jax_transfer_guard_host_to_device", str, None, "What happens at transfers to a "
                                     "device.", choices=_GUARD)
transfer_guard_device_to_device = _jax("jax_transfer_guard_device_to_device", str, None, "What happens at transfers "
                                       "between devices.", choices=_GUARD)
transfer_guard_device_to_host = _jax("jax_transfer_guard_device_to_host", str, None, "What happens at transfers from "
                                     "a device.", choices=_GUARD)
transfer_guard = _jax(
    "jax_transfer_guard", str, None, "Sets all three transfer guards.", choices=_GUARD,
    implied=(transfer_guard_host_to_device, transfer_guard_device_to_device, transfer_guard_device_to_host))
array_garbage_collection_guard = _jax("jax_array_garbage_collection_guard", str, None, "What happens when an array is "
                                      "freed by the cycle collector.", choices=("allow", "log", "fatal"))
platforms = _jax("jax_platforms", str, None, "Platforms to start, the default first, separated by commas.")
platform_name = _jax("jax_platform_name", str, "", "Older name of `jax_platforms`, for one platform.", optional=True)
cpu_devices = _jax("jax_num_cpu_devices", int, -1, "Number of CPU devices; -1 takes it from XLA_FLAGS.")
cpu_enable_async_dispatch = _jax("jax_cpu_enable_async_dispatch", bool, True, "Whether calls on the CPU return before "
                                 "their results are ready.", env=False)
random_seed_offset = _jax("jax_random_seed_offset", int, 0, "Added to every seed of a random key.", True)
default_prng_impl = _jax("jax_default_prng_impl", str, "threefry2x32", "Generator of random keys that name none.",
                         True, choices=("threefry2x32", "threefry4x32", "rbg", "unsafe_rbg", "philox2x32",
                                        "philox4x32"))
enable_custom_prng = _jax("jax_enable_custom_prng", bool, False, "Whether `PRNGKey` makes typed keys.", True)
legacy_prng_key = _jax("jax_legacy_prng_key", str, "allow", "What happens when raw uint32 keys are used.", True,
                       choices=("allow", "warn", "error"))
threefry_partitionable = _jax("jax_threefry_partitionable", bool, True, "Whether random bits are computed so that they "
                              "can be sharded.", True)
high_dynamic_range_gumbel = _jax("jax_high_dynamic_range_gumbel", bool, False, "Whether Gumbel samples are accurate in "
                                 "both tails.", True)
softmax_custom_jvp = _jax("jax_softmax_custom_jvp", bool, False, "Whether softmax has its own derivative rule.", True)
auto_pcast = _jax("jax_auto_pcast", bool, True, "Whether `shard_map` marks values as varying by itself.", True)
check_vma = _jax("check_vma", bool, False, "Whether `pmap` tracks which values vary over its axis.", True)
remove_size_one_mesh_axis_from_type = _jax("jax_remove_size_one_mesh_axis_from_type", bool, False, "Whether mesh axes "
                                           "of size 1 are left out of types.", True)
eager_constant_folding = _jax("eager_constant_folding", bool, False, "Whether constants are folded while tracing.",
                              True)
use_simplified_jaxpr_constants = _jax("jax_use_simplified_jaxpr_constants", bool, False, "Whether closed-over arrays "
                                      "stay constants of the inner function.", True)
embedded_constants_max_bytes = _jax("jax_embedded_constants_max_bytes", int, 32, "Size up to which an array constant "
                                    "is written into the program.", True)

# --- compilation and its cache
_EFFORT = ("UNKNOWN", "O0", "O1", "O2", "O3")
_jax("jax_optimization_level", str, "UNKNOWN", "XLA's optimization level.", choices=_EFFORT)
_jax("jax_memory_fitting_level", str, "O2", "XLA's effort to make a program fit into memory.", choices=_EFFORT)
_jax("jax_exec_time_optimization_effort", float, 0.0, "XLA's effort for speed, from -1 to 1.")
_jax("jax_memory_fitting_effort", float, 0.0, "XLA's effort for memory, from -1 to 1.")
_jax("jax_disable_most_optimizations", bool, False, "Compile quickly, for programs that run once.")
_jax("jax_compiler_enable_remat_pass", bool, True, "Whether XLA may recompute values to save memory.")
_jax("jax_enable_compilation_cache", bool, True, "Whether compiled programs are kept on disk.")
_jax("jax_compilation_cache_dir", str, None, "Folder of the compiled programs.")
_jax("jax_compilation_cache_max_size", int, -1, "Size of that folder in bytes; -1 for no bound.")
_jax("jax_compilation_cache_check_contents", bool, False, "Compile again and compare with what the cache holds.")
_jax("jax_compilation_cache_include_metadata_in_key", bool, False, "Whether source locations belong to the key.")
_jax("jax_persistent_cache_min_compile_time_secs", float, 1.0, "Compile time from which a program is kept.")
_jax("jax_persistent_cache_min_entry_size_bytes", int, 0, "Size from which a program is kept.")
_jax("jax_persistent_cache_enable_xla_caches", str, "xla_gpu_per_fusion_autotune_cache_dir", "Caches of XLA's own that "
     "go into the same folder.", optional=True)
_jax("jax_raise_persistent_cache_errors", bool, False, "Whether failures of the cache are errors, not warnings.")
_jax("jax_remove_custom_partitioning_ptr_from_cache_key", bool, False, "Whether host pointers are left out of the key.")
_jax("jax_use_shardy_partitioner", bool, True, "Which partitioner divides a program among devices.", True)
_jax("jax_export_calling_convention_version", int, 10, "Version of the format that `export` writes.")
_jax("jax_export_ignore_forward_compatibility", bool, False, "Whether `export` may use operations that older readers "
     "lack.")
_jax("jax_serialization_version", int, 0, "Older name of `jax_export_calling_convention_version`.")
_jax("jax_dump_ir_to", str, "", "Folder to which every compiled program is written.", optional=True)
_jax("jax_dump_ir_modes", str, "stablehlo", "What is written there: `stablehlo`, `jaxpr`, `eqn_count_pprof`, separated "
     "by commas.", optional=True)
_jax("jax_include_debug_info_in_dumps", bool, True, "Whether source locations are written there.")

# --- what is shown
_jax("jax_traceback_filtering", str, "auto", "Whether tracebacks leave out the library's frames.",
     choices=("off", "tracebackhide", "remove_frames", "quiet_remove_frames", "auto"))
_jax("jax_traceback_in_locations_limit", int, 100, "Frames kept with an operation's location.")
_jax("jax_tracer_error_num_traceback_frames", int, 5, "Frames shown for the origin of a traced value.")
_jax("jax_include_full_tracebacks_in_locations", bool, True, "Whether locations hold whole call stacks.")
_jax("jax_hlo_source_file_canonicalization_regex", str, None, "What is removed from file names in locations.")
_jax("jax_send_traceback_to_runtime", str, "off", "Whether the runtime is told the caller's stack.",
     choices=("off", "on", "full"))
_jax("jax_source_url_schema", str, None, "How locations link to source files.")
_jax("jax_pprint_use_color", bool, True, "Whether printed jaxprs are coloured on a terminal.")
_jax("jax_logging_level", str, "NOTSET", "Level of the loggers of the library.", optional=True,
     choices=("NOTSET", "DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"))
_jax("jax_debug_log_modules", str, "", "Modules that log everything, separated by commas.")
_jax("jax_log_checkpoint_residuals", bool, False, "Log what `checkpoint` saves.")
_jax("jax_distributed_debug", bool, False, "Log the steps of multi-process programs.")
_jax("jax_compiler_detailed_logging_min_ops", int, 10, "Number of operations from which compilation logs details.")

# --- accepted, so that programs which set them run; nothing here depends on them
_NO_EFFECT = "Accepted for programs that set it; without effect here."
jax2tf_associative_scan_reductions = _jax("jax2tf_associative_scan_reductions", bool, False, _NO_EFFECT)
for _name, _default in {
    "jax2tf_default_native_serialization": True, "jax_bcoo_cusparse_lowering": False,
    "jax_compilation_cache_expect_pgle": False, "jax_custom_vjp3": False,
    "jax_debug_leaked_clients_on_clear_backends": False, "jax_enable_pgle": False,
    "jax_enable_preemption_service": True, "jax_enable_recoverability": False,
    "jax_experimental_unsafe_xla_runtime_errors": False, "jax_mosaic_allow_hlo": False,
    "jax_pallas_enable_debug_checks": False, "jax_pallas_poison_buffers": False, "jax_pallas_use_mosaic_gpu": True,
    "jax_pallas_verbose_errors": False, "jax_ragged_dot_use_gpu_pallas_triton_lowering": False,
    "jax_ragged_dot_use_ragged_dot_instruction": True, "jax_refs_to_pins": False, "jax_remat3": False,
    "jax_scan3": False, "jax_share_binary_between_hosts": False, "jax_threefry_gpu_kernel_lowering": False,
    "jax_use_direct_linearize": True, "jax_use_emit_pipeline_primitive": False,
    "jax_pgle_aggregation_percentile": 90, "jax_pgle_profiling_runs": 3,
    "jax_share_binary_between_hosts_timeout_ms": 1_200_000, "jax_xla_profile_version": 0,
}.items():
    _jax(_name, type(_default), _default, _NO_EFFECT)
_jax("jax_cpu_collectives_implementation", str, "gloo", "What carries data between the CPU devices of several processes.",
     choices=("gloo", "mpi", "megascale"), optional=True)
_jax("jax_cpu_get_local_topology_timeout_minutes", int, 2, "How long a process may take to tell the others of its devices.")
_jax("jax_cpu_get_global_topology_timeout_minutes", int, 5, "How long a process waits to hear of all devices.")
_jax("jax_use_magma", str, "auto", _NO_EFFECT, choices=("off", "on", "auto"))
_jax("jax_pjrt_client_create_options", str, None, _NO_EFFECT)
_jax("jax_backend_target", str, "", _NO_EFFECT, optional=True)
for _flag, _initial in {
    "jax_check_proxy_envs": True, "jax_force_dcn_cross_host_transfers": False, "mock_num_gpu_processes": 0,
    "jax_sort_devices_by_process_index": True, "jax_mock_gpu_topology": "", "jax_xla_backend": "",
    "jax_cuda_visible_devices": "all", "jax_oneapi_visible_devices": "all", "jax_rocm_visible_devices": "all",
    "jax_cross_host_transfer_socket_address": "", "jax_cross_host_transport_addresses": "",
}.items():
    _jax(_flag, type(_initial), _initial, _NO_EFFECT, env=False, optional=True)
_jax("jax_cross_host_transfer_timeout_seconds", int, None, _NO_EFFECT, env=False)
_jax("jax_cross_host_transfer_transfer_size", int, None, _NO_EFFECT, env=False)

# --- Perspicax's own
traceback = define("perspicax_traceback", str, "user", "PERSPICAX_TRACEBACK", "Whether tracebacks show the frames of "
                   "Perspicax itself.", choices=("user", "full"))
sanitize = define("perspicax_sanitize", str, "", "PERSPICAX_SANITIZE", "Sanitizers that are on, separated by commas.",
                  True)
recompiles = define("perspicax_recompiles", int, 2, "PERSPICAX_RECOMPILES", "How often a function may be compiled before the "
                    "sanitizer `recompiles` tells of it.")
eager_host = define("perspicax_eager_host", bool, True, "PERSPICAX_EAGER_HOST", "Whether eager operations run in NumPy "
                    "where the bits are the same.")


def disable_jit(disable: bool = True) -> Override:
    """A context manager, or decorator, in which functions under `jit` run operation by operation."""
    return jit_disabled(disable)


def disable_x64() -> Override:
    """A context manager, or decorator, without 64-bit types."""
    return enable_x64(False)


checking_leaks = functools.partial(check_tracer_leaks, True)


def make_user_context(default_value: Any = None) -> Option:
    """A setting of your own on which traced functions may depend: they are traced again when its value changes.

    Args:
        default_value: its value outside every `with`; like all its values, hashable.

    >>> scale = make_user_context(1.0)
    >>> with scale(2.0):
    ...     scale.value
    2.0
    """
    return user_context(default_value)


@public_methods("update", "read", "__getattr__", "__setattr__")
class Config:
    """All options: read as attributes, changed by `update`."""

    __slots__ = ()

    def update(self, name: str, val: Any) -> None:
        """Set an option for all threads that do not override it.

        Args:
            name: its full name, `"jax_enable_x64"`.
            val: its new value.

        Raises:
            UnknownOptionError: there is no such option.
            OptionValueError: the option does not take this value.

        Differs: where JAX takes any object for an option that is on or off, and `"False"` therefore for on, only
        booleans, integers, `None` and words that mean on are taken.
        """
        option_named(name).set_global(val)

    def read(self, name: str) -> Any:
        """The value of an option in this thread."""
        return option_named(name).value

    @property
    def values(self) -> dict[str, Any]:
        """The value of every option in this thread, by name."""
        return {name: option.value for name, option in options().items()}

    @property
    def x64_enabled(self) -> bool:
        """Whether 64-bit types exist."""
        return enable_x64.value

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):  # Python asks for protocols (copy, pickle, inspect), not for options
            raise AttributeError(name)
        return option_named(name).value

    def __setattr__(self, name: str, value: Any) -> None:
        raise OptionAssignmentError(option=option_named(name).name, value=repr(value)[:80])

    def __dir__(self) -> list[str]:
        return sorted({*super().__dir__(), *options()})

    def __reduce__(self) -> str:
        return "config"

    def config_with_absl(self) -> None:
        """Make every option a flag of `absl`; those on the command line are set when `absl.app` has parsed it."""
        from absl import app, flags

        for option in options().values():
            if option.name not in flags.FLAGS:
                _define_flag(flags, option)
        app.call_after_init(lambda: self.complete_absl_config(flags))

    def complete_absl_config(self, absl_flags: Any) -> None:
        """Set the options that stood on the command line which `absl` has parsed."""
        for name, option in options().items():
            if name in absl_flags.FLAGS and absl_flags.FLAGS[name].present:
                value = absl_flags.FLAGS[name].value
                option.set_global(option.parse(value, source=f"--{name}") if isinstance(value, str) else value)

    def parse_flags_with_absl(self) -> None:
        """Set the options on the command line at once, and leave all other arguments alone."""
        from absl import flags

        self.config_with_absl()
        ours = [a for a in sys.argv[1:] if a.lstrip("-").removeprefix("no").startswith(("jax", "perspicax"))]
        flags.FLAGS(sys.argv[:1] + ours, known_only=True)
        self.complete_absl_config(flags)


def _define_flag(flags: Any, option: Option) -> None:
    if option.choices is not None:
        flags.DEFINE_enum(option.name, option.value, option.choices, option.doc)
        return
    make = {bool: flags.DEFINE_bool, int: flags.DEFINE_integer, float: flags.DEFINE_float, str: flags.DEFINE_string,
            object: flags.DEFINE_string}[option.type]
    make(option.name, option.value, option.doc)


def _reader(option: Option) -> property:
    return property(lambda _: option.value, doc=option.doc)


for _option in options().values():  # options that are defined later, by others, are found by `__getattr__`
    setattr(Config, _option.name, _reader(_option))

config = Config()
