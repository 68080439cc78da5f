"""Shardings: which piece of an array lives where, and the compiler's shardings in terms of a mesh."""
from __future__ import annotations

import pickle
import threading
from types import SimpleNamespace

import numpy as np
import pytest

import perspicax as px
from perspicax.binding import runtime
from perspicax.xla.compiled_sharding import _parts_of, _specs, replicated_like, with_leading_axis
from perspicax.xla.sharding import SingleDeviceSharding, default_sharding, first_sharding, on_device
from perspicax.xla.sharding_errors import ShardingFitError

DEVICE = px.devices()[0]


class TestOneDevice:
    def test_one_object_for_each_device(self):
        assert on_device(DEVICE) is on_device(DEVICE) is first_sharding() is default_sharding()
        assert SingleDeviceSharding(DEVICE) == on_device(DEVICE)
        assert hash(SingleDeviceSharding(DEVICE)) == hash(on_device(DEVICE))
        assert pickle.loads(pickle.dumps(on_device(DEVICE))) is on_device(DEVICE)

    def test_pieces(self):
        placed = on_device(DEVICE)
        assert placed.shard_shape((2, 3)) == (2, 3)
        assert placed.devices_indices_map((2, 3)) == {DEVICE: (slice(None), slice(None))}
        assert (placed.num_devices, placed.device_set, placed.is_fully_addressable) == (1, {DEVICE}, True)
        assert placed.is_equivalent_to(SingleDeviceSharding(DEVICE), 2)


class TestMesh:
    mesh = px.sharding.Mesh(np.array([[DEVICE]]), ("x", "y"))

    def test_names_must_be_of_the_mesh_and_distinct(self):
        for spec in (("z",), ("x", "x"), (("x", "y"), "y")):
            with pytest.raises(ValueError):
                px.sharding.NamedSharding(self.mesh, px.sharding.PartitionSpec(*spec))
        with pytest.raises(ValueError):
            px.sharding.Mesh(np.array([DEVICE]), ("x", "y"))

    def test_more_axes_than_the_array(self):
        placed = px.sharding.NamedSharding(self.mesh, px.sharding.PartitionSpec("x", None))
        with pytest.raises(ShardingFitError):
            placed.shard_shape((4,))
        assert placed.shard_shape((4, 2, 3)) == (4, 2, 3)

    def test_equality(self):
        make = lambda *spec: px.sharding.NamedSharding(self.mesh, px.sharding.PartitionSpec(*spec))
        assert make("x") == make("x") and hash(make("x")) == hash(make("x")) and make("x") != make("y")

    def test_leading_axis_of_what_is_whole(self):
        assert with_leading_axis(on_device(DEVICE), None) is on_device(DEVICE)


class TestSpecsOfTheCompiler:
    """Every way to say a tiling in terms of mesh axes, each axis at most once."""

    AXES = {"x": 2, "y": 2, "z": 3}

    @pytest.mark.parametrize(("split", "expected"), [
        (1, {()}), (2, {("x",), ("y",)}), (4, {("x", "y"), ("y", "x")}), (6, {("x", "z"), ("z", "x"), ("y", "z"), ("z", "y")}),
        (5, set()), (8, set()),
    ])
    def test_parts(self, split, expected):
        assert set(_parts_of(split, self.AXES)) == expected

    def test_specs_use_an_axis_once(self):
        found = list(_specs([2, 1, 2], self.AXES))
        assert found == [("x", None, "y"), ("y", None, "x")]
        assert list(_specs([2, 2, 2], self.AXES)) == []
        assert (("x", "y"), None) in list(_specs([4, 1], self.AXES))


def test_a_replicated_sharding_shows_whole_arrays():
    placed = replicated_like(SimpleNamespace(devices=(DEVICE,)))
    assert placed is replicated_like(SimpleNamespace(devices=(DEVICE,)))
    assert placed.is_fully_replicated and placed.shard_shape((3, 2)) == (3, 2)
    assert placed._to_xla_hlo_sharding(2) == runtime.HloSharding.replicate()


def test_a_mesh_is_entered_by_each_thread_for_itself():
    mesh = px.sharding.Mesh(np.array([DEVICE]), ("x",))
    seen = []

    def enter():
        with pytest.warns(DeprecationWarning), mesh, mesh:
            seen.append(px.xla.mesh.spec_mesh() is mesh)
        seen.append(px.xla.mesh.spec_mesh())

    with pytest.warns(DeprecationWarning), mesh:
        other = threading.Thread(target=enter)
        other.start()
        other.join()
        assert px.xla.mesh.spec_mesh() is mesh
    assert seen == [True, None] and px.xla.mesh.spec_mesh() is None
