import perspicax as jax
import perspicax.flax.linen as nn
import perspicax.numpy as jnp


class MyModule(nn.Module):
    @nn.compact
    def __call__(self, x):
        var = self.variable("batch_stats", "mean", jnp.zeros, ())
        var.value = 0.9 * var.value + 0.1 * x.mean()
        return x - var.value


batch = jnp.ones((4, 3))
model = MyModule()
v = model.init(jax.random.key(0), batch)
logits = model.apply(v, batch)
