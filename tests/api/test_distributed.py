"""`jax.distributed` and `multihost_utils` in one process, and their settings."""
from __future__ import annotations

import socket
import subprocess
import sys
from typing import Any

import numpy as np
import pytest

import perspicax as px
from perspicax.api.process_errors import DeviceGridError, LocalSpecError, ProcessesDifferError
from perspicax.experimental import mesh_utils, multihost_utils
from perspicax.xla.client_errors import ProcessIndexError
from perspicax.xla.processes.errors import DistributedStateError, ProcessSettingError

GOOD: dict[str, Any] = {"coordinator_address": "localhost:1234", "num_processes": 2, "process_id": 1}


@pytest.mark.parametrize(("changes", "name"), [
    ({"coordinator_address": None}, "coordinator_address"), ({"num_processes": None}, "num_processes"),
    ({"process_id": None}, "process_id"), ({"process_id": 2}, "process_id"), ({"process_id": -1}, "process_id"),
    ({"num_processes": 0, "process_id": 0}, "num_processes"), ({"coordinator_address": "localhost"}, "coordinator_address"),
    ({"coordinator_address": ":12"}, "coordinator_address"), ({"coordinator_address": "a:99999"}, "coordinator_address"),
    ({"coordinator_bind_address": "x"}, "coordinator_bind_address"), ({"initialization_timeout": 0}, "initialization_timeout"),
    ({"process_id": None, "cluster_detection_method": "foo"}, "cluster_detection_method"),
    ({"num_processes": "2"}, "num_processes"), ({"process_id": 1.0}, "process_id"),
    ({"local_device_ids": "x"}, "local_device_ids"),
    ({"local_device_ids": [0, None]}, "local_device_ids"), ({"initialization_timeout": "9"}, "initialization_timeout"),
    ({"coordinator_address": 1234}, "coordinator_address"),
])
def test_settings(changes: dict[str, Any], name: str) -> None:
    with pytest.raises(ProcessSettingError) as error:
        px.distributed.initialize(**{**GOOD, **changes})
    assert error.value.name == name and isinstance(error.value, ValueError)
    assert f"`{name}" in str(error.value)


def test_initialize_comes_before_anything_else() -> None:
    px.devices()
    with pytest.raises(DistributedStateError) as error:
        px.distributed.initialize(**GOOD)
    assert error.value.kind == "late" and isinstance(error.value, RuntimeError)
    assert not px.distributed.is_initialized()
    px.distributed.shutdown()  # nothing to leave


def test_processes_by_index() -> None:
    assert (px.process_index(), px.process_count(), list(px.process_indices())) == (0, 1, [0])
    assert px.local_devices(process_index=0) == px.devices()
    with pytest.raises(ProcessIndexError, match="There is no process 5"):
        px.local_devices(process_index=5)


def test_utilities_of_one_process_are_the_identity() -> None:
    multihost_utils.sync_global_devices("here")
    values = {"a": np.arange(3.0), "b": 2}
    found = multihost_utils.broadcast_one_to_all(values)
    assert found["a"].dtype == np.float64 and found["a"].tolist() == [0, 1, 2] and found["b"].shape == ()
    assert multihost_utils.process_allgather(values)["a"].shape == (1, 3)
    assert multihost_utils.process_allgather(values, tiled=True)["a"].shape == (3,)
    multihost_utils.assert_equal(values)
    with pytest.raises(ProcessesDifferError, match="steps"):
        multihost_utils.assert_equal({"x": np.nan}, "steps")
    assert multihost_utils.reached_preemption_sync_point(3) is False


def test_a_local_array_is_the_global_one_in_one_process() -> None:
    mesh = px.sharding.Mesh(np.array(px.devices()[:1]), ("x",))
    spec = px.sharding.PartitionSpec("x")
    made = multihost_utils.host_local_array_to_global_array({"a": np.arange(4, dtype=np.int32)}, mesh, spec)["a"]
    assert made.shape == (4,) and made.tolist() == [0, 1, 2, 3] and made.sharding.spec == spec
    assert multihost_utils.global_array_to_host_local_array(made, mesh, spec).tolist() == [0, 1, 2, 3]
    with pytest.raises(LocalSpecError):
        multihost_utils.host_local_array_to_global_array(np.arange(4), mesh, None)


ALONE = """
import socket, sys, time
import perspicax as px

def report(**options):
    begun = time.monotonic()
    try:
        px.distributed.initialize(num_processes=2, initialization_timeout=1, **options)
    except Exception as error:
        print(type(error).__name__, error.report.says, "in time" if time.monotonic() - begun < 10 else "late", sep="; ")

with socket.create_server(("", 0)) as taken:
    address = f"localhost:{taken.getsockname()[1]}"
    report(coordinator_address=address, process_id=0)
report(coordinator_address=address, process_id=0)
report(coordinator_address=address, process_id=1)
print(px.distributed.is_initialized(), px.numpy.sin(0.0))
px.distributed.shutdown()
heavy = [name for name in sys.modules if name.startswith("tensorstore")]
print(heavy)
"""


