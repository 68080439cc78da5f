"""Events: who hears what, and what Perspicax itself tells."""
from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

import perspicax as jax
from perspicax import monitoring
from perspicax.core.monitoring_errors import ListenerError

PAIRS = [
    (monitoring.register_event_listener, monitoring.unregister_event_listener, lambda: monitoring.record_event("/a", b=1),
     ("/a",)),
    (monitoring.register_event_duration_secs_listener, monitoring.unregister_event_duration_listener,
     lambda: monitoring.record_event_duration_secs("/a", 2.5, b=1), ("/a", 2.5)),
    (monitoring.register_event_time_span_listener, monitoring.unregister_event_time_span_listener,
     lambda: monitoring.record_event_time_span("/a", 1.0, 3.0, b=1), ("/a", 1.0, 3.0)),
    (monitoring.register_scalar_listener, monitoring.unregister_scalar_listener,
     lambda: monitoring.record_scalar("/a", 7, b=1), ("/a", 7)),
]


@pytest.fixture(autouse=True)
def silence() -> Iterator[None]:
    yield
    monitoring.clear_event_listeners()


@pytest.mark.parametrize("register, unregister, record, heard", PAIRS)
def test_each_kind_has_listeners_of_its_own(register: Any, unregister: Any, record: Any, heard: tuple) -> None:
    found: list[Any] = []

    def listen(*args: Any, **facts: Any) -> None:
        found.append((args, facts))

    register(listen)
    for _, _, each, _ in PAIRS:
        each()
    assert found == [(heard, {"b": 1})]
    register(listen)
    record()
    assert len(found) == 3  # it is registered twice
    unregister(listen)
    unregister(listen)
    record()
    assert len(found) == 3
    with pytest.raises(ListenerError) as caught:
        unregister(listen)
    assert caught.value.kind == "unknown" and isinstance(caught.value, AssertionError)
    with pytest.raises(ListenerError):
        register(3)


def test_what_a_listener_raises_reaches_who_recorded() -> None:
    def refuse(event: str) -> None:
        raise KeyError(event)

    monitoring.register_event_listener(refuse)
    with pytest.raises(KeyError):
        monitoring.record_event("/a")
    monitoring.clear_event_listeners()
    monitoring.record_event("/a")


def test_traces_and_compilations_are_told_by_the_name_of_the_function() -> None:
    durations: list[tuple[str, str]] = []
    scalars: list[str] = []
    monitoring.register_event_duration_secs_listener(
        lambda event, seconds, fun_name: durations.append((event.rsplit("/", 1)[1], fun_name)) if seconds >= 0 else None)
    monitoring.register_scalar_listener(lambda event, start, fun_name: scalars.append(fun_name))

    def triple(x: Any) -> Any:
        return x * 3

    f = jax.jit(triple)
    for _ in range(2):  # the second call tells nothing
        assert float(f(np.float32(2))) == 6
    assert durations == [("jaxpr_trace_duration", "triple"), ("jaxpr_to_mlir_module_duration", "jit(triple)"),
                         ("backend_compile_duration", "jit(triple)")]
    assert scalars == ["triple", "jit(triple)", "jit(triple)"]
