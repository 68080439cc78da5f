import perspicax as jax
import perspicax.flax.linen as nn


class B(nn.Module):
    @nn.compact
    def __call__(self, x):
        return x


k = jax.random.key(0)
x = jax.random.uniform(jax.random.key(1), (2,))
B.init(k, x)
