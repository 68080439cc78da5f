"""`shard_map` and `pmap` on eight devices, against JAX: values, types, and how many collectives the compiled programs have."""
from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.oracle

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parent / "lax"))

from shard_cases import CASES  # noqa: E402  (the path is set first)

PROGRAM = r"""
import json, re, sys
import numpy
import numpy as np
import jax, perspicax
sys.path.insert(0, sys.argv[1])
from shard_cases import A, CASES
from perspicax.sharding import Mesh, PartitionSpec


class Oracle:
    jax, np, lax, P = jax, jax.numpy, jax.lax, jax.P
    mesh = jax.sharding.Mesh(numpy.array(jax.devices()).reshape(4, 2), ("x", "y"))


class Ours:
    jax, np, lax, P = perspicax, perspicax.numpy, perspicax.lax, PartitionSpec
    mesh = Mesh(numpy.array(perspicax.devices()).reshape(4, 2), ("x", "y"))


def collectives(text):
    kinds = ("all-reduce", "all-gather", "collective-permute", "reduce-scatter", "all-to-all")
    return [len(re.findall(r"= \S+ " + kind + r"(?:-start)?\(", text)) for kind in kinds]


def run(n, f, given, found, args, outer, options):
    mapped = n.jax.shard_map(f(n), mesh=n.mesh, in_specs=given(n), out_specs=found(n), **options)
    program = n.jax.jit(mapped if outer is None else outer(n, mapped)).lower(*args).compile()
    return n.jax.tree.leaves(program(*args)), collectives(program.as_text())


def difference(mine, theirs):
    if len(mine) != len(theirs):
        return f"{len(mine)} results, not {len(theirs)}"
    for i, (x, y) in enumerate(zip(mine, theirs)):
        if (x.shape, x.dtype, x.weak_type) != (y.shape, y.dtype, y.weak_type):
            return f"result {i}: {x.aval}, not {y.aval}"
        if not np.allclose(x, y, rtol=1e-5, atol=1e-5):  # float32, a few dozen roundings of numbers near 1
            return f"result {i}: {np.asarray(x)}, not {np.asarray(y)}"


facts = {}
for name, case in CASES.items():
    (theirs, reference), (mine, own) = run(Oracle, *case), run(Ours, *case)
    facts[name] = [difference(mine, theirs), own, reference]

PMAPS = {
    "sum": lambda n: n.jax.pmap(lambda a: n.lax.psum(a, "i"), axis_name="i")(A),
    "axes": lambda n: n.jax.pmap(lambda a, b: a + b, in_axes=(1, None), out_axes=1)(A, 3.0),
    "one for all": lambda n: n.jax.pmap(lambda a: n.lax.psum(a, "i"), "i", out_axes=None)(A),
    "static": lambda n: n.jax.pmap(lambda k, a, b: a * k + b, static_broadcasted_argnums=0, in_axes=(None, 0, None))(3, A, 1.0),
    "devices": lambda n: n.jax.pmap(lambda a: a + n.lax.axis_index("i"), "i", devices=n.jax.devices()[::-1])(A),
    "gradient": lambda n: n.jax.grad(lambda a: n.jax.pmap(lambda v: v * v)(a).sum())(n.np.asarray(A)),
    "tree": lambda n: n.jax.pmap(lambda p, b: {"l": n.lax.pmean(p["w"] * b, "i")}, "i", in_axes=({"w": None}, 0))(
        {"w": 2.0}, A),
}
for name, f in PMAPS.items():
    theirs, mine = (n.jax.tree.leaves(f(n)) for n in (Oracle, Ours))
    facts[f"pmap {name}"] = [difference(mine, theirs), [str(v.sharding) for v in mine], [str(v.sharding) for v in theirs]]

def refused(f):
    try:
        f()
    except Exception as error:
        return [c.__name__ for c in type(error).__mro__ if c.__module__ == "builtins"][0]
    return ""

P = lambda n: n.P("x")
def shard(n, f=lambda a: a, given=P, found=P, args=(A,), **options):
    return n.jax.shard_map(f, mesh=n.mesh, in_specs=given(n), out_specs=found(n), **options)(*args)
REFUSED = {
    "no mesh": lambda n: n.jax.shard_map(lambda a: a, in_specs=n.P(), out_specs=n.P())(A),
    "mesh": lambda n: n.jax.shard_map(lambda a: a, mesh=3, in_specs=n.P(), out_specs=n.P())(A),
    "varies": lambda n: shard(n, found=lambda n: n.P()),
    "unknown": lambda n: shard(n, given=lambda n: n.P("z")),
    "twice": lambda n: shard(n, given=lambda n: n.P("x", "x")),
    "manual": lambda n: shard(n, given=lambda n: n.P("y"), axis_names={"x"}),
    "rank": lambda n: shard(n, given=lambda n: n.P("x", "y", None)),
    "rank of a result": lambda n: shard(n, lambda a: a.sum()),
    "uneven": lambda n: shard(n, args=(A[:6],)),
    "tree": lambda n: shard(n, lambda a, b: a, given=lambda n: (n.P(),), args=(A, A)),
    "spec": lambda n: shard(n, given=lambda n: "x"),
    "mixed": lambda n: shard(n, lambda a: n.lax.psum(a, ("x", "y")), found=lambda n: n.P()),
    "sum of keys": lambda n: shard(n, lambda a: n.lax.psum(n.jax.random.split(n.jax.random.key(0), 2), "x")),
    "largest of keys": lambda n: shard(n, lambda a: n.lax.pmax(n.jax.random.split(n.jax.random.key(0), 2), "x")),
    "groups to gather": lambda n: shard(n, lambda a: n.lax.all_gather(a, "x", axis_index_groups=[[0, 1, 2], [3]])),
    "pmap of nothing": lambda n: n.jax.pmap(lambda a: a)(3.0),
    "pmap of too many": lambda n: n.jax.pmap(lambda a: a)(np.ones((9, 2))),
    "pmap axis": lambda n: n.jax.pmap(lambda a: a, in_axes=2)(A),
    "pmap axes": lambda n: n.jax.pmap(lambda a: a, in_axes="a")(A),
    "pmap size": lambda n: n.jax.pmap(lambda a: a, axis_size=2)(A),
    "pmap in pmap": lambda n: n.jax.pmap(n.jax.pmap(lambda a: a))(A),
    "pmap static and donated": lambda n: n.jax.pmap(lambda a: a, static_broadcasted_argnums=0, donate_argnums=0),
}
def classes(f):
    try:
        f()
    except Exception as error:
        return [c.__name__ for c in type(error).__mro__]
    return []
facts["refused"] = {name: [classes(lambda: f(Oracle)), classes(lambda: f(Ours))] for name, f in REFUSED.items()}
print(json.dumps(facts))
"""


