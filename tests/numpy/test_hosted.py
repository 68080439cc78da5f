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


NAN = np.uint32([0x7fc00000, 0xffc00001, 0x7f800123]).view(np.float32)
ORDERED = {
    "distinct": np.float32([3, -1, 2, -np.inf, np.inf, 1.5]), "zeros": np.float32([0., -0., 3, -0., 0., -2]),
    "nan": np.concatenate([NAN, np.float32([1, -0., 0.])]), "subnormal": np.float32([1e-45, 0., -0., -1e-45, 1e-40, -1e-40]),
    "ties": np.float32([1, 2, 2, 1, 0.5, 2]), "int8": np.int8([3, -128, 127, 3, -1, 0]),
    "float16": np.float16([6e-8, 0., -0., -6e-8, 1e-7, np.nan]),
}
ORDERS = {
    "sort": lambda x: jnp.sort(x), "sort down": lambda x: jnp.sort(x, descending=True), "sort lax": lambda x: px.lax.sort(x),
    "argsort": lambda x: jnp.argsort(x), "argsort down": lambda x: jnp.argsort(x, descending=True),
    "argmax": lambda x: jnp.argmax(x), "argmin": lambda x: jnp.argmin(x), "argmax lax": lambda x: px.lax.argmax(x, 0, np.int8),
    "axis": lambda x: [f(x.reshape(2, 3), axis=0) for f in (jnp.sort, jnp.argsort, jnp.argmax, jnp.argmin)],
    "keepdims": lambda x: jnp.argmin(x.reshape(2, 3), keepdims=True), "split": lambda x: jnp.split(x, [1, 4]),
    "pieces": lambda x: jnp.array_split(x.reshape(2, 3), 2, axis=1), "unstack": lambda x: jnp.unstack(x),
}


@px.jit
def ordering(x):
    return [call(x) for call in ORDERS.values()]


@pytest.mark.parametrize("name", ORDERED)
def test_the_order_is_that_of_the_program(name):
    """Equal entries keep their order, NaN and zeros their bits; subnormal numbers are zeros to XLA."""
    x = jnp.asarray(ORDERED[name])
    for (what, call), wanted in zip(ORDERS.items(), ordering(x), strict=True):
        for a, b in zip(px.tree.leaves(call(x)), px.tree.leaves(wanted), strict=True):
            assert bits(a) == bits(b), what


def test_one_hot_of_integers_of_every_kind():
    for dtype in (np.int8, np.uint8, np.int32):
        x = jnp.asarray(np.array([[0, 2], [5, -1 % 256 if dtype is np.uint8 else -1]], dtype))
        call = lambda x: [px.nn.one_hot(x, 300, dtype=out, axis=i) for out, i in ((None, -1), (jnp.bfloat16, 0), (bool, 1))]
        for a, b in zip(call(x), px.jit(call)(x), strict=True):
            assert bits(a) == bits(b), dtype


def test_a_kept_line_can_be_given_away():
    first, second = jnp.linspace(0, 1, 4), jnp.linspace(0, 1, 4)
    wanted = np.asarray(first).copy()
    px.jit(lambda x: x + 1, donate_argnums=0)(second)
    first.delete()
    np.testing.assert_array_equal(jnp.linspace(0, 1, 4), wanted)
    assert np.signbit(jnp.linspace(-0., -0., 2)).all() and not np.signbit(jnp.linspace(0., 0., 2)).any()
    assert jnp.linspace(0, 1, 4, endpoint=False)[1] == 0.25


def test_nan_in_what_is_sorted_is_reported():
    x = jnp.asarray(ORDERED["nan"])
    with px.debug_nans(True):
        for call in (jnp.sort, px.lax.sort):
            with pytest.raises(FloatingPointError):
                call(x)
