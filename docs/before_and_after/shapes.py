import jax
import jax.numpy as jnp


def scores(queries, keys):
    return jnp.einsum("bqd,bdk->bqk", queries, keys)


queries = jnp.ones((8, 10, 64))
keys = jnp.ones((8, 12, 64))
jax.vmap(scores)(queries[None], keys[None])
