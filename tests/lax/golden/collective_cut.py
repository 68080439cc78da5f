import perspicax as jax
import perspicax.numpy as jnp


def exchange(rows):
    return jax.lax.all_to_all(rows, "device", 0, 0)


jax.vmap(exchange, axis_name="device")(jnp.ones((3, 4)))
