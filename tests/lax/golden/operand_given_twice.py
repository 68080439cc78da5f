import perspicax as jax

jax.lax.cond(True, lambda x: x, lambda x: -x, 1.0, operand=2.0)
