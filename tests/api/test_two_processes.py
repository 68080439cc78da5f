"""Two processes of four devices each, started once: what they exchange, compute, save, and see of each other's end."""
from __future__ import annotations

import json
import socket
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import perspicax as px
from perspicax.experimental.array_serialization import pytree_serialization, serialization
from perspicax.flax import errors
from perspicax.flax.training import checkpoints

PROGRAM = '''
import json, os, signal, sys, time
import numpy as np
import perspicax as jax
from perspicax.experimental import mesh_utils, multihost_utils
from perspicax.experimental.array_serialization import pytree_serialization, serialization
from perspicax.flax.training import checkpoints

me, port, folder = int(sys.argv[1]), sys.argv[2], sys.argv[3]
P = jax.sharding.PartitionSpec
jax.config.update("jax_num_cpu_devices", 4)
jax.distributed.initialize(f"127.0.0.1:{port}", 2, me, initialization_timeout=60, shutdown_timeout_seconds=20)
told = {}

def tell(name, value):
    told[name] = np.asarray(value).tolist() if hasattr(value, "shape") else value

def error_of(call):
    try:
        call()
    except Exception as error:
        return [type(error).__name__, " ".join(str(error).split())]
    return []

# who is there
tell("counts", [jax.process_count(), jax.device_count(), jax.local_device_count(), jax.process_index()])
tell("owners", [d.process_index for d in jax.devices()])
tell("of the other", len(jax.local_devices(process_index=1 - me)))
tell("twice", error_of(lambda: jax.distributed.initialize(f"127.0.0.1:{port}", 2, me))[0])

# values that processes exchange
mine = {"a": np.arange(3.0) + me, "b": me == 1}
tell("broadcast", [x.tolist() for x in jax.tree.leaves(multihost_utils.broadcast_one_to_all(mine))])
tell("from the second", [x.tolist() for x in jax.tree.leaves(multihost_utils.broadcast_one_to_all(mine, is_source=me == 1))])
tell("two sources", error_of(lambda: multihost_utils.broadcast_one_to_all(mine, is_source=True)))
with jax.set_mesh(jax.sharding.Mesh(np.array(jax.devices()), ("all",))):  # it has no say in what processes exchange
    tell("within a mesh", multihost_utils.process_allgather(np.float32(me)))
tell("stacked", [x.tolist() for x in jax.tree.leaves(multihost_utils.process_allgather(mine))])
tell("differ", error_of(lambda: multihost_utils.assert_equal({"seed": me, "same": 1}, "before training")))
tell("shapes", error_of(lambda: multihost_utils.process_allgather({"a": np.ones(3 + me)})))
tell("names", error_of(lambda: multihost_utils.broadcast_one_to_all({"ab"[me]: np.ones(3)})))
tell("crossed", error_of(lambda: multihost_utils.sync_global_devices("saved" if me else "loaded")))
tell("late", error_of(lambda: multihost_utils.sync_global_devices("slow", timeout=0.3) if me else time.sleep(0.8)))

# arrays over both
mesh = jax.sharding.Mesh(mesh_utils.create_device_mesh((2, 4)), ("data", "model"))
x = multihost_utils.host_local_array_to_global_array(
    np.arange(8, dtype=np.float32).reshape(2, 4) + 100 * me, mesh, P("data", "model"))
tell("global", [list(x.shape), x.is_fully_addressable, len(x.addressable_shards), len(x.global_shards), repr(x)])
placed = x.sharding
made = [jax.make_array_from_process_local_data(placed, data, shape) for data, shape in (
    (np.full((2, 4), me), None), (np.arange(16).reshape(4, 4), (4, 4)), (np.full((2, 4), me), (4, None)))]
tell("of local data", [multihost_utils.global_array_to_host_local_array(a, mesh, P("data", "model")).tolist() for a in made])
tell("no part", error_of(lambda: jax.make_array_from_process_local_data(placed, np.zeros((2, 4)), (8, 4))))
of_one = jax.sharding.SingleDeviceSharding(jax.local_devices(process_index=0)[1])
elsewhere = jax.make_array_from_callback((3,), of_one, lambda index: np.arange(3)[index], dtype=np.int32)
tell("of one", [repr(elsewhere), str(elsewhere.dtype), error_of(lambda: np.asarray(elsewhere))[:1]])
tell("read", error_of(lambda: np.asarray(x)))
loss = jax.jit(jax.value_and_grad(lambda x: (x @ x.T).sum()))
value, gradient = loss(x)
tell("value", float(value))
tell("gradient", multihost_utils.process_allgather(gradient, tiled=True))
tell("back", multihost_utils.global_array_to_host_local_array(x, mesh, P("data", "model")))

# what is the same in all is compared, what is each process's own is not taken for the whole
everywhere = jax.sharding.NamedSharding(mesh, P())
tell("agreed", jax.device_put({"w": np.arange(3.0), "key": jax.random.key(1)}, everywhere)["w"].addressable_data(0))
same = jax.device_put([np.full(2, 3.0, np.float32), 3] if me else [np.full(2, 3.0), np.int32(3)], everywhere)
reversed_ = jax.sharding.Mesh(np.array(jax.devices()[::-1]).reshape(2, 4), ("data", "model"))
tell("turned", [float(same[0].sum()), jax.device_put(x, jax.sharding.NamedSharding(reversed_, P("data"))).addressable_data(0)
                .tolist()])
tell("not agreed", error_of(lambda: jax.device_put({"w": np.full(2, 1.0 * me), "b": np.ones(9)}, everywhere)))
double = jax.jit(lambda batch: 2 * batch, in_shardings=placed)
tell("whole or part", error_of(lambda: double(np.ones((4, 4)))))
tell("of a program", jax.jit(lambda: double(np.ones((4, 4))))().addressable_data(0))  # its constants are the whole
tell("doubled", [double(x).addressable_data(0).tolist(), float(jax.jit(lambda a: a + 1, in_shardings=everywhere)(
    np.float32(me)).addressable_data(0))])

# pmap: each process has the rows of its own devices, collectives are over all
rows = np.arange(4, dtype=np.float32) + 10 * me
sums = jax.pmap(lambda a: jax.lax.psum(a, "all") + a, "all")
tell("summed", [sums(rows).tolist(), sums(sums(rows)).tolist(), sums(rows).is_fully_addressable])
who = jax.pmap(lambda a: (jax.lax.axis_index("all"), jax.lax.axis_size("all"), jax.lax.pmean(a, "all")), "all",
               out_axes=(0, 0, None), axis_size=8)
tell("who", [x.tolist() for x in who(rows)])
tell("slope", jax.grad(lambda a: sums(a).sum())(rows))
tell("batched", jax.vmap(sums, 1, 1)(np.stack([rows, -rows], 1))[:, 1])
tell("of one process", jax.pmap(lambda a: jax.lax.psum(a, "i"), "i", devices=jax.local_devices())(rows))
given = jax.numpy.asarray(sums(rows))
tell("donated", [jax.pmap(lambda a: -a, donate_argnums=0)(given).tolist(), given.is_deleted()])
tell("lowered", [str(a) for a in jax.tree.leaves(sums.lower(rows).out_info)])
tell("refused", [error_of(call) for call in (
    lambda: sums(rows[:2]), lambda: jax.pmap(lambda a: a, axis_size=4)(rows), lambda: jax.jit(sums)(rows),
    lambda: jax.pmap(lambda a: a, devices=jax.local_devices(process_index=1 - me))(rows),
    lambda: jax.pmap(lambda a: a, devices=jax.devices()[:6])(rows[:4 - 2 * me]))])

# on disk
manager = serialization.GlobalAsyncCheckpointManager(timeout_secs=60)
manager.serialize_with_paths([x], [f"{folder}/plain"], on_commit_callback=lambda: open(f"{folder}/committed", "w").close())
manager.wait_until_finished()
tell("committed", os.path.exists(f"{folder}/committed"))
flat = jax.sharding.NamedSharding(jax.sharding.Mesh(np.array(jax.devices()), ("all",)), P(None, "all"))
wider, = manager.deserialize_with_paths([flat], [f"{folder}/plain"], [(4, 8)])
tell("another mesh", [multihost_utils.process_allgather(wider).tolist(), str(wider.sharding.spec)])

state = {"params": {"w": x}, "step": 3}
saved = f"{folder}/checkpoints"
tell("no manager", [error_of(lambda: save(saved, state, 3))[0]
                    for save in (checkpoints.save_checkpoint, checkpoints.save_checkpoint_multiprocess)])
checkpoints.save_checkpoint_multiprocess(saved, state, 2, gda_manager=manager)
checkpoints.save_checkpoint_multiprocess(saved, state, 3, gda_manager=manager)  # removes the one before
manager.wait_until_finished()
tell("files", sorted(os.listdir(saved)))
found = checkpoints.restore_checkpoint(saved, {"params": {"w": wider[:4, :4] * 0}, "step": 0}, gda_manager=manager)
tell("restored", [multihost_utils.process_allgather(found["params"]["w"], tiled=True).tolist(), found["step"]])

trees = pytree_serialization
tree = {"w": x, "none": None, "more": [multihost_utils.host_local_array_to_global_array(np.float32([me]), mesh, P("data"))]}
trees.save({"w": x}, f"{folder}/tree")
saving = trees.nonblocking_save(tree, f"{folder}/tree")
saving.result()
again = trees.nonblocking_load(f"{folder}/tree", flat.update(spec=P())).result()
tell("tree", [sorted(os.listdir(f"{folder}/tree")), np.asarray(again["w"]).tolist(), np.asarray(again["more"][0]).tolist()])
tell("of its own", error_of(lambda: trees.save([jax.numpy.ones(2)], f"{folder}/own")))
tell("not there", error_of(lambda: trees.save(tree, f"{folder}/no/such")))

mine = jax.sharding.Mesh(np.array(jax.local_devices()), ("mine",))
rows, copies = (jax.sharding.NamedSharding(mine, spec) for spec in (P("mine"), P()))
local = {"w": jax.device_put(np.arange(4.0), rows), "n": np.ones(2)}
checkpoints.save_checkpoint(f"{folder}/local{me}", local, 1)
for like in (rows, copies):
    found = checkpoints.restore_checkpoint(f"{folder}/local{me}", {**local, "w": jax.device_put(np.zeros(4), like)})
    tell(f"restored {like.spec}", [found["w"].tolist(), found["w"].sharding == like, type(found["n"]).__name__])

# blocks that all complete, or none
with multihost_utils.live_devices(jax.devices()) as devices:
    tell("live", [d.process_index for d in devices])

def fail_in_one():
    with multihost_utils.live_devices(jax.devices()[::2]):
        if me == 1:
            raise KeyError("its own")

tell("in one", error_of(fail_in_one))

# a process dies while all save
multihost_utils.sync_global_devices("all has been read")
if me == 1:
    print(json.dumps(told), flush=True)
    os.kill(os.getpid(), signal.SIGKILL)
begun = time.monotonic()
tell("lost while saving", error_of(lambda: (checkpoints.save_checkpoint_multiprocess(saved, state, 4, gda_manager=manager),
                                            manager.wait_until_finished())))
tell("lost while computing", error_of(lambda: float(loss(x)[0])))
tell("seconds", time.monotonic() - begun)
with multihost_utils.live_devices(jax.devices()) as devices:
    alone = jax.sharding.NamedSharding(jax.sharding.Mesh(np.array(devices), ("all",)), P("all"))
    tell("survivors", [[d.process_index for d in devices], float(jax.device_put(np.arange(4.0), alone).sum())])
tell("latest", os.path.basename(checkpoints.latest_checkpoint(saved)))
print(json.dumps(told))
'''


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as found:
        return found.getsockname()[1]


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> tuple[list[dict[str, Any]], list[Any], Path]:
    folder = tmp_path_factory.mktemp("two")
    (folder / "program.py").write_text(textwrap.dedent(PROGRAM))
    port = str(free_port())
    both = [subprocess.Popen([sys.executable, str(folder / "program.py"), str(i), port, str(folder)], text=True,
                             stdout=subprocess.PIPE, stderr=subprocess.PIPE) for i in (0, 1)]
    try:
        outs = [process.communicate(timeout=90) for process in both]
    finally:
        for process in both:
            process.kill()
    told = []
    for process, (out, err) in zip(both, outs):
        lines = [line for line in out.splitlines() if line.startswith("{")]
        assert lines, f"process ended with {process.returncode}:\n{out}\n{err}"
        told.append(json.loads(lines[-1]))
    return told, [(process.returncode, err) for process, (_, err) in zip(both, outs)], folder


