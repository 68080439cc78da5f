import perspicax as jax
import perspicax.flax.linen as nn
import perspicax.numpy as jnp


class Foo(nn.Module):
    @nn.compact
    def __call__(self, x):
        return nn.Dense(features=4)(x)


variables = Foo().init({"param": jax.random.key(0)}, jnp.ones((2, 3)))
