import perspicax as jax
import perspicax.flax.linen as nn
import perspicax.numpy as jnp

model = nn.Dense(3)
x = jnp.ones((2, 4))
variables = model.init(jax.random.key(0), x)
y, changed = model.apply(variables, x, mutable=1.5)
