import perspicax as jax

jax.devices("tpu")
