"""Functions that NumPy does in one step where nothing is traced: the same bits and types as their compiled programs."""
from __future__ import annotations

import numpy as np
import pytest

import perspicax as px
import perspicax.numpy as jnp

CALLS = {
    "tril": lambda x, i: jnp.tril(x), "triu": lambda x, i: jnp.triu(x, -1), "take": lambda x, i: jnp.take(x, i, axis=1),
    "take flat": lambda x, i: jnp.take(x, i), "take one": lambda x, i: jnp.take(x, i[1]),
    "take outside": lambda x, i: jnp.take(x, i + 2, axis=1),
    "take clip": lambda x, i: jnp.take(x, i, axis=1, mode="clip"), "take wrap": lambda x, i: jnp.take(x, i - 3, 1, mode="wrap"),
    "stack": lambda x, i: jnp.stack([x, x, x], 1), "repeat": lambda x, i: jnp.repeat(x, 3, axis=0),
    "tile": lambda x, i: jnp.tile(x, (2, 1, 2)), "tile none": lambda x, i: jnp.tile(x, (0, 2)),
    "roll": lambda x, i: jnp.roll(x, -4), "roll axis": lambda x, i: jnp.roll(x, 5, axis=-1),
    "expand": lambda x, i: jnp.expand_dims(x, (0, -1)), "where": lambda x, i: jnp.where(x == x, x, 0),
    "where zero": lambda x, i: (jnp.where(x == x, 0., x), jnp.where(x == x, -0., x), jnp.where(x == x, 0., x)),
}
VALUES = {
    "float32": np.float32([[0., -0., np.nan], [1e-45, -np.inf, 3.]]), "bool": np.array([[True, False, True], [False] * 3]),
    "int8": np.int8([[-128, 0, 1], [127, 5, -3]]), "bfloat16": jnp.bfloat16([[0., -0., np.nan], [1.5, -np.inf, 3.]]),
}


def bits(x):
    return str(x.dtype), x.shape, x.weak_type, np.asarray(x).tobytes()


@pytest.mark.parametrize("dtype", VALUES)
def test_the_bits_are_those_of_the_program(dtype):
    x, i = jnp.asarray(VALUES[dtype]), jnp.asarray(np.int32([0, 2, -1, -3]))
    compiled = px.jit(lambda x, i: [call(x, i) for call in CALLS.values()])(x, i)
    for (name, call), wanted in zip(CALLS.items(), compiled, strict=True):
        for a, b in zip(px.tree.leaves(call(x, i)), px.tree.leaves(wanted), strict=True):
            assert bits(a) == bits(b), name


def test_weak_types_stay():
    x = jnp.asarray(2.5)
    weak = jnp.broadcast_to(x, (2, 2))
    assert weak.weak_type
    for name in ("tril", "stack", "repeat", "tile", "roll", "expand", "take flat"):
        i = jnp.asarray(np.int32([0, 1]))
        assert bits(CALLS[name](weak, i)) == bits(px.jit(CALLS[name])(weak, i)), name


def test_results_share_nothing_that_can_be_written():
    x = jnp.asarray(np.ones((2, 3), np.float32))
    view = np.asarray(jnp.expand_dims(x, 0))
    with pytest.raises(ValueError, match="read-only"):
        view[0, 0, 0] = 5
    assert float(x[0, 0]) == 1


def test_linspace_after_the_option_changes():
    assert jnp.linspace(0., 1., 3).dtype == np.float32
    with px.enable_x64(True):
        assert jnp.linspace(0., 1., 3).dtype == np.float64
    assert jnp.linspace(0, 2, 3).tolist() == [0., 1., 2.]
