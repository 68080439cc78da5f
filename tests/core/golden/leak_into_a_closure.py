import jax


def make():
    state = 0.0

    @jax.jit
    def step(x):
        nonlocal state
        state = state + x
        return state

    return step


step = make()
step(1.0)
step(2)
