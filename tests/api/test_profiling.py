"""Profiles: traces with annotations, memory, the server, and what cannot be done twice."""
from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import pytest

import perspicax.numpy as jnp
from perspicax import profiler
from perspicax.api.profiling_errors import ProfilerError


def spans(folder: Path) -> dict[str, dict[str, Any]]:
    """The spans of a trace by name, and the facts about each."""
    data = profiler.ProfileData.from_file(str(next(folder.glob("plugins/profile/*/*.xplane.pb"))))
    return {event.name: dict(event.stats) for plane in data.planes for line in plane.lines for event in line.events}


def test_a_trace_shows_what_was_annotated(tmp_path: Path) -> None:
    @profiler.annotate_function
    def load(x: Any) -> Any:
        """Load it."""
        return x + 1

    named = profiler.annotate_function(lambda x: x * 2, name="double it", size=5)
    assert load.__name__ == "load" and load.__doc__ == "Load it."
    with profiler.trace(tmp_path, create_perfetto_trace=True):
        with profiler.TraceAnnotation("prepare", batch=3):
            assert load(1) == 2
        with profiler.StepTraceAnnotation("train", step_num=4):
            assert named(4) == 8
    found = spans(tmp_path)
    assert found["prepare"]["batch"] in (3, "3") and found["double it"]["size"] in (5, "5")
    assert found["train"]["step_num"] in (4, "4") and "_r" in found["train"]
    assert any(name.endswith("load") for name in found)
    with gzip.open(next(tmp_path.glob("plugins/profile/*/perfetto_trace.json.gz")), "rt") as file:
        assert {"prepare", "train", "double it"} <= {event.get("name") for event in json.load(file)["traceEvents"]}


def test_one_trace_at_a_time(tmp_path: Path) -> None:
    with pytest.raises(ProfilerError) as caught:
        profiler.stop_trace()
    assert caught.value.kind == "idle" and isinstance(caught.value, RuntimeError)
    options = profiler.ProfileOptions()
    options.host_tracer_level = 0
    profiler.start_trace(tmp_path, profiler_options=options)
    with pytest.raises(ProfilerError) as caught:
        profiler.start_trace(tmp_path)
    assert caught.value.kind == "running"
    profiler.stop_trace()
    with pytest.raises(KeyError), profiler.trace(tmp_path / "other"):
        raise KeyError("what the block raises ends the trace")
    assert list((tmp_path / "other").glob("plugins/profile/*/*.xplane.pb"))
    for kind, call in (("options", lambda: profiler.start_trace(tmp_path, profiler_options=3)),
                       ("folder", lambda: profiler.start_trace(None)), ("idle", profiler.stop_trace)):  # type: ignore[arg-type]
        with pytest.raises(ProfilerError) as caught:
            call()
        assert caught.value.kind == kind


def test_memory_profiles_are_of_pprof(tmp_path: Path) -> None:
    kept = jnp.ones(1000)
    content = gzip.decompress(profiler.device_memory_profile())
    assert b"buffer" in content and kept.size == 1000
    profiler.save_device_memory_profile(tmp_path / "memory.prof", backend="cpu")
    assert gzip.decompress((tmp_path / "memory.prof").read_bytes())[:1] == content[:1]
    with pytest.raises(RuntimeError):
        profiler.device_memory_profile("nowhere")


def test_one_server_at_a_time() -> None:
    import socket

    with socket.socket() as free:
        free.bind(("localhost", 0))
        port = free.getsockname()[1]
    assert profiler.start_server(port) is not None
    with pytest.raises(ProfilerError) as caught:
        profiler.start_server(port + 1)
    assert (caught.value.kind, caught.value.what) == ("server", str(port)) and isinstance(caught.value, ValueError)
    profiler.stop_server()
    for kind, call in (("no server", profiler.stop_server), ("port", lambda: profiler.start_server("x"))):  # type: ignore[arg-type]
        with pytest.raises(ProfilerError) as caught:
            call()
        assert caught.value.kind == kind
