import perspicax.flax.linen as nn
from perspicax.flax import config

with config.temp_flip_flag("single_compact", True):
    class Autoencoder(nn.Module):
        @nn.compact
        def encode(self, x):
            return nn.Dense(3)(x)

        @nn.compact
        def decode(self, x):
            return nn.Dense(5)(x)
