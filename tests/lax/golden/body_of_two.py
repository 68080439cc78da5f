import perspicax.numpy as jnp
from perspicax import lax


def newton(x, steps):
    return x - (x * x - 2.0) / (2.0 * x), steps + 1


start = jnp.float32(1.0), 0
lax.while_loop(lambda state: state[1] < 5, newton, start)
