import perspicax as jax
import perspicax.numpy as jnp

jax.lax.custom_linear_solve(lambda x: x.sum(), jnp.ones(3), lambda matvec, b: b)
