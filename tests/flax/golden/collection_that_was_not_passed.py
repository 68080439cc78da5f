import perspicax as jax
import perspicax.flax.linen as nn
import perspicax.numpy as jnp


class Net(nn.Module):
    @nn.compact
    def __call__(self, x):
        x = nn.Dense(4)(x)
        return nn.BatchNorm(use_running_average=True)(x)


model = Net()
x = jnp.ones((2, 3))
variables = model.init(jax.random.key(0), x)
y = model.apply({"params": variables["params"], "batch_stat": variables["batch_stats"]}, x)
