import perspicax as jax
import perspicax.numpy as jnp
from perspicax.flax import linen as nn


class Slope(nn.Module):
    @nn.compact
    def __call__(self, x):
        def energy(module, position):
            return module(position)

        return nn.jvp(energy, nn.Dense(1), (x,), (jnp.ones(3),), variable_tangents={})


Slope().init(jax.random.key(0), jnp.ones((4, 3)))
