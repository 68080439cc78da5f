import perspicax as jax
import perspicax.flax.linen as nn
import perspicax.numpy as jnp


class Foo(nn.Module):
    @nn.remat
    @nn.compact
    def head(self, x):
        return nn.Dense(3)

    @nn.compact
    def __call__(self, x):
        return self.head(x)(x)


Foo().init(jax.random.key(0), jnp.ones((2, 4)))
