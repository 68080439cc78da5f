import functools

import perspicax as jax
import perspicax.flax.linen as nn
import perspicax.numpy as jnp


class Foo(nn.Module):
    def setup(self):
        self.conv = functools.partial(nn.Conv, features=3)

    def __call__(self, x):
        x = self.conv(kernel_size=4)(x)
        return x


Foo().init(jax.random.key(0), jnp.zeros((1,)))
