import perspicax as jax
import perspicax.flax.linen as nn
import perspicax.numpy as jnp
from perspicax.flax.core import init

kept = []


def layer(scope, x):
    kept.append(scope)
    return x @ scope.param("kernel", nn.initializers.ones, (4, 3))


y, variables = init(layer)(jax.random.key(0), jnp.ones((2, 4)))
kernel = kept[0].push("again")
