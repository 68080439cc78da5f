import perspicax as jax
import perspicax.flax.linen as nn
import perspicax.numpy as jnp


class Block(nn.Module):
    width: int

    @nn.compact
    def __call__(self, x):
        return nn.Dense(3, name="out")(nn.relu(nn.Dense(self.width, name="hidden")(x)))


class Net(nn.Module):
    width: int = 8

    @nn.compact
    def __call__(self, x):
        return Block(self.width, name="block")(x)


x = jnp.ones((2, 4))
variables = Net().init(jax.random.key(0), x)
y = Net(width=16).apply(variables, x)
