import perspicax as jax
import perspicax.numpy as jnp

history = []


def step(carry, x):
    history.append(carry)
    return carry + x, None


total, _ = jax.lax.scan(step, 0.0, jnp.arange(3.0))
print(total - history[0])
