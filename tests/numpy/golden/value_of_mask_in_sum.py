import perspicax as jax
import perspicax.numpy as jnp


@jax.jit
def masked_loss(losses, valid):
    return losses[valid].sum()


masked_loss(jnp.ones(4), jnp.ones(4, bool))
