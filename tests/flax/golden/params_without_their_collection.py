import perspicax as jax
import perspicax.flax.linen as nn
import perspicax.numpy as jnp

model = nn.Dense(3)
x = jnp.ones((2, 4))
params = model.init(jax.random.key(0), x)["params"]
y = model.apply(params, x)
