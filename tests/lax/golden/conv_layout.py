import perspicax.numpy as jnp
from perspicax import lax

images = jnp.ones((8, 28, 28, 3))
kernel = jnp.ones((5, 5, 3, 16))
out = lax.conv_general_dilated(images, kernel, (1, 1), "SAME")
