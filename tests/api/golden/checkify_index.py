import perspicax as jax
import perspicax.numpy as jnp
from perspicax.experimental import checkify


@jax.jit
def pick(table, row):
    return table[row]


error, _ = checkify.checkify(pick, errors=checkify.index_checks)(jnp.ones((3, 2)), 5)
error.throw()
