"""Whatever options were set before: results under a setting are those of a process that never had another one."""
from __future__ import annotations

import contextlib
import json
import os
import random
import subprocess
import sys
from pathlib import Path

import option_calls
import pytest

import perspicax as jax

PROGRAM = Path(option_calls.__file__)
SOME = ("default", "x64 and other counters", "strict promotion")


def fresh(names):
    """For each setting the results in a process of its own; two at a time."""
    found, running = {}, []

    def collect():
        name, process = running.pop(0)
        found[name] = json.loads(process.communicate()[0])
        assert process.returncode == 0

    for name in names:
        if len(running) == 2:
            collect()
        running.append((name, subprocess.Popen([sys.executable, "-W", "ignore", str(PROGRAM), name], env=dict(os.environ),
                                               stdout=subprocess.PIPE, text=True)))
    while running:
        collect()
    return found


@contextlib.contextmanager
def under(setting):
    before = {option: getattr(jax.config, option) for option in setting}
    try:
        for option, value in setting.items():
            jax.config.update(option, value)
        yield
    finally:
        for option, value in before.items():
            jax.config.update(option, value)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(("names", "rounds"), [
    (SOME, 1), pytest.param(tuple(option_calls.SETTINGS), 1, marks=pytest.mark.slow)], ids=["some", "all"])
def test_settings_that_follow_each_other_do_not_meet(names, rounds):
    wanted = fresh(names)
    assert len({json.dumps(x) for x in wanted.values()}) == len(names)  # or the test would see nothing
    rng = random.Random(0)
    wrong = set()
    for name in [*names, *[name for _ in range(rounds) for name in rng.sample(names, len(names))]]:
        with under(option_calls.SETTINGS[name]):
            found = option_calls.results()
        wrong |= {(call, name) for call in found if found[call] != wanted[name][call]}
    assert not wrong
