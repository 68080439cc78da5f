from concurrent.futures import ThreadPoolExecutor

import jax


@jax.jit
def total(x):
    with ThreadPoolExecutor(2) as pool:
        return sum(pool.map(lambda power: x * power, (1.0, 2.0)))


total(3.0)
