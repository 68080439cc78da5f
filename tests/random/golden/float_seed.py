import time

import perspicax as jax

key = jax.random.key(round(time.time(), 1) * 0)
