"""`linearize`: the derivative at a point as a function."""
from __future__ import annotations

import numpy as np
import pytest

import perspicax as px
import perspicax.numpy as jnp
from perspicax.transform.errors import AuxiliaryResultError, TangentError
from perspicax.tree_util import Partial

XS = np.array([0.3, 0.7, -1.1], np.float32)


def f(x, w):
    return jnp.sin(x) * w, {"w": w}


def test_called_jitted_vmapped():
    (value, _), push = px.linearize(f, XS, 2.0)
    np.testing.assert_allclose(value, 2 * np.sin(XS), rtol=1e-6)
    expected = lambda dx, dw: np.cos(XS) * 2 * dx + np.sin(XS) * dw
    for run in (push, px.jit(push)):
        for dw in (0.0, 1.5):
            found, rest = run(XS, dw)
            np.testing.assert_allclose(found, expected(XS, dw), rtol=1e-5)
            assert rest["w"] == dw
    rows = np.eye(3, dtype=np.float32)
    np.testing.assert_allclose(px.vmap(push, in_axes=(0, None))(rows, 0.0)[0], expected(rows, 0.0), rtol=1e-5, atol=1e-6)


def test_the_function_runs_once():
    calls = []

    def g(x):
        calls.append(1)
        return x * x

    _, push = px.linearize(g, 3.0)
    assert (push(1.0), push(2.0), len(calls)) == (6.0, 12.0, 1)


def test_the_derivative_is_a_pytree():
    push = px.jit(lambda x: px.linearize(jnp.sin, x)[1])(XS)
    assert isinstance(push, Partial)
    np.testing.assert_allclose(push(XS), np.cos(XS) * XS, rtol=1e-6)
    np.testing.assert_allclose(px.jit(lambda p, v: p(v))(push, XS), np.cos(XS) * XS, rtol=1e-6)


def test_it_is_what_jvp_and_vjp_say():
    _, push = px.linearize(f, XS, 2.0)
    pushed = push(XS, 0.5)
    np.testing.assert_allclose(pushed[0], px.jvp(f, (XS, 2.0), (XS, 0.5))[1][0], rtol=1e-6)
    back = px.linear_transpose(push, XS, 0.5)((XS, {"w": 1.0}))
    again = px.vjp(f, XS, 2.0)[1]((XS, {"w": 1.0}))
    for a, b in zip(back, again):
        np.testing.assert_allclose(a, b, rtol=1e-6)


def test_inside_other_transformations():
    g = lambda x: px.linearize(lambda y: y * y * x, x)[1](1.0)  # 2 x²
    assert (px.grad(g)(3.0), px.jit(g)(3.0), px.jit(px.grad(px.jit(g)))(3.0)) == (12.0, 18.0, 12.0)
    np.testing.assert_allclose(px.vmap(g)(XS), 2 * XS**2, rtol=1e-6)


def test_aux():
    value, push, aux = px.linearize(lambda x: (x * x, "note"), 3.0, has_aux=True)
    assert (value, push(1.0), aux) == (9.0, 6.0, "note")
    with pytest.raises(AuxiliaryResultError):
        px.linearize(lambda x: x * x, 3.0, has_aux=True)


def test_integers_and_constants():
    _, push = px.linearize(lambda n: n * 2, 2)
    assert push(np.zeros((), px.float0)).dtype == px.float0
    _, push = px.linearize(lambda x: jnp.asarray(XS), 2.0)
    np.testing.assert_array_equal(push(1.0), np.zeros(3))


@pytest.mark.parametrize("tangents", [(1.0, 2.0), (XS,), (np.float16(1),), (1,)])
def test_tangents_that_do_not_fit(tangents):
    _, push = px.linearize(lambda x: x * 2, 2.0)
    with pytest.raises(TangentError):
        push(*tangents)


def test_what_no_tangent_needs_is_not_evaluated():
    f = px.custom_vjp(lambda x: jnp.sin(x))
    f.defvjp(lambda x: (f(x), x), lambda x, ct: (ct * jnp.cos(x),))
    derivative = px.grad(f)  # the value of `f` within its own forward rule is not used
    value, push = px.linearize(derivative, 0.5)
    assert np.allclose(px.jvp(push, (1.0,), (2.0,)), (-np.sin(0.5), -2 * np.sin(0.5)))
    assert np.allclose(value, np.cos(0.5))
