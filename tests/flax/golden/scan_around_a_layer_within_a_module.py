import perspicax as jax
import perspicax.flax.linen as nn
import perspicax.numpy as jnp


class Stack(nn.Module):
    @nn.compact
    def __call__(self, x):
        x, _ = jax.lax.scan(lambda x, _: (nn.Dense(5)(x), None), x, None, length=3)
        return x


variables = Stack().init(jax.random.key(0), jnp.ones((2, 5)))
