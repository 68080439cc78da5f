import perspicax as jax
import perspicax.numpy as jnp

jax.lax.fori_loop(jnp.int8(0), jnp.int32(3), lambda i, x: x + i, 0)
