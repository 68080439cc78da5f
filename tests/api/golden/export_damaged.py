import perspicax as jax
import perspicax.numpy as jnp
from perspicax import export

blob = export.export(jax.jit(jnp.tanh))(1.0).serialize()
blob[-1] ^= 1
export.deserialize(blob)
