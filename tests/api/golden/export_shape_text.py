from perspicax import export

export.symbolic_shape("b, 2 * (n + 1, 3", constraints=["b >= 1"])
