import perspicax.numpy as jnp

images = jnp.ones((8, 28, 28))
filters = jnp.ones((28, 14, 3))
out = jnp.tensordot(images, filters, axes=2)
