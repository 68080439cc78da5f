import jax

cache = {}


def note(table, value):
    table["v"] = value


def keep(table, value):
    table.update(v=value)


@jax.jit
def f(x):
    note(cache, x * 2.0)
    keep(cache, x * 3.0)
    return x


f(1.0)
cache["v"] + 1.0
