import perspicax as jax
import perspicax.flax.linen as nn
import perspicax.numpy as jnp


class A(nn.Module):
    x: float

    def __post_init__(self):
        self.x_square = self.x ** 2

    @nn.compact
    def __call__(self, input):
        return input + 3


r = A(x=3)
r.init(jax.random.key(2), jnp.ones(3))
