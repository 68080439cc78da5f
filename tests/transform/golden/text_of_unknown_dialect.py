import perspicax as jax

jax.jit(lambda x: x + 1).lower(1.0).as_text("mhlo")
