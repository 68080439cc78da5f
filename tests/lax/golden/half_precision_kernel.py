import perspicax as jax
import perspicax.numpy as jnp


@jax.jit
def solve(gram, target):
    return jnp.linalg.cholesky(gram) @ target


solve(jnp.eye(3, dtype=jnp.bfloat16), jnp.ones(3, dtype=jnp.bfloat16))
