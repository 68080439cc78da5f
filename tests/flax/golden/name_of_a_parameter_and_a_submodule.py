import perspicax as jax
import perspicax.flax.linen as nn
import perspicax.numpy as jnp


class Foo(nn.Module):
    @nn.compact
    def __call__(self, x):
        bar = self.param("bar", nn.initializers.zeros_init(), (1,))
        embed = nn.Embed(num_embeddings=2, features=5, name="bar")
        return embed(x) + bar


Foo().init(jax.random.key(0), jnp.zeros((2,), int))
