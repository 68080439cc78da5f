import numpy as np

import perspicax as jax
import perspicax.numpy as jnp

jax.pure_callback(np.cbrt, "float32", jnp.ones(3))
