import flax.linen as nn
import jax
import jax.numpy as jnp


class Classifier(nn.Module):
    @nn.compact
    def __call__(self, x, train: bool):
        x = nn.relu(nn.Dense(16)(x))
        x = nn.Dropout(0.5, deterministic=not train)(x)
        return nn.Dense(10)(x)


model, batch = Classifier(), jnp.ones((4, 8))
variables = model.init(jax.random.key(0), batch, train=False)
logits = model.apply(variables, batch, train=True)