X = np.array([[0, 1, 2, 3], [4, 5, 6, 7], [100, 101, 102, 103], [104, 105, 106, 107]], np.float32)


def test_both_know_all_devices(run: Any) -> None:
    for me, told in enumerate(run[0]):
        assert told["counts"] == [2, 8, 4, me] and told["owners"] == [0] * 4 + [1] * 4 and told["of the other"] == 4
        assert told["twice"] == "DistributedStateError"


def test_values_are_exchanged(run: Any) -> None:
    for me, told in enumerate(run[0]):
        assert told["broadcast"] == [[0, 1, 2], False] and told["from the second"] == [[1, 2, 3], True]
        assert told["within a mesh"] == [0, 1]
        assert told["stacked"] == [[[0, 1, 2], [1, 2, 3]], [False, True]]
        assert told["two sources"][0] == "SourceError" and "processes 0, 1" in told["two sources"][1]
        for what, shown in (("shapes", f"['a'] is float64[{3 + me}] here and float64[{4 - me}] there"),
                            ("names", "['a'] is float64[3] here and missing there" if me == 0 else
                             "['b'] is float64[3] here and missing there")):
            assert told[what][0] == "ProcessesDifferError" and shown in told[what][1]
            assert f"Process {me} has other values than process {1 - me}" in told[what][1]
        if me == 0:
            assert "['seed'] is 0 here and another value there" in told["differ"][1]
            assert "Process 0 has other values than process 1" in told["differ"][1]
        else:
            assert told["differ"][0] == "ProcessesDifferError" and "['seed'] is 1 here and 0 there" in told["differ"][1]
            assert told["differ"][1].startswith("before training.")


