import perspicax.flax.linen as nn
import perspicax.numpy as jnp

model = nn.Dense(3)
x = jnp.ones((2, 4))
y = model.apply(x)
