import stand_in as lib

weights = {"kernel": lib.Value(3, 4)}


class Model:
    def __call__(self, x):
        return lib.add(x, weights["kernel"])


Model()(lib.Value(7))
