import jax


def init(key, sizes):
    layers = []
    for i in range(len(sizes) - 1):
        layers.append(jax.random.normal(key, sizes[i : i + 2]))
    return layers


first, second = init(jax.random.key(0), [4, 4, 4])
print("layers are equal:", bool((first == second).all()))
