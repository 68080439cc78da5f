import perspicax as jax
import perspicax.numpy as jnp


def step(state, x):
    position, velocity = state["position"], state["velocity"]
    return {"position": position + velocity, "velocity": velocity * x}, position


start = {"position": jnp.zeros(3, jnp.int32), "velocity": jnp.ones(3)}
jax.lax.scan(step, start, jnp.ones(10))
