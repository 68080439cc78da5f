import perspicax.flax.linen as nn
import perspicax.numpy as jnp

features = 3
x = jnp.ones((5, 4))
nn.vmap(nn.Dense(features))(x)
