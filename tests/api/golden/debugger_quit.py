import io

import perspicax as jax


def step(x):
    jax.debug.breakpoint(stdin=io.StringIO("quit\n"), stdout=io.StringIO())
    return x + 1


try:
    step(1.0)
except jax.errors.JaxRuntimeError as error:
    raise error.__cause__ from None
