import perspicax as jax
import perspicax.flax.linen as nn
import perspicax.numpy as jnp


class NoBiasDense(nn.Module):
    features: int = 8

    @nn.compact
    def __call__(self, x):
        kernel = self.param("kernel", nn.initializers.lecun_normal(), (x.shape[-1], self.features))
        y = jax.lax.dot_general(x, kernel, (((x.ndim - 1,), (0,)), ((), ())))
        return y


variables = NoBiasDense().init(jax.random.key(0), jnp.ones((5, 5, 1)))
_ = NoBiasDense().apply(variables, jnp.ones((5, 5)))
