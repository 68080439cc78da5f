import perspicax as jax
import perspicax.numpy as jnp
from perspicax import export


@jax.jit
def normalized(x):
    if x.shape[0] > 3:
        x = x - x.mean(0)
    return x


shape = export.symbolic_shape("b, 3", constraints=["b >= 2"])
export.export(normalized)(jax.ShapeDtypeStruct(shape, jnp.float32))
