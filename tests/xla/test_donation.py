"""Donated arguments."""
from __future__ import annotations

import functools
import gc
import warnings

import numpy as np
import pytest

import perspicax as px
import perspicax.numpy as jnp
from perspicax.xla.errors import DeletedArrayError

XS = np.array([0.3, 0.7, -1.1], np.float32)


def donating(f, *numbers, **options):
    return px.jit(f, donate_argnums=numbers or 0, **options)


@pytest.fixture(params=[jnp.asarray, lambda v: jnp.asarray(v) * 1], ids=["host", "device"])
def x(request):
    return request.param(XS)


def test_the_argument_is_deleted_and_the_report_says_to_whom_it_went(x):
    def update(x):
        return x * 2

    step = donating(update)
    np.testing.assert_array_equal(step(x), 2 * XS)
    assert x.is_deleted()
    for use in (np.asarray, lambda x: x + 1, step, px.jit(lambda x: x), lambda x: x.block_until_ready(), lambda x: float(x[0])):
        with pytest.raises(DeletedArrayError) as caught:
            use(x)
        assert (caught.value.donated_to, caught.value.type_text) == ("update", "float32[3]")
    assert "donated to `update`" in str(caught.value)


def test_memory_is_reused():
    x = jnp.asarray(np.ones(100_000, np.float32)) * 1
    address = x.unsafe_buffer_pointer()
    step = donating(lambda x: x * 2)
    for _ in range(5):
        x = step(x)
    assert x.unsafe_buffer_pointer() == address
    assert float(x[0]) == 32.0


def test_a_view_that_the_user_holds_keeps_its_values(x):
    view = np.asarray(x)
    result = donating(lambda x: x * 2)(x)
    np.testing.assert_array_equal(view, XS)
    np.testing.assert_array_equal(result, 2 * XS)
    del result
    gc.collect()
    np.testing.assert_array_equal(view, XS)
    assert x.is_deleted()


def test_what_no_result_can_take_over_is_warned_about_and_stays(x):
    y = jnp.asarray(XS) * 1
    with pytest.warns(UserWarning, match=r"float32\[3\]") as caught:
        donating(lambda x, y: x * y, 0, 1)(x, y)
    assert (x.is_deleted(), y.is_deleted()) == (True, False)
    assert caught[0].filename == __file__
    for result in (lambda x: x.sum(), lambda x: x.astype(jnp.float16), lambda x: jnp.concatenate([x, x])):
        with pytest.warns(UserWarning, match="donated"):
            donating(result)(y)
        assert not y.is_deleted()


def test_what_is_not_read_stays_without_a_word(x):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        donating(lambda x, y: y * 2)(x, XS)
    assert not x.is_deleted()


@pytest.mark.parametrize("options", [{"donate_argnums": 1}, {"donate_argnums": -1}, {"donate_argnames": "state"},
                                     {"donate_argnums": (1,), "donate_argnames": ("state",)}])
def test_by_number_and_by_name(options):
    f = lambda scale, state: px.tree.map(lambda v: v * scale, state)
    for call in (lambda j, s: j(2.0, s), lambda j, s: j(2.0, state=s)):
        state = {"a": jnp.asarray(XS), "b": (jnp.asarray(XS) * 1,)}
        call(px.jit(f, **options), state)
        assert all(v.is_deleted() for v in px.tree.leaves(state))


def test_beside_static_arguments(x):
    f = px.jit(lambda n, x: x * n, static_argnums=0, donate_argnums=1)
    np.testing.assert_array_equal(f(3, x), 3 * XS)
    assert x.is_deleted()


def test_arguments_that_are_no_arrays_of_ours():
    source = XS.copy()
    step = donating(lambda x: x * 2)
    np.testing.assert_array_equal(step(source), 2 * XS)
    np.testing.assert_array_equal(source, XS)
    assert step(1.5) == 3.0


def test_one_array_twice(x):
    with pytest.raises(px.errors.JaxRuntimeError):
        donating(lambda x, y: (x * 2, y * 3), 0, 1)(x, x)


def test_constants_of_programs_outlive_their_arrays(x):
    """A program keeps what it closed over when the array is donated, here or elsewhere, or deleted."""
    reader = px.jit(lambda v: v * x)
    np.testing.assert_allclose(reader(2.0), 2 * XS)
    own = donating(lambda v: v * x)
    np.testing.assert_allclose(own(x), XS * XS)
    assert x.is_deleted()
    np.testing.assert_allclose(reader(3.0), 3 * XS)
    y = jnp.sin(XS)
    other = px.jit(lambda v: v * y)
    other(1.0)
    y.delete()
    np.testing.assert_allclose(other(2.0), 2 * np.sin(XS), rtol=1e-6)


def test_nothing_is_donated_under_a_transformation(x):
    inner = donating(lambda x: x * 2)
    px.jit(lambda x: inner(x))(x)
    px.grad(lambda x: inner(x).sum())(x)
    px.vmap(inner)(x)
    px.make_jaxpr(inner)(x)
    assert not x.is_deleted()


def test_ahead_of_time(x):
    compiled = donating(lambda x: x * 2).lower(XS).compile()
    np.testing.assert_array_equal(compiled(x), 2 * XS)
    assert x.is_deleted()


def test_a_training_loop():
    step = functools.partial(px.jit, donate_argnums=(0, 1))(
        lambda params, momentum, x: (params - 0.1 * momentum, 0.9 * momentum + x))
    params, momentum = jnp.zeros(3), jnp.zeros(3)
    expected = (np.zeros(3), np.zeros(3))
    for _ in range(4):
        params, momentum = step(params, momentum, XS)
        expected = (expected[0] - 0.1 * expected[1], 0.9 * expected[1] + XS)
    np.testing.assert_allclose(params, expected[0], rtol=1e-5)
    np.testing.assert_allclose(momentum, expected[1], rtol=1e-5)
