import threading

import jax

results = []


@jax.jit
def f(x):
    results.append(x * 2.0)
    return x


worker = threading.Thread(target=f, args=(1.0,))
worker.start()
worker.join()
results[0] * 2.0
