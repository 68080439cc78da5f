import perspicax as jax
import perspicax.flax.linen as nn
import perspicax.numpy as jnp


class Autoencoder(nn.Module):
    def setup(self):
        self.encoder = nn.Dense(2)
        self.decoder = nn.Dense(8)

    def encode(self, x):
        return self.encoder(x)

    def __call__(self, x):
        return self.decoder(self.encode(x))


model = Autoencoder()
images = jnp.ones((4, 8))
variables = model.init(jax.random.key(0), images)
codes = model.apply(variables, images, method="encod")
