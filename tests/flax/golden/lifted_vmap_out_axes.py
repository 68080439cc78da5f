import perspicax as jax
import perspicax.numpy as jnp
from perspicax.flax import linen as nn


class Ensemble(nn.Module):
    @nn.compact
    def __call__(self, x):
        def member(module, x):
            return nn.Dense(2)(x)

        return nn.vmap(member, variable_axes={"params": 0}, split_rngs={"params": True},
                       in_axes=None, out_axes=(0, 1), axis_size=3)(self, x)


Ensemble().init(jax.random.key(0), jnp.ones(4))
