import stand_in as lib


def loss(prediction, target, scale):
    difference = (
        (prediction
         * scale)
        - target.dot(
            scale,
        )
    )
    return difference


loss(lib.Value(2), lib.Value(3), lib.Value(1))
