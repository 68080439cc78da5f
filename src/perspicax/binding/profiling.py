"""The profiler that comes with jaxlib. Imported by whoever profiles, and by nobody else."""
from __future__ import annotations

from typing import Any

from jaxlib import _profile_data, _profiler

__all__ = ["ProfileData", "ProfileEvent", "ProfileOptions", "ProfilePlane", "ProfilerServer", "Session", "TraceMe",
           "memory_profile", "register_subprocess", "start_server"]

ProfileData = _profile_data.ProfileData
ProfileEvent = _profile_data.ProfileEvent
ProfilePlane = _profile_data.ProfilePlane
ProfileOptions = _profiler.ProfileOptions
ProfilerServer = _profiler.ProfilerServer
Session = _profiler.ProfilerSession
TraceMe = _profiler.TraceMe

register_subprocess = _profiler.register_subprocess
start_server = _profiler.start_server


def memory_profile(client: Any) -> bytes:
    """Which program, or which line, holds how much of the devices' memory; in the format of pprof."""
    return client.heap_profile()
