import perspicax as jax
import perspicax.flax.linen as nn
import perspicax.numpy as jnp


class Foo(nn.Module):
    @nn.compact
    def __call__(self, x):
        k = self.param("kernel", lambda _: x)
        return x * k


Foo().lazy_init(jax.random.key(0), jax.ShapeDtypeStruct((8, 4), jnp.float32))
