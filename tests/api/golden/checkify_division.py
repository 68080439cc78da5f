import perspicax as jax
from perspicax.experimental import checkify


@jax.jit
def share(total, count):
    return total / count


error, _ = checkify.checkify(share, errors=checkify.div_checks)(6.0, 0.0)
error.throw()
