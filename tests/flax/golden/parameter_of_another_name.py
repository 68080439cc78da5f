import perspicax as jax
import perspicax.flax.linen as nn
import perspicax.numpy as jnp


class Embed(nn.Module):
    num_embeddings: int
    features: int

    @nn.compact
    def __call__(self, inputs, embed_name="embedding"):
        inputs = inputs.astype("int32")
        init = nn.initializers.lecun_normal()
        embedding = self.param(embed_name, init, (self.num_embeddings, self.features))
        return embedding[inputs]


model = Embed(4, 8)
variables = model.init(jax.random.key(0), jnp.ones((5, 5, 1)))
_ = model.apply(variables, jnp.ones((5, 5, 1)), "embed")
