import perspicax as jax
import perspicax.flax.linen as nn
import perspicax.numpy as jnp


class Foo(nn.Module):
    def setup(self):
        self.dense = nn.Dense(features=10)
        self.dense.features = 20

    def __call__(self, x):
        return self.dense(x)


Foo().init(jax.random.key(0), jnp.ones((5, 5)))
