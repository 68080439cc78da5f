import jax
import jax.numpy as jnp


def keep_positive(values):
    mask = values > 0
    return values[mask]


@jax.jit
def mean_gain(returns):
    gains = keep_positive(returns)
    return gains.mean()


mean_gain(jnp.ones(5))
