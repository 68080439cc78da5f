"""`custom_vmap`, `sequential_vmap`: whose batching rule the user gives."""
from __future__ import annotations

import numpy as np
import pytest

import perspicax as px
from perspicax import custom_batching
from perspicax import numpy as jnp
from perspicax.transform.custom_errors import CustomBatchingError, MissingBatchingRuleError

XS = np.array([0.5, 1.0, 2.0], np.float32)


def sine_times(seen=None):
    """sin(x) y, whose batched form is cos(x) y, so that one tells which was run."""
    @custom_batching.custom_vmap
    def f(x, y):
        return jnp.sin(x) * y

    @f.def_vmap
    def f_vmap(axis_size, in_batched, xs, ys):
        if seen is not None:
            seen.append((axis_size, in_batched, np.shape(xs), np.shape(ys)))
        return jnp.cos(xs) * ys, True

    return f


def test_alone_it_is_the_function():
    f = sine_times()
    for call in (f, px.jit(f), lambda x, y: f(x, y=y)):
        np.testing.assert_allclose(call(1.0, 2.0), 2 * np.sin(1.0), rtol=1e-6)


@pytest.mark.parametrize("wrap", [lambda f: f, px.jit], ids=["eager", "jit"])
def test_vmap_uses_the_rule(wrap):
    seen = []
    found = px.vmap(wrap(sine_times(seen)), in_axes=(0, None))(XS, 2.0)
    np.testing.assert_allclose(found, 2 * np.cos(XS), rtol=1e-6)
    assert seen == [(3, [True, False], (3,), ())]


def test_the_batch_comes_in_axis_0():
    seen = []
    px.vmap(sine_times(seen), in_axes=(1, None))(np.ones((2, 3), np.float32), 1.0)
    assert seen[0][2] == (3, 2)


def test_vmap_of_vmap():
    f = sine_times()
    found = px.vmap(px.vmap(f, (0, None)), (None, 0))(XS, XS)
    np.testing.assert_allclose(found, XS[:, None] * np.cos(XS), rtol=1e-6)


@pytest.mark.parametrize("order", ["jvp of vmap", "vmap of jvp"])
@pytest.mark.parametrize("moving", ["x", "y", "both"])
def test_the_derivative_of_the_batched_form_is_that_of_the_rule(order, moving):
    f = sine_times()
    dx, dy = float(moving != "y"), float(moving != "x")
    ones = np.ones(3, np.float32)
    if order == "jvp of vmap":
        value, tangent = px.jvp(px.vmap(f, (0, None)), (XS, 3.0), (dx * ones, dy))
    else:
        value, tangent = px.vmap(lambda x: px.jvp(f, (x, 3.0), (dx, dy)))(XS)
    np.testing.assert_allclose(value, 3 * np.cos(XS), rtol=1e-6)
    np.testing.assert_allclose(tangent, -3 * np.sin(XS) * dx + np.cos(XS) * dy, rtol=1e-6, atol=1e-6)


def test_the_second_derivative_under_vmap():
    f = sine_times()
    slope = lambda x: px.jvp(lambda t: f(t, 1.0), (x,), (1.0,))[1]
    found = px.vmap(lambda x: px.jvp(slope, (x,), (1.0,))[1])(XS)
    np.testing.assert_allclose(found, -np.cos(XS), rtol=1e-6)


def test_reverse_mode_works_through_vmap_and_says_why_it_does_not_without():
    f = sine_times()
    np.testing.assert_allclose(px.grad(lambda x: px.vmap(f, (0, None))(x, 1.0).sum())(XS), -np.sin(XS), rtol=1e-6)
    with pytest.raises(CustomBatchingError) as caught:
        px.grad(f)(1.0, 2.0)
    assert (caught.value.kind, caught.value.function) == ("reverse", "f")


