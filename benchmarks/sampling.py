"""Random numbers: eager samplers in their steady state, at shapes that are new, and the trace of one."""

from types import ModuleType
from typing import Any

from benchmarks.measure import Thunk, best, best_fresh, once

Values = dict[str, float]

SHAPES = 20


def sampling(jax: ModuleType) -> Values:
    """Steady samplers, in us; `normal` at 20 shapes of which none was seen before, and its trace."""
    random, jnp = jax.random, jax.numpy
    key = random.key(0)
    logits = jax.block_until_ready(jnp.zeros((50_000, 128)))
    calls = {
        "normal": lambda: random.normal(key, (1_000_000,)),
        "bits": lambda: random.bits(key, (1_000_000,)),
        "uniform_bf16": lambda: random.uniform(key, (1_000_000,), "bfloat16"),
        "split": lambda: random.split(key, 1000),
        "permutation": lambda: random.permutation(key, 100_000),
        "categorical": lambda: random.categorical(key, logits),
        "gamma": lambda: random.gamma(key, 2.5, (100_000,)),
    }

    def at_new_shapes() -> None:
        for i in range(SHAPES):
            jax.block_until_ready(random.normal(key, (101 + i, 7 + i)))

    def made() -> Any:
        return lambda k: random.normal(k, (10, 10))

    def steady(call: Thunk) -> float:
        return best(lambda: jax.block_until_ready(call())) * 1e6

    first = once(at_new_shapes)
    return {**{f"random/{name}": steady(call) for name, call in calls.items()}, "random/new_shapes": first * 1e3,
            "random/trace": best_fresh(made, lambda f: jax.make_jaxpr(f)(key)) * 1e6}