def test_a_barrier_ends_in_a_report(run: Any) -> None:
    for told in run[0]:
        assert told["crossed"][0] == "BarrierNamesError" and "'sync_global_devices: loaded'" in told["crossed"][1]
    assert run[0][1]["late"][0] == "ProcessesMissingError" and "Process 0 did not come" in run[0][1]["late"][1]


def test_an_array_over_both_is_computed_with(run: Any) -> None:
    for me, told in enumerate(run[0]):
        assert told["global"] == [[4, 4], False, 4, 8, "Array(shape=(4, 4), dtype=float32)"]
        assert told["of one"] == (["Array([0, 1, 2], dtype=int32)", "int32", []] if me == 0 else
                                  ["Array(shape=(3,), dtype=int32)", "int32", ["NonAddressableArrayError"]])
        assert told["read"][0] == "NonAddressableArrayError" and "process_allgather" in told["read"][1]
        assert told["value"] == (X @ X.T).sum()
        np.testing.assert_array_equal(told["gradient"], np.tile(2 * X.sum(0), (4, 1)))
        np.testing.assert_array_equal(told["back"], X[2 * me:2 * me + 2])


def test_arrays_are_made_of_each_processs_data(run: Any) -> None:
    for me, told in enumerate(run[0]):
        mine, whole, also = told["of local data"]
        assert mine == also == [[me] * 4] * 2 and whole == np.arange(16).reshape(4, 4)[2 * me:2 * me + 2].tolist()
        assert told["no part"][0] == "LocalShapeError" and "this process's part, (4, 4)" in told["no part"][1]


