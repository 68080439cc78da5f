import perspicax as jax
import perspicax.numpy as jnp


@jax.custom_vjp
def f(x):
    return jnp.sin(x)


f.defvjp(lambda x: jnp.sin(x), lambda residuals, ct: (ct,))
jax.grad(f)(1.0)
