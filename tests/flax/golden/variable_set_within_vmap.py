import perspicax as jax
import perspicax.flax.linen as nn
import perspicax.numpy as jnp


class Mean(nn.Module):
    @nn.compact
    def __call__(self, x):
        total = self.variable("stats", "total", jnp.zeros, ())

        def step(row):
            total.value += row.sum()
            return row - total.value

        return jax.vmap(step)(x)


variables = Mean().init(jax.random.key(0), jnp.ones((2, 5)))
