import numpy as np

import perspicax as jax
import perspicax.numpy as jnp


def cube_root(x):
    return jax.pure_callback(np.cbrt, jax.ShapeDtypeStruct((), jnp.float32), x)


jax.grad(cube_root)(8.0)
