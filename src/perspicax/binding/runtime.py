"""Thin, named access to the part of `jaxlib` that compiles and runs.

The only room that imports `jaxlib`. It has no ideas of its own: what it takes and returns are jaxlib's objects. None of
jaxlib's process-wide state is set here, so that `import jax` works in the same process.
"""
from __future__ import annotations

import ctypes
import math
import os
from collections.abc import Callable, Sequence
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")  # before jaxlib's logging starts: its warnings are not the user's

import jaxlib
import numpy as np
from jaxlib import _jax, xla_client

VERSION: str = jaxlib.version.__version__

Client = _jax.Client
Device = _jax.Device
DeviceList = _jax.DeviceList
Buffer = _jax.ArrayImpl
LoadedExecutable = _jax.LoadedExecutable
RuntimeFailure = _jax.JaxRuntimeError
HloSharding = xla_client.HloSharding
BaseSharding = _jax.Sharding
BaseSingleDeviceSharding = _jax.SingleDeviceSharding
BaseNamedSharding = _jax.NamedSharding
BaseGSPMDSharding = _jax.GSPMDSharding
Layout = xla_client.Layout
OpSharding = xla_client.OpSharding

COPY_NOW = _jax.HostBufferSemantics.IMMUTABLE_ONLY_DURING_CALL
ZERO_COPY = _jax.HostBufferSemantics.ZERO_COPY


# -- clients

def make_cpu_client(**options: Any) -> Client:
    """A client of the host's processors. `num_devices=None` lets `XLA_FLAGS` decide how many devices it has."""
    return xla_client.make_cpu_client(**options)


def discover_plugins() -> list[str]:
    """Names of the accelerator plugins that are installed beside jaxlib and can be loaded (`cuda`, `tpu`, …)."""
    import importlib.metadata

    return [entry.name for entry in importlib.metadata.entry_points(group="jax_plugins")]


def make_plugin_client(name: str, library: str, options: dict[str, Any] | None = None) -> Client:
    """A client of a PJRT plugin, given the path of its library."""
    if not _jax.pjrt_plugin_loaded(name):
        xla_client.load_pjrt_plugin_dynamically(name, library)
    if not xla_client.pjrt_plugin_initialized(name):
        xla_client.initialize_pjrt_plugin(name)
    return xla_client.make_c_api_client(name, options or {}, None)


# -- host to device and back

def put(aval: Any, sharding: Any, shards: Sequence[Any], devices: Sequence[Device], committed: bool = True,
        semantics: Any = COPY_NOW) -> Buffer:
    """One buffer (of several shards, where there are several devices) from NumPy arrays or buffers.

    `enable_x64` is given, so that no global setter of jaxlib decides about widths.
    """
    return _jax.batched_device_put(aval, sharding, list(shards), list(devices), committed, False, semantics, True)


def host_view(buffer: Buffer) -> np.ndarray:
    """The values of a buffer on one device; a view where the memory can be shared.

    The buffer protocol keeps XLA from donating the memory while a view lives. jaxlib's own conversion would import the
    `jax` package, where it is installed, and is left for what nothing else can do (memory of accelerators).
    """
    buffer.block_until_ready()  # raises, where the computation failed; the protocol ends the process where memory ran out
    try:
        return np.asarray(memoryview(buffer))
    except BufferError:
        return _words_of(buffer)


PACKED = frozenset(("int1", "int2", "int4", "uint1", "uint2", "uint4", "float4_e2m1fn"))  # several elements a byte


def _words_of(buffer: Buffer) -> np.ndarray:
    """The values of a buffer whose dtype the buffer protocol does not know, copied from its memory."""
    dtype, shape = buffer.aval.dtype, buffer.aval.shape
    size = math.prod(shape) * dtype.itemsize
    if buffer.platform() != "cpu" or dtype.name in PACKED or buffer.on_device_size_in_bytes() != size:
        return np.asarray(buffer._single_device_array_to_np_array_did_copy()[0])
    words = ctypes.string_at(buffer.unsafe_buffer_pointer(), size) if size else b""
    return np.frombuffer(words, dtype).reshape(shape)


def result_handler(aval: Any, sharding: Any, committed: bool) -> Any:
    """What wraps one output of an execution; keep one for each output."""
    return _jax.array_result_handler(aval, sharding, committed, _skip_checks=True)


def block_all(buffers: Sequence[Buffer]) -> None:
    """Wait for all of `buffers`."""
    _jax.batched_block_until_ready(list(buffers))


def to_dlpack(buffer: Buffer, stream: int | None = None) -> Any:
    """A DLPack capsule that shares the buffer's memory."""
    return _jax.buffer_to_dlpack_managed_tensor(buffer, stream=stream)


def from_dlpack(capsule: Any, device: Device, stream: int | None = None) -> Buffer:
    """A buffer that shares the memory of a DLPack capsule."""
    return _jax.dlpack_managed_tensor_to_buffer(capsule, device, stream)


# -- programs

