import perspicax as jax

jax.lax.platform_dependent(1.0, tpu=lambda x: x)
