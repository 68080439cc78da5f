import perspicax as jax
import perspicax.flax.linen as nn
import perspicax.numpy as jnp


class Foo(nn.Module):
    @nn.compact
    def __call__(self, x):
        y = nn.Dense(features=3, name="bar")(x)
        z = nn.Dense(features=3, name="bar")(x + 0.1)
        return y + z


Foo().init(jax.random.key(0), jnp.ones((2, 4)))
