import perspicax as jax


def body(i, x):
    for _ in range(i):
        x = x * 2
    return x


jax.lax.fori_loop(0, 3, body, 1)