def test_values_that_shall_be_one_array_are_compared(run: Any) -> None:
    for me, told in enumerate(run[0]):
        assert told["agreed"] == [0, 1, 2] and told["doubled"] == [(2 * X[2 * me:2 * me + 2, :1]).tolist(), me + 1]
        assert told["turned"] == [6, X[2 - 2 * me:4 - 2 * me].tolist()]
        kind, text = told["not agreed"]
        assert kind == "ProcessesDifferError"
        assert f"x['w'] is float32[2] [{me}.0, {me}.0] here and float32[2] [{1 - me}.0, {1 - me}.0] there." in text
        assert "make_array_from_process_local_data" in text and "['b']" not in text
        assert told["of a program"] == [[2], [2]]
        assert told["whole or part"][0] == "HostValueError" and "`batch`" in told["whole or part"][1]


def test_pmap_is_over_the_devices_of_all(run: Any) -> None:
    rows = np.array([[0, 1, 2, 3], [10, 11, 12, 13]])
    for me, told in enumerate(run[0]):
        once = rows + rows.sum()
        assert told["summed"] == [once[me].tolist(), (once + once.sum())[me].tolist(), True]
        assert told["who"] == [list(range(4 * me, 4 * me + 4)), [8] * 4, rows.mean()]
        assert told["slope"] == [9] * 4 and told["batched"] == (-once[me]).tolist()
        assert told["of one process"] == [rows[me].sum()] * 4
        assert told["donated"] == [(-once[me]).tolist(), True]
        assert told["lowered"] == ["ShapeDtypeStruct(shape=(8,), dtype=float32)"]
        few, size, staged, others, uneven = told["refused"]
        assert uneven[0] == "PmapError" and "not equally many of each" in uneven[1]
        assert few[0] == size[0] == others[0] == "PmapError" and staged[0] == "StagedPartError"
        assert "8 devices of all processes, 4 of them here, and the mapped axis has size 2" in few[1]
        assert "has none of its devices" in others[1] and "call what `pmap` made outside of `jit`" in staged[1]


