import perspicax as jax
import perspicax.flax.linen as nn
import perspicax.numpy as jnp


class Force(nn.Module):
    @nn.compact
    def __call__(self, x):
        layer = nn.Dense(1)

        def energy(module, x):
            return layer(x).sum()

        return nn.grad(energy, self, x)


Force().init(jax.random.key(0), jnp.ones((5, 3)))
