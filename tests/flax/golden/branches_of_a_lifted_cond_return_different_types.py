import perspicax as jax
import perspicax.flax.linen as nn
import perspicax.numpy as jnp


class Router(nn.Module):
    @nn.compact
    def __call__(self, x):
        def wide(module, x):
            return {"h": x, "score": x.sum()}

        def narrow(module, x):
            return {"h": x, "score": x}

        return nn.cond(x.sum() > 0, wide, narrow, self, x)


Router().init(jax.random.key(0), jnp.ones((2, 4)))
