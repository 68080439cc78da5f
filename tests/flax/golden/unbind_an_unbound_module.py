import perspicax.flax.linen as nn


class MyModule(nn.Module):
    @nn.compact
    def __call__(self, x):
        return nn.Dense(features=10)(x)


module = MyModule()
module.unbind()
