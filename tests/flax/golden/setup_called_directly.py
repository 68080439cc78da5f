import perspicax.flax.linen as nn


class MyModule(nn.Module):
    def setup(self):
        self.submodule = nn.Dense(3)


module = MyModule()
module.setup()
submodule = module.submodule
