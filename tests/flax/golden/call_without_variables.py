import perspicax.flax.linen as nn
import perspicax.numpy as jnp

test_dense = nn.Dense(10)
test_dense(jnp.ones((5, 5)))
