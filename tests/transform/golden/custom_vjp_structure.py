import perspicax as jax


@jax.custom_vjp
def scaled(params, x):
    return params["w"] * x + params["b"]


def forward(params, x):
    return params["w"] * x + params["b"], (params, x)


def backward(residuals, ct):
    params, x = residuals
    return {"w": ct * x}, ct * params["w"]


scaled.defvjp(forward, backward)
jax.grad(scaled)({"w": 2.0, "b": 1.0}, 3.0)
