import perspicax as jax
import perspicax.numpy as jnp
import numpy as np

jax.pure_callback(np.cbrt, "float32", jnp.ones(3))
