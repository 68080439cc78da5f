import perspicax as jax
import perspicax.numpy as jnp


@jax.custom_jvp
def f(x):
    return jnp.sin(x)


jax.grad(f)(1.0)
