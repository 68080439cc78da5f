import perspicax as jax
import perspicax.numpy as jnp
from perspicax import export

loaded = export.deserialize(export.export(jax.jit(jnp.tanh))(1.0).serialize())
jax.grad(loaded.call)(2.0)
