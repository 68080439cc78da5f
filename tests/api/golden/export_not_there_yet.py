import perspicax as jax
from perspicax import export


@jax.jit
def noise(x):
    return x + jax.random.normal(jax.random.key(0, impl="rbg"), x.shape)


export.export(noise)(jax.ShapeDtypeStruct(export.symbolic_shape("b"), "float32"))
