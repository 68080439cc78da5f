"""Options against JAX: their names, defaults, environment variables, and which values they take."""
from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import Any

import pytest

from perspicax.core import config as module
from perspicax.core.config import config, options

jax = pytest.importorskip("jax")

pytestmark = pytest.mark.oracle

def plain(value: Any) -> Any:
    """JAX has members of enumerations where we have their names."""
    return value.name.lower() if hasattr(value, "name") else value


def fresh(code: str, **environment: str) -> dict[str, Any]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("JAX", "PERSPICAX"))}
    out = subprocess.run([sys.executable, "-c", code], env={**kept, **environment}, capture_output=True, text=True,
                         timeout=120)
    assert out.returncode == 0, out.stderr
    return json.loads(out.stdout)


THEIRS = """
import json, jax
print(json.dumps({n: v.name.lower() if hasattr(v, "name") else v for n, v in jax.config.values.items()}))
"""
OURS = "import json; from perspicax.core.config import config; print(json.dumps(config.values))"


def test_names_and_defaults() -> None:
    theirs, ours = fresh(THEIRS), fresh(OURS)
    assert {name: ours.get(name, "missing") for name in theirs} == theirs
    assert {name for name in ours if name not in theirs} == {name for name in ours if name.startswith("perspicax_")}


def test_environment_variables() -> None:
    texts: dict[str, str] = {}
    for name, option in options().items():
        if option.env is None or name.startswith("perspicax_"):
            continue
        if option.choices is not None:
            texts[option.env] = next(choice for choice in option.choices if choice != option.default)
        else:
            texts[option.env] = {bool: "0" if option.default else "1", int: "7", float: "0.5", str: "cpu",
                                 object: "cpu"}[option.type]
    for general in ("JAX_TRANSFER_GUARD_HOST_TO_DEVICE", "JAX_TRANSFER_GUARD_DEVICE_TO_DEVICE",
                    "JAX_TRANSFER_GUARD_DEVICE_TO_HOST"):
        del texts[general]  # JAX does not heed them: the default of JAX_TRANSFER_GUARD takes their place
    theirs, ours = fresh(THEIRS, **texts), fresh(OURS, **texts)
    assert {name: ours[name] for name in theirs} == theirs


def accepted(update: Any, name: str, value: Any) -> bool:
    try:
        update(name, value)
    except (ValueError, TypeError):
        return False
    return True


# JAX does not check its older options at all, and a boolean takes any object there: neither is worth having
UNCHECKED = {name for name, option in options().items() if option.type is bool} | {
    name for name in jax.config.values if not hasattr(type(jax.config), name)}


# JAX refuses all changes of these once another test has started its backend
FIXED_AT_START = {"jax_num_cpu_devices", "jax_cpu_get_global_topology_timeout_minutes",
                  "jax_cpu_get_local_topology_timeout_minutes"}


@pytest.mark.parametrize("name", sorted(set(jax.config.values) - UNCHECKED - FIXED_AT_START))
def test_the_same_values_are_taken(name: str) -> None:
    option = options()[name]
    values: list[Any] = [None, 7, 1.5, "no such value", *(option.choices or ())]
    before, ours_before = jax.config.values[name], option.process_value
    try:
        for value in values:
            theirs = accepted(jax.config.update, name, value)
            assert accepted(config.update, name, value) is theirs, value
            if theirs:
                assert config.read(name) == plain(jax.config.values[name])
    finally:
        jax.config.update(name, before)
        option.set_global(ours_before)


def test_unknown_names_are_attribute_errors_in_both() -> None:
    for each in (jax.config, config):
        with pytest.raises(AttributeError):
            each.update("jax_no_such_option", 1)
        with pytest.raises(AttributeError):
            each.read("jax_no_such_option")


def test_every_context_manager_of_jax_is_an_option_here() -> None:
    kind = type(jax.enable_x64)
    theirs = [name for name in vars(jax) if isinstance(getattr(jax, name), kind)]
    assert len(theirs) > 20
    assert [name for name in theirs if not isinstance(getattr(module, name, None), module.Option)] == []


def test_what_makes_jax_trace_again_is_in_the_state_key() -> None:
    x = jax.numpy.ones(2)
    missing = []
    for name, option in options().items():
        if option.type is not bool or name not in jax.config.values or option.affects_tracing:
            continue
        if name in ("jax_no_tracing", "jax_no_execution", "jax_disable_jit", "jax_enable_checks") or \
                "without effect" in option.doc:
            continue
        traces: list[int] = []

        @jax.jit
        def f(x: Any, traces: list[int] = traces) -> Any:
            traces.append(1)
            return x

        before = jax.config.values[name]
        f(x)
        jax.config.update(name, not before)
        try:
            f(x)
        finally:
            jax.config.update(name, before)
        if len(traces) > 1:
            missing.append(name)
    assert missing == []
