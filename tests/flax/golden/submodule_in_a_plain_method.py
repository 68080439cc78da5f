import perspicax as jax
import perspicax.flax.linen as nn
import perspicax.numpy as jnp


class Foo(nn.Module):
    def setup(self):
        pass

    def __call__(self, x):
        conv = nn.Conv(features=3, kernel_size=3)
        return conv(x)


Foo().init(jax.random.key(0), jnp.zeros((1,)))
