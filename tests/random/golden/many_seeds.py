import numpy as np

import perspicax as jax

seeds = np.arange(3)
keys = jax.random.key(seeds)
