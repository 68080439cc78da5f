import perspicax as jax
import perspicax.flax.linen as nn
import perspicax.numpy as jnp


class Encoder(nn.Module):
    @nn.compact
    def __call__(self, x):
        layer = jax.jit(lambda a: nn.Dense(3)(a))
        return layer(x)


variables = Encoder().init(jax.random.key(0), jnp.ones((2, 5)))
