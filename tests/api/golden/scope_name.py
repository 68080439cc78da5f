import perspicax as jax

for layer in range(2):
    with jax.named_scope(layer):
        pass
