from perspicax import export


def f(x):
    return x + 1


export.export(f)(1.0)
