import perspicax as jax
import perspicax.numpy as jnp
from perspicax.experimental import checkify


@jax.jit
@checkify.checkify
def step(rate, x):
    checkify.check(rate > 0, "the rate is {rate}", rate=rate)
    return x * rate


error, x = step(-0.5, jnp.ones(3))
error.throw()
