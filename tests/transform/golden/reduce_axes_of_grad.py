import perspicax as jax
import perspicax.numpy as jnp

jax.vjp(jnp.sin, 1.0, reduce_axes=("batch",))
