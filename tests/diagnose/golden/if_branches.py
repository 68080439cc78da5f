import stand_in as lib


def smaller(x, y):
    return x < y


def pick(x, y, z):
    if smaller(x, y) and not z:
        return x
    return y + z


lib.run(pick, lib.Value(), lib.Value(), lib.Value())
