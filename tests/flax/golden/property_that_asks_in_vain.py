import perspicax as jax
import perspicax.flax.linen as nn
import perspicax.numpy as jnp


class Foo(nn.Module):
    @property
    def prop(self):
        return self.non_existent_field

    def __call__(self, x):
        return self.prop


foo = Foo()
variables = foo.init(jax.random.key(0), jnp.ones(shape=(1, 8)))
