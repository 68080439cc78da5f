import perspicax as jax

jax.lax.cond(True, 1.0, 0.0)
