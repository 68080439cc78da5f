import perspicax as jax
import perspicax.flax.linen as nn
import perspicax.numpy as jnp


class Block(nn.Module):
    @nn.compact
    def __call__(self, x):
        init = nn.with_partitioning(nn.initializers.lecun_normal(), ("in", "out"))
        return nn.Dense(4, kernel_init=init)(x)


class Model(nn.Module):
    @nn.compact
    def __call__(self, x):
        heads = nn.vmap(Block, variable_axes={"params": 0}, split_rngs={"params": True})
        return heads()(x)


Model().init(jax.random.key(0), jnp.ones((3, 4)))
