import perspicax as jax
import perspicax.numpy as jnp
from perspicax import export


@jax.jit
def total(rows):
    y = 0.0
    for i in range(rows.shape[0]):
        y += rows[i].sum()
    return y


export.export(total)(jax.ShapeDtypeStruct(export.symbolic_shape("n, 3"), jnp.float32))
