import perspicax as jax
import perspicax.numpy as jnp
from perspicax.experimental import checkify


def doubled(x):
    def body(x):
        checkify.check(x > 0, "not positive: {}", x)
        return 2 * x

    return jax.lax.while_loop(lambda x: x < 9, body, x)


checkify.checkify(jax.vmap(doubled))(jnp.array([1.0, 5.0]))
