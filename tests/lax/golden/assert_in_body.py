import perspicax as jax


def body(i, x):
    assert x > 0
    return x / 2


jax.lax.fori_loop(0, 3, body, 8.0)
