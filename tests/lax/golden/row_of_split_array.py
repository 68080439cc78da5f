import perspicax as jax
import perspicax.numpy as jnp

with jax.set_mesh(jax.make_mesh((1,), ("data",))):
    batch = jax.reshard(jnp.ones((8, 4)), jax.P("data", None))
    first = batch[jnp.array([0, 3])]
