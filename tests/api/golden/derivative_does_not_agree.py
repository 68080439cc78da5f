import perspicax as jax
from perspicax.test_util import check_grads


@jax.custom_jvp
def square(x):
    return x * x


@square.defjvp
def square_jvp(primals, tangents):
    (x,), (dx,) = primals, tangents
    return x * x, x * dx


check_grads(square, (3.0,), order=1, modes=["fwd"])
