import perspicax as jax
import perspicax.numpy as jnp


def policy(primitive, *types, **params):
    print(primitive.name)

jax.grad(jax.checkpoint(lambda x: jnp.cos(jnp.sin(x)), policy=policy))(1.0)
