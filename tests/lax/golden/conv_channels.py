import perspicax.numpy as jnp
from perspicax import lax

images = jnp.ones((8, 3, 28, 28))
kernel = jnp.ones((16, 1, 5, 5))
out = lax.conv(images, kernel, (1, 1), "SAME")
