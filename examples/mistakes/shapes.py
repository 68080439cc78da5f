"""The mistake: a maximum taken over each row loses its axis, and no longer lines up with the rows.

Probabilities of ten digits for a batch of eight images; `keepdims=True` is missing.
"""

import jax
import jax.numpy as jnp
import numpy as np

rng = np.random.RandomState(0)
images = rng.rand(8, 64).astype(np.float32)
weights = rng.randn(64, 10).astype(np.float32)
bias = np.zeros(10, np.float32)


def softmax(scores):
    largest = jnp.max(scores, axis=1)
    exponentials = jnp.exp(scores - largest)
    return exponentials / jnp.sum(exponentials, axis=1, keepdims=True)


@jax.jit
def predict(images, weights, bias):
    scores = images @ weights + bias
    return softmax(scores)


print("probabilities of the first image:", predict(images, weights, bias)[0])