def test_with_custom_vjp_around_it():
    inner = sine_times()
    f = px.custom_vjp(inner)
    f.defvjp(lambda x, y: (f(x, y), None), lambda _, ct: (ct * 7, ct * 8))
    assert px.grad(f)(1.0, 2.0) == 7.0
    np.testing.assert_allclose(px.vmap(f)(XS, XS), np.cos(XS) * XS, rtol=1e-6)


def test_pytrees_and_results_that_are_not_batched():
    @custom_batching.custom_vmap
    def f(d, n):
        return {"sum": d["a"] + d["b"], "n": n}

    @f.def_vmap
    def f_vmap(axis_size, in_batched, d, n):
        assert in_batched == [{"a": True, "b": False}, False]
        return {"sum": d["a"] - d["b"], "n": n * axis_size}, {"sum": True, "n": False}

    found = px.vmap(f, in_axes=({"a": 0, "b": None}, None))({"a": XS, "b": 1.0}, 2)
    np.testing.assert_array_equal(found["sum"], XS - 1)
    np.testing.assert_array_equal(found["n"], [6, 6, 6])


def test_within_scan():
    f = sine_times()
    total = lambda y: px.lax.scan(lambda c, x: (c + f(x, y), None), 0.0, XS)[0]
    np.testing.assert_allclose(total(2.0), 2 * np.sin(XS).sum(), rtol=1e-6)
    np.testing.assert_allclose(px.vmap(total)(XS), np.cos(XS).sum() * XS, rtol=1e-5)


@pytest.mark.parametrize(("result", "kind"), [
    (lambda x: x, "pair"), (lambda x: ({"o": x}, True), "flags"), (lambda x: ((x,), (True,)), "structure"),
    (lambda x: ({"o": x[:2]}, {"o": True}), "type"), (lambda x: ({"o": x.astype(int)}, {"o": True}), "type"),
    (lambda x: ({"o": x}, {"o": False}), "type"),
])
def test_what_a_rule_must_not_return(result, kind):
    f = custom_batching.custom_vmap(lambda x: {"o": x * 1.0})
    f.def_vmap(lambda axis_size, in_batched, x: result(x))
    with pytest.raises(CustomBatchingError) as caught:
        px.vmap(f)(jnp.asarray(XS))
    assert caught.value.kind == kind
    assert caught.value.report.says


def test_closing_over_a_batched_value():
    def outer(z):
        f = custom_batching.custom_vmap(lambda x: x * z)
        f.def_vmap(lambda axis_size, in_batched, x: (x, True))
        return f(2.0)

    assert outer(3.0) == 6.0 and px.jit(outer)(3.0) == 6.0
    for program in (lambda: px.vmap(outer)(XS), lambda: px.jvp(outer, (1.0,), (1.0,))):
        with pytest.raises(CustomBatchingError) as caught:
            program()
        assert caught.value.kind == "closure"


def test_without_a_rule():
    f = custom_batching.custom_vmap(lambda x: x)
    with pytest.raises(AttributeError, match="no batching rule") as caught:
        f(1.0)
    assert type(caught.value) is MissingBatchingRuleError


def test_without_a_rule_a_call_by_keyword_is_told_first():
    f = custom_batching.custom_vmap(lambda x, *, k: x * k)
    with pytest.raises(TypeError, match="keyword-only argument `k`"):
        f(1.0, k=2.0)


class TestSequential:
    def test_values(self):
        f = custom_batching.sequential_vmap(lambda x, y: x + y.sum())
        np.testing.assert_allclose(px.vmap(f, (0, None))(XS, XS), XS + XS.sum())
        np.testing.assert_allclose(f(1.0, XS), 4.5)

    def test_is_a_loop(self):
        f = custom_batching.sequential_vmap(lambda x, y: {"a": x * y})
        jaxpr = px.make_jaxpr(px.vmap(f))(XS, XS)
        assert [e.primitive.name for e in jaxpr.eqns] == ["scan"]
        nested = px.vmap(px.vmap(f, (0, None)), (None, 0))(XS, XS)["a"]
        np.testing.assert_allclose(nested, np.outer(XS, XS), rtol=1e-6)
