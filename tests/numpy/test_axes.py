"""Several axes, in whatever holds them."""
from __future__ import annotations

import numpy as np
import pytest

import perspicax.numpy as jnp

X = np.arange(24, dtype=np.float32).reshape(2, 3, 4)
HOLDERS = {"range": range, "list": lambda a, b: [a, b - 1], "array": np.arange, "set": lambda a, b: {a, b - 1},
           "keys": lambda a, b: dict.fromkeys((a, b - 1)).keys(), "iterator": lambda a, b: iter((a, b - 1))}
FUNCTIONS = {
    "sum": lambda axis: (jnp.sum(X, axis=axis), np.sum(X, (0, 1))),
    "mean": lambda axis: (jnp.mean(X, axis=axis), np.mean(X, (0, 1))),
    "ptp": lambda axis: (jnp.ptp(X, axis=axis), np.ptp(X, (0, 1))),
    "flip": lambda axis: (jnp.flip(X, axis=axis), np.flip(X, (0, 1))),
    "roll": lambda axis: (jnp.roll(X, (1, 2), axis=axis), np.roll(X, (1, 2), (0, 1))),
    "expand_dims": lambda axis: (jnp.expand_dims(X, axis), np.expand_dims(X, (0, 1))),
    "squeeze": lambda axis: (jnp.squeeze(X[:1, :1], axis), np.squeeze(X[:1, :1], (0, 1))),
    "moveaxis": lambda axis: (jnp.moveaxis(X, axis, (1, 2)), np.moveaxis(X, (0, 1), (1, 2))),
}


@pytest.mark.parametrize("holder", HOLDERS)
@pytest.mark.parametrize("function", FUNCTIONS)
def test_axes_may_be_held_by_any_iterable(function, holder):
    ours, numpys = FUNCTIONS[function](HOLDERS[holder](0, 2))
    np.testing.assert_allclose(ours, numpys, rtol=1e-6)


def test_text_is_no_axis():
    with pytest.raises(TypeError, match="an axis is an integer"):
        jnp.sum(X, axis="01")
