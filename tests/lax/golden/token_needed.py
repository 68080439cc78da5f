import perspicax as jax
import perspicax.numpy as jnp

jax.lax.after_all(jnp.ones(3))
