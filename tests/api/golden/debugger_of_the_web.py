import perspicax as jax

jax.debug.breakpoint(backend="web")
