import perspicax as jax
import perspicax.numpy as jnp

with jax.set_mesh(jax.make_mesh((1,), ("data",))):
    batch = jax.reshard(jnp.ones((8, 4)), jax.P("data", None))
    errors = batch * 2

    @jax.jit
    def weight_gradient(batch, errors):
        return batch.T @ errors

    weight_gradient(batch, errors)
