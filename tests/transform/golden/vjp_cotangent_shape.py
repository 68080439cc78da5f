import perspicax as jax
import perspicax.numpy as jnp

value, pull_back = jax.vjp(lambda x: jnp.outer(x, x), jnp.ones(3))
pull_back(jnp.ones(3))
