import perspicax as jax
import perspicax.flax.linen as nn
import perspicax.numpy as jnp


class Bar(nn.Module):
    @nn.compact
    def __call__(self, x):
        x = nn.Dense(features=4)(x)
        return nn.Dropout(0.5, deterministic=False)(x)


class Foo(nn.Module):
    @nn.compact
    def __call__(self, x):
        return Bar()(x)


inputs = jnp.ones((2, 3))
variables = Foo().init({"params": jax.random.key(0), "dropout": jax.random.key(1)}, inputs)
y = Foo().apply(variables, inputs)
