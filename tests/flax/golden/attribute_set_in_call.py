import perspicax as jax
import perspicax.flax.linen as nn
import perspicax.numpy as jnp


class SomeModule(nn.Module):
    @nn.compact
    def __call__(self, x, num_features=10):
        self.num_features = num_features
        x = nn.Dense(self.num_features)(x)
        return x


s = SomeModule().init(jax.random.key(0), jnp.ones((5, 5)))
