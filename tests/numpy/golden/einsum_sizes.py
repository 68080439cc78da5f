import perspicax.numpy as jnp


def attend(queries, keys):
    return jnp.einsum("bqd,bkd->bqk", queries, keys)


attend(jnp.ones((2, 5, 16)), jnp.ones((2, 7, 8)))
