import perspicax.flax.linen as nn


class Layer(nn.Module):
    features: int
    name: str = "layer"

    @nn.compact
    def __call__(self, x):
        return nn.Dense(self.features)(x)
