import perspicax as jax
import perspicax.numpy as jnp


@jax.jit
def predict(weights, image):
    return image @ weights


weights = jnp.ones((4, 2))
compiled = predict.lower(weights, jnp.ones(4)).compile()
compiled(weights, jnp.ones((3, 4)))
