"""Programs of several devices that are started faster than they end, in a process that has eight."""
from __future__ import annotations

import os
import subprocess
import sys

PROGRAM = """
import numpy as np
import perspicax as jax
from perspicax import P, lax

mesh = jax.sharding.Mesh(np.array(jax.devices()), ("x",))
step = jax.jit(jax.shard_map(lambda a: lax.psum(a, "x") / 8 + a * 0, mesh=mesh, in_specs=P("x"), out_specs=P("x")))
x = jax.device_put(np.arange(8, dtype=np.float32), jax.NamedSharding(mesh, P("x")))
others = [step(x) for _ in range(150)]  # nobody waits, and none needs the one before
print(all(np.array_equal(y, np.full(8, 3.5)) for y in others))
"""


def test_collectives_of_many_programs_do_not_take_each_other_s_threads() -> None:
    env = {**os.environ, "XLA_FLAGS": "--xla_force_host_platform_device_count=8 --xla_backend_optimization_level=0"}
    done = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, timeout=100, env=env)
    assert (done.returncode, done.stdout) == (0, "True\n"), done.stderr[-1000:]
