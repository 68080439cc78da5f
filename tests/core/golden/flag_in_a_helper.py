import jax
import jax.numpy as jnp


def rescale(weights, unit_sum):
    if unit_sum:
        return weights / weights.sum()
    return weights


@jax.jit
def mixture_mean(values, weights, unit_sum=True):
    weights = rescale(weights, unit_sum)
    return (values * weights).sum()


mixture_mean(jnp.ones(3), jnp.ones(3), True)
