import perspicax as jax
import perspicax.numpy as jnp

x = jnp.ones(3)
jax.jvp(jnp.sin, (x,), (jnp.ones(2),))
