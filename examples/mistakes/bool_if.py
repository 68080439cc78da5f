"""The mistake: Python's `if` on a value that jit does not know yet, two calls below the jitted function.

Gradient descent on a line through four points, with gradients that are cut off when they are long.
"""

import jax
import jax.numpy as jnp
import numpy as np

xs = np.array([0.0, 1.0, 2.0, 3.0], np.float32)
ys = np.array([1.0, 3.0, 5.0, 7.0], np.float32)


def loss(line, x, y):
    return jnp.mean((line[0] * x + line[1] - y) ** 2)


def cut_off(gradient, longest):
    length = jnp.sqrt(jnp.sum(gradient * gradient))
    if length > longest:
        return gradient * (longest / length)
    return gradient


def direction(line, x, y):
    return cut_off(jax.grad(loss)(line, x, y), longest=1.0)


@jax.jit
def step(line, x, y):
    return line - 0.1 * direction(line, x, y)


line = np.zeros(2, np.float32)
for _ in range(100):
    line = step(line, xs, ys)
print("slope and offset:", line)
