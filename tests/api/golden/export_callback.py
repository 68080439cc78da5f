import perspicax as jax
from perspicax import export


@jax.jit
def step(x):
    jax.debug.print("x is {}", x)
    return x + 1


export.export(step)(1.0)
