"""What `perspicax run` and its sanitizers cost on a training loop, as ratios to the loop without them.

    python -m benchmarks.sanitizers [--rounds N]

Every round runs each choice once, in a fresh process and in turn; the figure of a choice is its fastest round.
"""

import argparse
import os
import subprocess
import sys

TARGETS = {"default": 1.02, "keys": 2.0, "leaks": 2.0, "updates": 2.0, "recompiles": 2.0, "precision": 2.0, "constants": 2.0,
           "broadcast": 2.0, "bounds": 3.0, "nans": 3.0, "all": 3.0}
PROGRAM = """
import time
import jax, jax.numpy as jnp, optax

width = 128
params = {f"w{i}": 0.1 * jax.random.normal(jax.random.key(i), (width, width)) for i in range(4)}
optimizer = optax.adam(1e-3)
state = optimizer.init(params)

def loss(params, x, labels):
    for i in range(4):
        x = jnp.tanh(x @ params[f"w{i}"])
    return optax.softmax_cross_entropy_with_integer_labels(x, labels).mean()

@jax.jit
def step(params, state, x, labels):
    value, grads = jax.value_and_grad(loss)(params, x, labels)
    updates, state = optimizer.update(grads, state, params)
    return optax.apply_updates(params, updates), state, value

x, labels = jnp.ones((64, width)), jnp.arange(64)
best = 1e9
for _ in range(60):
    start = time.perf_counter()
    for _ in range(20):
        params, state, value = step(params, state, x, labels)
    value.block_until_ready()
    best = min(best, (time.perf_counter() - start) / 20)
print(best)
"""


def seconds(names: str) -> float:
    """A step of the loop with these sanitizers: the fastest of one process."""
    done = subprocess.run([sys.executable, "-m", "perspicax", "run", f"--sanitize={names}", "-c", PROGRAM],
                          capture_output=True, text=True, check=True,
                          env={k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"})
    if done.stderr:
        raise SystemExit(f"{names}: a finding in a sound program\n{done.stderr}")
    return float(done.stdout)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3)
    rounds = parser.parse_args().rounds
    best = dict.fromkeys(("none", *TARGETS), float("inf"))
    for _ in range(rounds):
        for names in best:
            best[names] = min(best[names], seconds(names))
    print("| sanitizers | µs a step | ratio | target |\n|---|---:|---:|---:|")
    for names, value in best.items():
        target = f"{TARGETS[names]:.2f}" if names in TARGETS else ""
        print(f"| {names} | {value * 1e6:.0f} | {value / best['none']:.2f} | {target} |")


if __name__ == "__main__":
    main()
