import perspicax as jax
from perspicax.experimental import checkify


@jax.jit
def step(rate, x):
    checkify.check(rate > 0, "the rate is {rate}", rate=rate)
    return x * rate


step(0.5, 1.0)
