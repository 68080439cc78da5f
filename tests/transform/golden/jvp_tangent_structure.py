import perspicax as jax


def f(params):
    return params["w"] * params["b"]


jax.jvp(f, ({"w": 1.0, "b": 2.0},), ({"w": 1.0},))
