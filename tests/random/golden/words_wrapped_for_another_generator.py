from perspicax import random as jr

old = jr.PRNGKey(0)
key = jr.wrap_key_data(old, impl="rbg")