def compile_options(devices: Sequence[Sequence[Device]], overrides: Sequence[tuple[str, Any]] = (), *,
                    spmd: bool = False, open_parameters: Sequence[bool] = (), open_results: Sequence[bool] = ()) -> Any:
    """Options of one compilation.

    Args:
        devices: device assignment `[replicas][partitions]`.
        overrides: XLA flags (without `--`) with values, for this program alone.
        spmd: partition the program over the devices, as its annotations of Shardy's say.
        open_parameters, open_results: for each of them whether the partitioner chooses its sharding.
    """
    options = xla_client.CompileOptions()
    options.env_option_overrides = list(overrides)
    options.num_replicas, options.num_partitions = len(devices), len(devices[0])
    build = options.executable_build_options
    build.num_replicas, build.num_partitions = len(devices), len(devices[0])
    build.use_spmd_partitioning = spmd
    if spmd:
        build.use_shardy_partitioner = True
        build.allow_spmd_sharding_propagation_to_parameters = list(open_parameters)
        build.allow_spmd_sharding_propagation_to_output = list(open_results)
    options.device_assignment = xla_client.DeviceAssignment.create(np.array([[d.id for d in row] for row in devices]))
    return options


def compile_text(client: Client, text: str, devices: Sequence[Device], options: Any) -> LoadedExecutable:
    """Compile StableHLO text."""
    return client.compile_and_load(text.encode(), DeviceList(tuple(devices)), options)


def compile_with_callbacks(client: Client, text: str, devices: Sequence[Device], options: Any,
                           callbacks: Sequence[Callable[..., Any]]) -> LoadedExecutable:
    """Compile StableHLO text whose custom calls `xla_ffi_python_cpu_callback` name `callbacks` by index.

    Only the overload that takes an MLIR module takes callbacks: the MLIR bindings are imported here, and nowhere else.
    """
    from jaxlib.mlir import ir
    from jaxlib.mlir._mlir_libs import _jax_mlir_ext
    from jaxlib.mlir.dialects import chlo, sdy, stablehlo

    with ir.Context() as context:
        dialects = ir.DialectRegistry()
        _jax_mlir_ext.register_dialects(dialects)
        context.append_dialect_registry(dialects)
        context.load_all_available_dialects()
        sdy.register_dialect(context)
        stablehlo.register_dialect(context)
        chlo.register_dialect(context)
        module = ir.Module.parse(text)
        return client.compile_and_load(module, DeviceList(tuple(devices)), options, host_callbacks=list(callbacks))


def inspect_sharding_config(callback: Callable[[Any], None]) -> bytes:
    """The configuration of a custom call `InspectSharding`, by which the partitioner tells `callback` of a value's sharding.

    The callback must be kept alive until the program is compiled.
    """
    return _jax.encode_inspect_sharding_callback(callback)


def register_partitioner(name: str, propagate: Callable[..., Any], partition: Callable[..., Any],
                         infer: Callable[..., Any]) -> None:
    """Let Python functions say how custom calls of a name are partitioned; for the rest of the process.

    Args:
        name: the target of the calls.
        propagate: `(sharding of a user, shape, config)`, returns a sharding; GSPMD alone asks.
        partition: `(shapes, shardings, result shape, result sharding, config)`, returns the StableHLO of each device's part as
            bytes, the shardings of operands and that of the result.
        infer: `(shapes, shardings, result shape, config)`, returns a sharding; GSPMD alone asks.
    """
    _jax.register_custom_call_partitioner(name, propagate, partition, infer, can_side_effecting_have_replicated_sharding=True)


def serialize(client: Client, executable: LoadedExecutable) -> bytes:
    """An executable as bytes."""
    return client.serialize_executable(executable)


def deserialize(client: Client, blob: bytes, devices: Sequence[Device], options: Any) -> LoadedExecutable:
    """The executable that `serialize` made, on `devices`. Loading runs code: the bytes must be trusted."""
    return client.deserialize_executable(blob, DeviceList(tuple(devices)), options)


_lapack: list[Any] = []


def prepare_native(family: str) -> None:
    """Register and initialise a family of native custom-call targets; once a process.

    An executable that is run without this crashes the process, so the disk cache records what each entry needs.
    """
    if family != "lapack":
        raise LookupError(f"no native family {family!r}")
    if _lapack:
        return
    from jaxlib import lapack

    from perspicax.binding.scipy_kernels import scipy_kernels

    for name, handler, version in lapack.registrations()["cpu"]:
        xla_client.register_custom_call_target(name, handler, platform="cpu", api_version=version)
    for name in lapack.batch_partitionable_targets():  # what says which axes are the stack's
        _jax.register_custom_call_as_batch_partitionable(name)
    with scipy_kernels():
        lapack._lapack.initialize()
    _lapack.append(lapack)


def cpu_features() -> str:
    """What of the processor decides whether an executable from the disk runs here."""
    try:
        with open("/proc/cpuinfo") as file:
            for line in file:
                if line.startswith(("flags", "Features")):
                    return line.partition(":")[2].strip()
    except OSError:
        pass
    import platform

    return f"{platform.machine()} {platform.processor()}"


def parse_hlo_text(executable: LoadedExecutable) -> str:
    """The optimised HLO of an executable."""
    return "\n".join(module.to_string() for module in executable.hlo_modules())


def approximate_output_size(size: int, rank: int, k: int, recall: float, aggregate: bool, override: int) -> int:
    """How many entries XLA's approximate top-k returns along an axis of `size` entries."""
    return _jax.approx_top_k_reduction_output_size(size, rank, k, recall, aggregate, override)[0]
