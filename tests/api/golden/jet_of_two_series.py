from perspicax.experimental.jet import jet

jet(lambda x, y: x * y, (1.0, 2.0), ((1.0, 0.0), (1.0,)))
