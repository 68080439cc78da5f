import perspicax as jax
import perspicax.flax.linen as nn
import perspicax.numpy as jnp


class Counted(nn.Module):
    @nn.compact
    def __call__(self, x):
        def step(module, carry, x):
            count = module.variable("state", "count", lambda: jnp.zeros((), int))
            count.value += 1
            return carry + x, None

        return nn.scan(step, variable_carry="state")(self, jnp.zeros(3), x)


Counted().init(jax.random.key(0), jnp.ones((5, 3)))
