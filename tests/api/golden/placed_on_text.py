import perspicax as jax
import perspicax.numpy as jnp

jax.device_put(jnp.ones(3), "cpu:0")
