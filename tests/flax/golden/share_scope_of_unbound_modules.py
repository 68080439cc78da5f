import perspicax.flax.linen as nn


class CustomDense(nn.Dense):
    def __call__(self, x):
        return super().__call__(x) + 1


custom_dense = CustomDense(5)
dense = nn.Dense(5)
nn.share_scope(custom_dense, dense)
