import perspicax.numpy as jnp

images = jnp.ones((8, 28, 28))
flat = images.reshape(8, 700)
