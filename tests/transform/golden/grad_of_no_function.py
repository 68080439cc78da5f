import perspicax as jax
import perspicax.numpy as jnp

loss = jnp.sum(jnp.ones(3) ** 2)
jax.grad(loss)(jnp.ones(3))