@pytest.fixture(scope="module")
def facts() -> dict[str, Any]:
    env = {**os.environ, "XLA_FLAGS": "--xla_force_host_platform_device_count=8 --xla_backend_optimization_level=0"}
    done = subprocess.run([sys.executable, "-c", PROGRAM, str(HERE.parent / "lax")], capture_output=True,
                          text=True, timeout=300, env=env)
    assert done.returncode == 0, done.stderr[-3000:]
    return json.loads(done.stdout.splitlines()[-1])


@pytest.mark.parametrize("name", CASES)
def test_values_types_and_numbers_of_collectives_are_those_of_jax(facts: dict[str, Any], name: str) -> None:
    difference, own, reference = facts[name]
    assert difference is None
    assert all(mine <= theirs for mine, theirs in zip(own, reference)), (own, reference)


def test_a_choice_that_differs_between_devices_costs_one_sum_less_than_in_jax(facts: dict[str, Any]) -> None:
    assert sum(facts["branch"][1]) == sum(facts["branch"][2]) - 1
    assert [name for name in CASES if facts[name][1] != facts[name][2]] == ["branch"]


@pytest.mark.parametrize("name", ["sum", "axes", "one for all", "static", "devices", "gradient", "tree"])
def test_pmap_gives_what_jax_gives_and_where(facts: dict[str, Any], name: str) -> None:
    difference, own, reference = facts[f"pmap {name}"]
    assert difference is None
    assert own == reference


def test_what_jax_refuses_is_refused_with_its_class(facts: dict[str, Any]) -> None:
    for name, (theirs, mine) in facts["refused"].items():
        assert theirs and mine, name
        wanted = {"ValueError", "TypeError", "IndexError", "NameError"} & set(theirs)
        assert wanted <= set(mine), (name, theirs, mine)
        assert wanted or name == "twice", (name, theirs)  # an error of JAX's own, which is an Exception alone
