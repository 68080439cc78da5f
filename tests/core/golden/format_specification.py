import jax
import jax.numpy as jnp


@jax.jit
def step(x, lr):
    loss = (x * x).sum()
    print(f"loss {loss:.3f} at rate {lr}")
    return x - lr * x


step(jnp.ones(3), 0.1)
