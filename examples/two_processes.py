"""A small network trained by two processes of four devices each, all on this machine.

Started without `--process`, the program starts itself once for each process, and ends with an error as soon as one of them
does. On a cluster, each machine would run the training part, and Slurm, Open MPI or Kubernetes would tell it the rest.

The mesh has an axis `data`, over which each batch is spread, and an axis `model`, over which the weights are. The compiler
puts in the communication: the program says where arrays are, and is otherwise that of one device. At the end, all save their
parts of the weights, and read them again, onto another mesh.
"""
from __future__ import annotations

import argparse
import socket
import subprocess
import sys
import tempfile
import time

import jax
import jax.numpy as jnp
import numpy as np
from jax.experimental import mesh_utils, multihost_utils
from jax.experimental.array_serialization.serialization import GlobalAsyncCheckpointManager
from jax.sharding import Mesh, NamedSharding
from jax.sharding import PartitionSpec as P


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--devices", type=int, default=4, help="CPU devices of each process")
    parser.add_argument("--steps", type=int, default=60)
    parser.add_argument("--process", type=int, help="which process this is; without it, all are started")
    parser.add_argument("--address", help="where process 0 listens")
    parser.add_argument("--folder", help="where the weights are saved")
    options = parser.parse_args()
    if options.process is None:
        with tempfile.TemporaryDirectory() as folder:
            return start_all(options.processes, folder)
    train(options)
    return 0


def start_all(count: int, folder: str) -> int:
    """Run this program once for each process; the exit status is that of the first one that fails."""
    with socket.create_server(("localhost", 0)) as free:
        address = f"localhost:{free.getsockname()[1]}"
    command = [*sys.orig_argv, "--address", address, "--folder", folder]  # the same interpreter, with the same options
    running = [subprocess.Popen([*command, "--process", str(i)]) for i in range(count)]
    try:
        while any(process.poll() is None for process in running):
            failed = [process for process in running if process.poll()]
            if failed:
                time.sleep(10)  # time for the others to tell what they see of it
                return failed[0].returncode
            time.sleep(0.1)
        return max(abs(process.returncode) for process in running)
    finally:
        for process in running:
            process.kill()


def train(options: argparse.Namespace) -> None:
    """What each process does."""
    jax.config.update("jax_num_cpu_devices", options.devices)
    jax.distributed.initialize(options.address, options.processes, options.process)  # before anything else
    shape = (options.processes, options.devices)
    mesh = Mesh(mesh_utils.create_device_mesh(shape), ("data", "model"))
    say(f"{jax.device_count()} devices in {jax.process_count()} processes, as a mesh {dict(mesh.shape)}")

    placed = {"in": NamedSharding(mesh, P(None, "model")), "out": NamedSharding(mesh, P("model", None))}
    params = jax.jit(first_weights, out_shardings=placed)(jax.random.key(0))
    for number in range(options.steps):
        x, y = batch(number, jax.process_index())
        x, y = (jax.make_array_from_process_local_data(NamedSharding(mesh, P("data")), part) for part in (x, y))
        loss, params = step(params, x, y)
        if number % 20 == 0 or number == options.steps - 1:
            say(f"step {number:3}: loss {float(loss):.4f}")

    manager = GlobalAsyncCheckpointManager()
    paths = [f"{options.folder}/{name}" for name in params]
    manager.serialize_with_paths(list(params.values()), paths)
    line = Mesh(np.array(jax.devices()), ("all",))
    found = manager.deserialize_with_paths([NamedSharding(line, P("all")), NamedSharding(line, P())], paths)
    same = [np.array_equal(multihost_utils.process_allgather(a, tiled=True), multihost_utils.process_allgather(b, tiled=True))
            for a, b in zip(params.values(), found)]
    say(f"saved, and restored onto another mesh: {'the same' if all(same) else 'NOT the same'}")
    multihost_utils.sync_global_devices("the end")


def say(text: str) -> None:
    """Print in one process alone."""
    if jax.process_index() == 0:
        print(text, flush=True)


def first_weights(key: jax.Array) -> dict[str, jax.Array]:
    first, second = jax.random.split(key)
    return {"in": jax.random.normal(first, (16, 64)) * 0.3, "out": jax.random.normal(second, (64, 1)) * 0.1}


def batch(number: int, process: int) -> tuple[np.ndarray, np.ndarray]:
    """The part of a batch that one process loads: here, points of a function to learn."""
    x = np.random.default_rng([number, process]).normal(size=(32, 16)).astype(np.float32)
    return x, np.sin(x[:, :1]) + 0.5 * x[:, 1:2]


@jax.jit
def step(params: dict[str, jax.Array], x: jax.Array, y: jax.Array) -> tuple[jax.Array, dict[str, jax.Array]]:
    def loss_of(params: dict[str, jax.Array]) -> jax.Array:
        return jnp.mean((jnp.tanh(x @ params["in"]) @ params["out"] - y) ** 2)

    loss, gradients = jax.value_and_grad(loss_of)(params)
    return loss, jax.tree.map(lambda p, g: p - 0.1 * g, params, gradients)


if __name__ == "__main__":
    sys.exit(main())
