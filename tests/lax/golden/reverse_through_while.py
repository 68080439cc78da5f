import perspicax as jax


def newton(a):
    def improve(x):
        return (x + a / x) / 2

    return jax.lax.while_loop(lambda x: abs(x * x - a) > 1e-5, improve, a)


jax.jit(jax.grad(newton))(2.0)
