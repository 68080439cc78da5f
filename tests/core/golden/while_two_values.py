import jax


def newton(x, target):
    steps = 0
    while abs_error(x, target) > 1e-3:
        x = (x + target / x) * 0.5
        steps = steps + 1
    return x, steps


def abs_error(x, target):
    return (x * x - target) * (x * x - target)


root = jax.jit(newton)
root(1.0, 2.0)
