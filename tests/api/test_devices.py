"""Placement on several devices, in a process that has four."""

import json
import os
import subprocess
import sys
from typing import Any

import pytest

PROGRAM = """
import json
import numpy as np
import perspicax as jax
import perspicax.numpy as jnp
from perspicax.sharding import Mesh, NamedSharding, PartitionSpec as P

devices = jax.devices()
facts = {}

x = jax.device_put(np.arange(3.0), devices[1])
facts["on one"] = [x.committed, sorted(d.id for d in x.devices()), x.tolist()]
moved = jax.device_put(x, devices[2])
facts["moved"] = [sorted(d.id for d in moved.devices()), moved.tolist(), sorted(d.id for d in x.devices())]
facts["followed"] = sorted(d.id for d in (x + 1.0).devices())
tree = jax.device_put({"a": 1.0, "b": (2.0, 3.0)}, {"a": devices[3], "b": devices[1]})
facts["prefix"] = [sorted(d.id for d in v.devices()) for v in jax.tree.leaves(tree)]

mesh = jax.make_mesh((2, 2), ("i", "j"))
split = NamedSharding(mesh, P("i", "j"))
y = jax.device_put(np.arange(16.0, dtype=np.float32).reshape(4, 4), split)
facts["split"] = [y.sharding == split, len(y.addressable_shards), list(y.addressable_shards[0].data.shape),
                  np.asarray(y).tolist() == np.arange(16.0).reshape(4, 4).tolist()]
facts["computed"] = np.asarray(jax.jit(lambda v: v * 2)(y))[3, 3].item()
whole = jax.device_put(y, devices[0])
facts["gathered"] = [sorted(d.id for d in whole.devices()), whole.tolist() == np.asarray(y).tolist()]
one = jax.vmap(lambda v: jax.device_put(v, NamedSharding(mesh, P("i"))), in_axes=1)(np.ones((4, 3), np.float32))
facts["batched"] = [list(one.shape), np.asarray(one).tolist() == np.ones((3, 4)).tolist()]
made = jax.make_array_from_callback((4, 4), split, lambda index: np.asarray(y)[index])
facts["callback"] = np.asarray(made).tolist() == np.asarray(y).tolist()
pieces = [jax.device_put(np.full((2, 4), float(k), np.float32), d) for k, d in enumerate(devices[:2])]
halves = NamedSharding(Mesh(np.array(devices[:2]), ("i",)), P("i"))
facts["assembled"] = np.asarray(jax.make_array_from_single_device_arrays((4, 4), halves, pieces))[:, 0].tolist()

def refused(f):
    try:
        f()
    except ValueError as error:
        return [type(error).__name__, error.report.says.split(chr(10))[0]]

facts["uneven"] = refused(lambda: jax.device_put(np.ones((3, 4)), split))
facts["rank"] = refused(lambda: jax.device_put(1.0, split))
facts["too many"] = refused(lambda: jax.make_mesh((5,), ("i",)))
facts["piece"] = refused(lambda: jax.make_array_from_single_device_arrays((4, 4), halves, pieces[:1]))
make, ones = jax.make_array_from_single_device_arrays, np.ones((2, 4), np.float32)
facts["pieces"] = [refused(lambda: f())[1] for f in (
    lambda: make((4, 4), halves, pieces, dtype=jnp.int32), lambda: make((4, 4), halves, [pieces[0], pieces[1].astype(int)]),
    lambda: make((4, 4), halves, pieces + pieces[:1]), lambda: make((4, 4), halves, [ones, ones]),
    lambda: make((4, 4), halves, [jax.device_put(ones, halves), pieces[1]]), lambda: make((4, 4), P("i"), pieces),
    lambda: make((4, 4), halves, pieces[0]), lambda: jax.make_array_from_callback((4, 4), P("i"), lambda i: ones))]
keys = jax.make_array_from_callback((2,), halves, lambda i: jax.random.split(jax.random.key(0))[i])
facts["keys"] = jax.random.key_data(keys).tolist() == jax.random.key_data(jax.random.split(jax.random.key(0))).tolist()
def under(given):
    with jax.set_mesh(mesh):
        return jax.jit(lambda v: v * 2)(given)

facts["set mesh"] = [refused(lambda: under(x)), refused(lambda: under(jax.device_put(np.ones((4, 4)), halves))),
                     under(y).sharding == split, under(np.ones(2)).sharding.is_fully_replicated]
facts["gradient"] = [sorted(d.id for d in jax.grad(
    lambda v: jax.device_put(v * v, devices[1], src=devices[0]) * 2.0)(jax.device_put(3.0, devices[0])).devices())]
print(json.dumps(facts))
"""


@pytest.fixture(scope="module")
def facts() -> dict[str, Any]:
    env = {**os.environ, "XLA_FLAGS": "--xla_force_host_platform_device_count=4", "JAX_PLATFORMS": "cpu"}
    done = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, timeout=120, env=env)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


def test_arrays_go_where_they_are_put_and_operations_follow(facts: dict[str, Any]) -> None:
    assert facts["on one"] == [True, [1], [0.0, 1.0, 2.0]]
    assert facts["moved"] == [[2], [0.0, 1.0, 2.0], [1]]
    assert facts["followed"] == [1]
    assert facts["prefix"] == [[3], [1], [1]]


def test_shardings_split_and_gather(facts: dict[str, Any]) -> None:
    assert facts["split"] == [True, 4, [2, 2], True]
    assert facts["computed"] == 30.0
    assert facts["gathered"] == [[0], True]
    assert facts["batched"] == [[3, 4], True]


def test_arrays_are_made_of_pieces(facts: dict[str, Any]) -> None:
    assert facts["callback"] is True
    assert facts["assembled"] == [0.0, 0.0, 1.0, 1.0]


def test_what_does_not_fit_is_refused(facts: dict[str, Any]) -> None:
    assert facts["uneven"][0] == "ShardingFitError" and "Axis 0 of" in facts["uneven"][1]
    assert facts["rank"][0] == "ShardingFitError"
    assert facts["too many"][0] == "MeshError" and "needs 5 devices" in facts["too many"][1]
    assert facts["piece"][0] == "PlacementError"


def test_gradients_go_back_to_where_the_value_came_from(facts: dict[str, Any]) -> None:
    assert facts["gradient"] == [[0]]


def test_pieces_that_do_not_fit_are_told(facts: dict[str, Any]) -> None:
    make = "`make_array_from_single_device_arrays` was given"
    assert facts["pieces"] == [
        f"{make} a piece of type float32[2,4] for cpu:0, where others, or the array, are int32.",
        f"{make} a piece of type int32[2,4] for cpu:1, where others, or the array, are float32.",
        f"{make} 3 pieces for 2 devices.", f"{make} a `ndarray` as piece 0.",
        f"{make} float32[2,4] as piece 0, which lies on 2 devices itself.",
        f"{make} a `PartitionSpec` in place of a sharding.", f"{make} pieces as a single array.",
        "`make_array_from_callback` was given a `PartitionSpec` in place of a sharding."]


def test_an_array_of_keys_is_made_piece_by_piece(facts: dict[str, Any]) -> None:
    assert facts["keys"]


def test_what_lies_elsewhere_than_the_mesh_that_is_set_is_told(facts: dict[str, Any]) -> None:
    told = ["IncompatibleDevicesError", "`<lambda>` would run on other devices than those of the mesh that is set."]
    assert facts["set mesh"] == [told, told, True, True]
