import perspicax.flax.linen as nn
import perspicax.numpy as jnp


class Counter(nn.Module):
    @nn.compact
    def __call__(self, x):
        steps = self.variable("state", "steps", jnp.zeros, ())
        return x * steps.value


y = Counter().apply({"state": {"step": jnp.ones(())}}, jnp.ones(3))
