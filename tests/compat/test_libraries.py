"""optax, chex, Equinox, Haiku and the installed Flax on Perspicax and on JAX: two processes, the same numbers."""
from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytestmark = pytest.mark.oracle
PROGRAMS = Path(__file__).parent / "programs"


def pair(name: str, *options: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """What a program prints on Perspicax, and on JAX; both run at the same time."""
    program = str(PROGRAMS / f"{name}.py")
    env = {**os.environ, "JAX_PLATFORMS": "cpu", "XLA_FLAGS": "--xla_backend_optimization_level=0"}
    running = [subprocess.Popen([sys.executable, *arguments, program], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                text=True, env=env) for arguments in (("-m", "perspicax.compat", *options), ())]
    found = []
    for process in running:
        out, complaint = process.communicate(timeout=240)
        assert process.returncode == 0, complaint
        found.append(json.loads(out.splitlines()[-1]))
    return found[0], found[1]


def close(ours: Any, theirs: Any, rtol: float = 1e-5, atol: float = 1e-6) -> None:
    """Numbers in nested lists and dicts, equal to the rounding of float32 after a few steps."""
    if isinstance(theirs, dict):
        assert ours.keys() == theirs.keys()
        for key in theirs:
            close(ours[key], theirs[key], rtol, atol)
    elif theirs and isinstance(theirs, list) and isinstance(theirs[0], list):
        assert len(ours) == len(theirs)
        for a, b in zip(ours, theirs):
            close(a, b, rtol, atol)
    else:
        np.testing.assert_allclose(ours, theirs, rtol=rtol, atol=atol)


def test_optimizers_train_to_the_same_parameters() -> None:
    pytest.importorskip("optax")
    ours, theirs = pair("train_optax")
    assert (ours.pop("whose"), theirs.pop("whose")) == ("perspicax", "jax")
    assert {"adamw", "momentum", "lion", "adafactor", "chain"} <= ours.keys()
    close(ours, theirs)
    for name, run in ours.items():
        assert run["losses"][-1] < run["losses"][0], name


@pytest.mark.slow
def test_every_optimizer_schedule_and_loss_gives_the_same() -> None:
    pytest.importorskip("optax")
    ours, theirs = pair("survey_optax")
    assert sum(name.startswith("optimizer") for name in ours) > 15
    assert sum(name.startswith("loss") for name in ours) > 25
    close(ours, theirs)


def test_every_public_name_of_optax_is_there() -> None:
    pytest.importorskip("optax")
    program = """
import perspicax.compat; perspicax.compat.install()
import optax, json, types
def names(module, seen):
    for name in dir(module):
        if not name.startswith("_"):
            value = getattr(module, name)
            if isinstance(value, types.ModuleType) and value.__name__.startswith("optax") and value.__name__ not in seen:
                seen[value.__name__] = sum(not n.startswith("_") for n in dir(value))
                names(value, seen)
    return seen
print(json.dumps(names(optax, {})))
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    seen = json.loads(done.stdout)
    assert {"optax.losses", "optax.schedules", "optax.contrib", "optax.transforms"} <= seen.keys()


def test_chex_finds_the_same() -> None:
    pytest.importorskip("chex")
    ours, theirs = pair("use_chex")
    assert (ours.pop("whose"), theirs.pop("whose")) == ("perspicax", "jax")
    assert ours == theirs


def test_equinox_and_haiku_compute_the_same() -> None:
    pytest.importorskip("equinox")
    pytest.importorskip("haiku")
    ours, theirs = pair("modules_elsewhere")
    assert ours["equinox"]["refused"] == 1.0
    close(ours, theirs, rtol=1e-4, atol=1e-5)


@pytest.mark.slow
def test_the_installed_flax_trains_linen_and_nnx() -> None:
    pytest.importorskip("flax")
    ours, theirs = pair("train_flax", "--real-flax")
    assert (ours.pop("whose"), ours.pop("flax")) == ("perspicax", "flax")
    assert (theirs.pop("whose"), theirs.pop("flax")) == ("jax", "flax")
    close(ours, theirs)


def test_states_that_flax_saved_are_restored_in_both_formats(tmp_path: Path) -> None:
    pytest.importorskip("tensorstore")
    found = []
    for command, action in (((), "save"), (("-m", "perspicax.compat"), "restore")):
        done = subprocess.run([sys.executable, *command, str(PROGRAMS / "checkpoint_state.py"), str(tmp_path), action],
                              capture_output=True, text=True, timeout=240, env={**os.environ, "JAX_PLATFORMS": "cpu"})
        assert done.returncode == 0, done.stderr
        found.append(json.loads(done.stdout.splitlines()[-1]))
    theirs, ours = found
    assert (theirs.pop("whose"), ours.pop("whose")) == ("jax", "perspicax")
    assert ours == theirs, "to the last bit"
    assert ours["structure"] == [True, True] and ours["file"] == ours["orbax"]


STAND_INS = """
import perspicax.compat; perspicax.compat.install(flax=False)
import json, collections
from jax._src import tree_util, dtypes, earray, checkify, traceback_util, core
from jax._src.interpreters import pxla
from jax.experimental import hijax
from jax.extend import source_info_util
import jax
def outcome(call):
    try:
        call()
    except Exception as error:
        return [type(error).__name__, error.missing]
Node = collections.namedtuple("Node", "x")
class Own: pass
before = Own in tree_util._registry
jax.tree_util.register_pytree_node(Own, lambda own: ((), None), lambda _, children: Own())
class Derived(hijax.HiPrimitive):
    def impl(self): pass
print(json.dumps({
    "registry": [list in tree_util._registry, int in tree_util._registry, before, Own in tree_util._registry],
    "prefix": len(tree_util.prefix_errors((1, 2), (1,))),
    "infinite": [dtypes.supports_inf(d) for d in ("float32", jax.numpy.float8_e5m2, jax.numpy.float8_e4m3fn)],
    "unmade": [outcome(lambda: earray.EArray(1, 2)), outcome(lambda: Derived("x").bind())],
    "exclusion": [traceback_util.register_exclusion("nowhere.py"), source_info_util.register_exclusion("nowhere.py")],
}))
"""


def test_stand_ins_answer_or_say_that_they_are_not_there() -> None:
    done = subprocess.run([sys.executable, "-c", STAND_INS], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout.splitlines()[-1])
    assert found["registry"] == [True, False, False, True]
    assert found["prefix"] == 1
    assert found["infinite"] == [True, True, False]
    for name, missing in found["unmade"]:
        assert name == "NotThereYet" and missing.startswith("jax.")
