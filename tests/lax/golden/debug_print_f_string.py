import perspicax as jax


@jax.jit
def step(loss):
    jax.debug.print("loss is", loss)
    return loss / 2


step(3.0)
