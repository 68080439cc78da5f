"""`jax.profiler`: what a program spends its time and memory on, for TensorBoard, XProf, Perfetto and pprof."""
from perspicax.api.profiling import StepTraceAnnotation as StepTraceAnnotation
from perspicax.api.profiling import TraceAnnotation as TraceAnnotation
from perspicax.api.profiling import annotate_function as annotate_function
from perspicax.api.profiling import device_memory_profile as device_memory_profile
from perspicax.api.profiling import register_subprocess as register_subprocess
from perspicax.api.profiling import save_device_memory_profile as save_device_memory_profile
from perspicax.api.profiling import start_server as start_server
from perspicax.api.profiling import start_trace as start_trace
from perspicax.api.profiling import stop_server as stop_server
from perspicax.api.profiling import stop_trace as stop_trace
from perspicax.api.profiling import trace as trace
from perspicax.binding.profiling import ProfileData as ProfileData
from perspicax.binding.profiling import ProfileEvent as ProfileEvent
from perspicax.binding.profiling import ProfileOptions as ProfileOptions
from perspicax.binding.profiling import ProfilePlane as ProfilePlane

__all__ = [
    "ProfileData", "ProfileEvent", "ProfileOptions", "ProfilePlane", "StepTraceAnnotation", "TraceAnnotation",
    "annotate_function", "device_memory_profile", "register_subprocess", "save_device_memory_profile", "start_server",
    "start_trace", "stop_server", "stop_trace", "trace",
]
