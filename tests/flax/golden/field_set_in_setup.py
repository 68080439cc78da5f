import perspicax as jax
import perspicax.flax.linen as nn
import perspicax.numpy as jnp


class Foo(nn.Module):
    features: int = 6

    def setup(self):
        self.features = 3

    def __call__(self, x):
        return nn.Dense(self.features)(x)


variables = Foo().init(jax.random.key(0), jnp.ones((1,)))
