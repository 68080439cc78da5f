import perspicax.numpy as jnp
from perspicax import lax

images = jnp.ones((8, 3, 28, 28))
kernel = jnp.ones((16, 3, 5, 5))
out = lax.conv_general_dilated(images, kernel, (2,), "SAME")
