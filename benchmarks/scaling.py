"""Weak scaling over processes: a step over four devices, and the same with twice the batch over two processes of four.

Each run is started as `python -m benchmarks.scaling IMPL PROCESSES PROCESS ADDRESS`; process 0 prints the seconds of a step.
"""

import json
import os
import socket
import subprocess
import sys
import time
from types import ModuleType

import numpy as np

from benchmarks.measure import is_real_jax, load, refuse_real_jax
from benchmarks.sharded import make_step

LAYERS, WIDTH, BATCH, DEVICES, STEPS, ROUNDS = 4, 128, 64, 4, 10, 12
TIMEOUT = 120


def scaling(jax: ModuleType) -> dict[str, float]:
    """The step over two processes, and how much longer it takes than that of one process with half the work."""
    impl = "jax" if is_real_jax(jax.__name__) else jax.__name__
    one, two = _run(impl, 1), _run(impl, 2)
    return {"scaling/two": two * 1e6, "scaling/growth": two / one}


def _run(impl: str, count: int) -> float:
    """Seconds of a step over so many processes."""
    with socket.create_server(("localhost", 0)) as free:
        address = f"localhost:{free.getsockname()[1]}"
    command = [sys.executable, "-m", "benchmarks.scaling", impl, str(count)]
    running = [subprocess.Popen([*command, str(i), address], stdout=subprocess.PIPE, text=True, env=dict(os.environ))
               for i in range(count)]
    try:
        said = [process.communicate(timeout=TIMEOUT)[0] for process in running]
    finally:
        for process in running:
            process.kill()
    if any(process.returncode for process in running):
        raise SystemExit(f"{impl}: a process of {count} ended with an error")
    return float(json.loads(said[0].splitlines()[-1]))


def main(impl: str, count: int, process: int, address: str) -> None:
    """What each process does."""
    jax = load(impl)
    jax.config.update("jax_num_cpu_devices", DEVICES)
    if count > 1:
        jax.distributed.initialize(address, count, process)
    part = jax.sharding.PartitionSpec
    mesh = jax.sharding.Mesh(np.array(jax.devices()), ("data",))
    rows, whole = (jax.sharding.NamedSharding(mesh, part(*axes)) for axes in (("data",), ()))
    weights = jax.tree.map(lambda x: jax.make_array_from_callback(x.shape, whole, x.__getitem__),
                           [(np.full((WIDTH, WIDTH), 0.01, np.float32), np.zeros(WIDTH, np.float32))] * LAYERS)
    x = np.ones((BATCH * count, WIDTH), np.float32)
    x = jax.make_array_from_callback(x.shape, rows, x.__getitem__)
    step = jax.jit(make_step(jax, lambda x: jax.lax.with_sharding_constraint(x, rows)))
    shortest = float("inf")
    for _ in range(ROUNDS):
        begin = time.perf_counter()
        for _ in range(STEPS):
            loss, weights = step(weights, x)
        jax.block_until_ready((loss, weights))
        shortest = min(shortest, (time.perf_counter() - begin) / STEPS)
    refuse_real_jax(impl)
    if process == 0:
        print(json.dumps(shortest))


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), sys.argv[4])