def test_a_process_that_finds_no_other_is_told_in_time_and_can_work_alone() -> None:
    run = subprocess.run([sys.executable, "-c", ALONE], capture_output=True, text=True, timeout=60)
    assert run.returncode == 0, run.stderr
    taken, alone, nobody, after, heavy = run.stdout.splitlines()
    assert taken.startswith("CoordinatorError; Process 0 cannot listen at localhost:") and taken.endswith("in time")
    assert alone == "ProcessesMissingError; Process 1 did not come to the start within 1 s.; in time"
    assert nobody.startswith("CoordinatorError; Process 1 did not reach the coordinator") and "refused" in nobody
    assert (after, heavy) == ("False 0.0", "[]")


ENDS = """
import sys
import perspicax as px

px.distributed.initialize(f"127.0.0.1:{sys.argv[1]}", 2, int(sys.argv[2]), initialization_timeout=30)
if sys.argv[2] == "0":
    try:
        px.devices()  # which are those of both
    except Exception as error:
        print(type(error).__name__, error.report.says)
"""


def test_one_that_asks_for_devices_is_told_that_the_other_has_ended() -> None:
    with socket.create_server(("127.0.0.1", 0)) as found:
        port = str(found.getsockname()[1])
    both = [subprocess.Popen([sys.executable, "-c", ENDS, port, str(i)], text=True, stdout=subprocess.PIPE,
                             stderr=subprocess.PIPE) for i in (0, 1)]
    try:
        (out, _), (_, err) = [process.communicate(timeout=40) for process in both]
    finally:
        for process in both:
            process.kill()
    assert out == ("BarrierNamesError The processes wait at different barriers: process 0 at 'starting the devices'; "
                   "process 1 at 'the end of jax.distributed'.\n")
    assert "ends without the others" in err and both[1].returncode == 0


class Device:
    """Stands for a device where only its place counts."""

    def __init__(self, number: int, per_process: int, **attributes: int) -> None:
        self.number, self.process_index = number, number // per_process
        vars(self).update(attributes)


def numbers(grid: np.ndarray) -> list[Any]:
    return np.vectorize(lambda d: d.number)(grid).tolist()


def test_grids_of_devices() -> None:
    devices = [Device(i, 4) for i in range(8)]
    assert numbers(mesh_utils.create_device_mesh((4, 2), devices)) == [[0, 1], [2, 3], [4, 5], [6, 7]]
    assert numbers(mesh_utils.create_device_mesh((2, 4), devices, contiguous_submeshes=True))[1] == [4, 5, 6, 7]
    crossed = [devices[i] for i in (0, 4, 1, 5, 2, 3, 6, 7)]
    with pytest.raises(DeviceGridError) as blocks:
        mesh_utils.create_device_mesh((8,), crossed, contiguous_submeshes=True)
    assert blocks.value.kind == "blocks"
    for shape in ((3,), (8, 2)):
        with pytest.raises(DeviceGridError) as size:
            mesh_utils.create_device_mesh(shape, devices)
        assert (size.value.kind, size.value.count, size.value.shape) == ("size", 8, shape)


def test_grids_over_groups_of_devices() -> None:
    devices = [Device(i, 4) for i in range(8)]
    by_process = lambda *shapes: mesh_utils.create_hybrid_device_mesh(*shapes, devices, process_is_granule=True)
    assert numbers(by_process((2, 2), (2, 1))) == [[0, 1], [2, 3], [4, 5], [6, 7]]
    assert numbers(by_process((2, 2), (1, 2))) == [[0, 1, 4, 5], [2, 3, 6, 7]]
    assert numbers(mesh_utils.create_hybrid_device_mesh((4,), (2,), devices[::-1], process_is_granule=True,
                                                        should_sort_granules_by_key=False)) == [7, 6, 5, 4, 3, 2, 1, 0]
    sliced = [Device(i, 8, slice_index=i % 2) for i in range(4)]
    assert numbers(mesh_utils.create_hybrid_device_mesh((2,), (2,), sliced)) == [0, 2, 1, 3]
    for call, kind in ((lambda: mesh_utils.create_hybrid_device_mesh((4,), (2,), devices), "attribute"),
                       (lambda: by_process((2, 2), (2, 2)), "groups"), (lambda: by_process((2, 1), (2, 1)), "size")):
        with pytest.raises(DeviceGridError) as error:
            call()
        assert error.value.kind == kind
