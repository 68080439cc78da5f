from perspicax.flax.cursor import cursor

params = {"encoder": {"kernel": 1.0, "bias": 0.0}, "decoder": {"kernel": 1.0, "bias": 0.0}}
kernel = cursor(params).find(lambda path, value: path.endswith("kernel"))
