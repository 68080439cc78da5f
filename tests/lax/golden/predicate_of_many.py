import perspicax as jax
import perspicax.numpy as jnp

x = jnp.array([1.0, -2.0, 3.0])
jax.lax.cond(x > 0, lambda: x, lambda: -x)