def test_each_writes_its_part_and_reads_it_onto_another_mesh(run: Any) -> None:
    for told in run[0]:
        assert told["committed"] and told["another mesh"][1] == "P(None, 'all')"
        np.testing.assert_array_equal(told["another mesh"][0], np.pad(X, ((0, 0), (0, 4))))


def test_checkpoints_have_arrays_of_both(run: Any) -> None:
    for told in run[0]:
        assert told["no manager"] == ["MPACheckpointingRequiredError"] * 2
        assert told["files"] == ["checkpoint_3", "checkpoint_3_gda"]
        assert told["restored"] == [X.tolist(), 3]


def test_one_process_restores_what_two_have_saved(run: Any) -> None:
    saved = run[2] / "checkpoints"
    manager = serialization.GlobalAsyncCheckpointManager()
    target: dict[str, Any] = {"params": {"w": px.numpy.zeros((4, 4))}, "step": 0}
    found = checkpoints.restore_checkpoint(saved, target, gda_manager=manager)
    assert found["params"]["w"].tolist() == X.tolist() and found["step"] == 3
    assert found["params"]["w"].sharding == target["params"]["w"].sharding
    with pytest.raises(errors.MPACheckpointingRequiredError):
        checkpoints.restore_checkpoint(saved, target)
    for unfit in (None, {"params": {"w": 0}, "step": 0}):
        with pytest.raises(errors.MPARestoreTargetRequiredError) as error:
            checkpoints.restore_checkpoint(saved, unfit, gda_manager=manager)
        assert (error.value.key, error.value.step) == ("params/w", 3)
        with pytest.warns(UserWarning, match="'params/w' were not restored"):
            partial = checkpoints.restore_checkpoint(saved, unfit, gda_manager=manager, allow_partial_mpa_restoration=True)
        assert partial["step"] == 3
    (saved / "checkpoint_3_gda" / "commit_success.txt").rename(saved / "elsewhere")
    with pytest.raises(errors.MPARestoreDataCorruptedError):
        checkpoints.restore_checkpoint(saved, target, gda_manager=manager)
    (saved / "elsewhere").rename(saved / "checkpoint_3_gda" / "commit_success.txt")


def test_when_one_is_killed_the_other_hears_of_it_at_once_and_the_last_checkpoint_stays(run: Any) -> None:
    told, (end, err) = run[0][0], run[1][0]
    for what in ("lost while saving", "lost while computing"):
        assert told[what][0] == "ProcessLostError" and "Process 1 is gone: its connection ended" in told[what][1]
    assert told["seconds"] < 30 and told["latest"] == "checkpoint_3"
    assert end == 0 and "Error" not in err
    assert told["survivors"] == [[0] * 4, 6.0]


def test_trees_are_saved_by_both(run: Any) -> None:
    for told in run[0]:
        assert told["tree"] == [["array_store", "pytreedef.json"], X.tolist(), [0, 1]]
        kind, text = told["of its own"]
        assert kind == "ArrayFileError" and "float32[2] that lies in this process alone" in text
    assert run[0][0]["not there"][0] == "NoSavedTreeError"
    assert run[0][1]["not there"][0] == "CommitError" and "process 0 could not write its part" in run[0][1]["not there"][1]
    place = px.sharding.SingleDeviceSharding(px.devices()[0])
    found = pytree_serialization.load(run[2] / "tree", place)
    assert found["w"].tolist() == X.tolist() and found["none"] is None and found["more"][0].tolist() == [0, 1]


def test_arrays_over_the_devices_of_one_process_come_to_where_those_of_the_target_are(run: Any) -> None:
    for told in run[0]:
        assert told["restored P('mine',)"] == told["restored P()"] == [[0, 1, 2, 3], True, "ndarray"]


def test_a_block_on_live_devices_is_completed_by_both_or_by_none(run: Any) -> None:
    for told in run[0]:
        assert told["live"] == [0] * 4 + [1] * 4
    assert run[0][1]["in one"][0] == "KeyError"
    assert run[0][0]["in one"][0] == "ProcessFailureError"
    assert "in process 1 it ended with KeyError: 'its own'" in run[0][0]["in one"][1]
