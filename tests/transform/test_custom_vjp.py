"""Functions with a reverse-mode rule of the user's."""
from __future__ import annotations

import functools

import numpy as np
import pytest

import perspicax as px
import perspicax.numpy as jnp
from perspicax import lax
from perspicax.transform.custom import CustomVJPPrimal, SymbolicZero
from perspicax.transform.errors import CustomRuleError, ForwardRuleMissingError

XS = np.array([0.3, 0.7, -1.1], np.float32)


def scaled_sine(factor=3.0):
    @px.custom_vjp
    def f(x):
        return jnp.sin(x)

    f.defvjp(lambda x: (f(x), {"cosine": (jnp.cos(x), None)}), lambda res, ct: (factor * ct * res["cosine"][0],))
    return f


def product(bwd, fwd=lambda x, y: (x * y, (x, y))):
    @px.custom_vjp
    def f(x, y):
        return x * y

    f.defvjp(fwd, bwd)
    return f


@pytest.mark.parametrize("wrap", [lambda f: f, px.jit], ids=["eager", "jit"])
class TestRuleIsUsed:
    def test_by_reverse_mode(self, wrap):
        f = wrap(scaled_sine())
        np.testing.assert_allclose(f(2.0), np.sin(2), rtol=1e-6)
        np.testing.assert_allclose(px.grad(f)(2.0), 3 * np.cos(2), rtol=1e-6)
        np.testing.assert_allclose(px.jit(px.vjp(f, 2.0)[1])(2.0)[0], 6 * np.cos(2), rtol=1e-6)
        np.testing.assert_allclose(px.grad(px.grad(f))(2.0), -3 * np.sin(2), rtol=1e-6)

    def test_under_vmap_in_every_order(self, wrap):
        f = wrap(scaled_sine())
        for gradient in (px.vmap(px.grad(f)), px.grad(lambda x: px.vmap(f)(x).sum()), px.jit(px.vmap(px.grad(f))),
                         px.grad(px.jit(lambda x: px.vmap(f)(x).sum()))):
            np.testing.assert_allclose(gradient(XS), 3 * np.cos(XS), rtol=1e-6)
        grid = np.stack([XS, 2 * XS])
        np.testing.assert_allclose(px.vmap(px.vmap(px.grad(f)))(grid), 3 * np.cos(grid), rtol=1e-6)

    def test_in_a_loop(self, wrap):
        f = wrap(scaled_sine(2.0))
        looped = lambda x: lax.scan(lambda c, _: (f(c), None), x, None, length=2)[0]
        np.testing.assert_allclose(px.grad(looped)(0.5), 4 * np.cos(np.sin(0.5)) * np.cos(0.5), rtol=1e-6)
        np.testing.assert_allclose(px.vmap(px.grad(looped))(XS), 4 * np.cos(np.sin(XS)) * np.cos(XS), rtol=1e-5)

    def test_forward_mode_is_reported(self, wrap):
        with pytest.raises(CustomRuleError) as caught:
            px.jvp(wrap(scaled_sine()), (2.0,), (1.0,))
        assert caught.value.kind == "forward"
        assert isinstance(caught.value, TypeError) and isinstance(caught.value, NotImplementedError)  # JAX raises either

    def test_forward_mode_is_reported_under_vmap_before_anything_runs(self, wrap):
        with pytest.raises(CustomRuleError) as caught:
            px.make_jaxpr(px.vmap(lambda x: px.jvp(wrap(scaled_sine()), (x,), (x,))))(XS)
        assert caught.value.kind == "forward"


def test_an_argument_that_vmap_does_not_map_gets_the_sum():
    f = product(lambda res, ct: (ct * res[1], ct * res[0]))
    gradient = px.grad(lambda w: px.vmap(f, in_axes=(0, None))(XS, w).sum())
    np.testing.assert_allclose(gradient(2.0), XS.sum(), rtol=1e-6)
    np.testing.assert_allclose(px.jit(gradient)(2.0), XS.sum(), rtol=1e-6)
    np.testing.assert_allclose(px.vmap(px.grad(f, 1), in_axes=(0, None))(XS, 2.0), XS, rtol=1e-6)


def test_a_cotangent_that_is_the_same_for_the_whole_batch():
    _, pull = px.vjp(px.jit(scaled_sine()), 2.0)
    np.testing.assert_allclose(px.vmap(pull)(XS)[0], 3 * np.cos(2) * XS, rtol=1e-6)
    _, push = px.linearize(px.jit(lambda x: x * 2.0), 2.0)
    np.testing.assert_allclose(px.vmap(push)(XS), 2 * XS, rtol=1e-6)


class TestCotangents:
    @pytest.mark.parametrize("second", [None, 0.0, 0, SymbolicZero])
    def test_zeros(self, second):
        def bwd(res, ct):
            return 2 * ct * res[1], SymbolicZero(px.typeof(res[1])) if second is SymbolicZero else second

        assert px.grad(product(bwd), (0, 1))(2.0, 3.0) == (6.0, 0.0)

    def test_of_integers(self):
        for second in (None, np.zeros((), px.dtypes.float0), 0):
            assert px.grad(product(lambda res, ct, s=second: (ct * res[1] * 2.0, s)))(2.0, 3) == 6.0

    def test_none_stands_for_a_subtree(self):
        f = product(lambda res, ct: ({"a": ct, "b": None}, None), lambda x, y: (x["a"] * x["b"][0], None))
        f.fun = lambda x, y: x["a"] * x["b"][0]
        found = px.grad(f)({"a": 2.0, "b": (3.0, 4.0)}, 1.0)
        assert found == {"a": 1.0, "b": (0.0, 0.0)}

    def test_are_arrays_for_bwd(self):
        seen = []

        def bwd(res, ct):
            seen.extend([isinstance(ct[0], px.Array), isinstance(ct[1], px.Array)])
            return (ct[0] * 10 + ct[1] * 100,)

        @px.custom_vjp
        def f(x):
            return x * 2, x * 3

        f.defvjp(lambda x: (f(x), None), bwd)
        assert px.grad(lambda x: f(x)[1])(1.0) == 100.0
        assert seen == [True, True]

    @pytest.mark.parametrize(("back", "kind"), [
        (lambda ct: ct, "count"), (lambda ct: (ct,), "count"), (lambda ct: (ct, ct, ct), "count"), (lambda ct: None, "count"),
        (lambda ct: ((ct,), ct), "structure"), (lambda ct: (ct * XS, ct), "cotangent type"),
        (lambda ct: (ct * 1j, ct), "cotangent type"),
    ])
    @pytest.mark.parametrize("wrap", [lambda f: f, px.jit], ids=["eager", "jit"])
    def test_that_do_not_fit(self, back, kind, wrap):
        with pytest.raises(CustomRuleError) as caught:
            px.grad(wrap(product(lambda res, ct: back(ct))))(2.0, 3.0)
        assert caught.value.kind == kind
        assert kind != "cotangent type" or isinstance(caught.value, ValueError)

    def test_of_other_keys(self):
        f = product(lambda res, ct: ({"a": ct, "c": ct}, None), lambda x, y: (x["a"] * y, None))
        f.fun = lambda x, y: x["a"] * y
        with pytest.raises(CustomRuleError) as caught:
            px.grad(f)({"a": 2.0, "b": 1.0}, 3.0)
        assert caught.value.kind == "structure"


class TestFwd:
    @pytest.mark.parametrize(("result", "kind"), [
        (lambda x, y: x * y, "pair"), (lambda x, y: ((x * y,), None), "structure"),
        (lambda x, y: (x * y, "text"), "residual"),
    ])
    def test_what_it_must_not_return(self, result, kind):
        with pytest.raises(CustomRuleError) as caught:
            px.grad(px.jit(product(lambda res, ct: (ct, ct), result)))(2.0, 3.0)
        assert caught.value.kind == kind

    def test_residuals_may_be_numbers(self):
        f = product(lambda res, ct: (ct * res["n"], None), lambda x, y: (x * y, {"n": 3}))
        assert px.grad(px.jit(f))(2.0, 5.0) == 3.0


class TestArguments:
    def applied(self):
        @functools.partial(px.custom_vjp, nondiff_argnums=(0, 2))
        def apply(f, x, n):
            return f(x) * n

        apply.defvjp(lambda f, x, n: (apply(f, x, n), x), lambda f, n, res, ct: (ct * n * 5.0,))
        return apply

    def test_not_differentiated(self):
        apply = self.applied()
        assert px.grad(apply, 1)(jnp.sin, 2.0, 3) == 15.0
        assert px.jit(lambda x: px.grad(apply, 1)(jnp.sin, x, 3))(2.0) == 15.0
        np.testing.assert_allclose(px.vmap(lambda x, n: px.grad(apply, 1)(jnp.sin, x, n))(XS, XS), 5 * XS, rtol=1e-6)

    def test_not_differentiated_after_all(self):
        with pytest.raises(TypeError, match=r"closes over a value|no value"):
            px.grad(lambda n: self.applied()(jnp.sin, 2.0, n))(3.0)

    def test_symbolic_zeros(self):
        seen = []

        @px.custom_vjp
        def f(x, y):
            return x * y, x + y

        def fwd(x, y):
            seen.append(("fwd", type(x) is CustomVJPPrimal, x.perturbed, y.perturbed))
            return (x.value * y.value, x.value + y.value), y.value

        def bwd(res, ct):
            seen.append(("bwd", *[type(t) is SymbolicZero for t in ct]))
            return ct[0] * res, None

        f.defvjp(fwd, bwd, symbolic_zeros=True)
        gradient = px.grad(lambda x: f(x, 3.0)[0])
        assert (gradient(2.0), px.jit(gradient)(2.0)) == (3.0, 3.0)
        np.testing.assert_allclose(px.vmap(gradient)(XS), [3.0] * 3)
        assert seen == [("fwd", True, True, False), ("bwd", False, True)] * 3


class TestClosures:
    def closing_over(self, y):
        @px.custom_vjp
        def f(x):
            return x * y

        f.defvjp(lambda x: (f(x), None), lambda res, ct: (ct * 7.0 * y,))
        return f

    @pytest.mark.parametrize("inner", [lambda f: f, px.jit], ids=["eager", "jit"])
    def test_over_batched_and_staged_values(self, inner):
        gradient = lambda y: px.grad(inner(self.closing_over(y)))(2.0)
        np.testing.assert_allclose(px.vmap(gradient)(XS), 7 * XS, rtol=1e-6)
        np.testing.assert_allclose(px.jit(gradient)(3.0), 21.0)

    @pytest.mark.parametrize("inner", [lambda f: f, px.jit], ids=["eager", "jit"])
    def test_over_differentiated_values_is_reported(self, inner):
        with pytest.raises(CustomRuleError) as caught:
            px.grad(inner(lambda y: self.closing_over(y)(y)))(3.0)
        assert caught.value.kind == "closure"


def test_rules_are_those_of_the_time_of_the_call():
    f = scaled_sine()
    _, pull = px.vjp(f, 2.0)
    f.defvjp(f.fwd, lambda res, ct: (ct * 0.0,))
    np.testing.assert_allclose(pull(1.0)[0], 3 * np.cos(2), rtol=1e-6)
    assert px.grad(f)(2.0) == 0.0


def test_a_function_without_rules():
    with pytest.raises(AttributeError, match="no custom derivative rule"):
        px.custom_vjp(lambda x: x)(1.0)


def test_forward_mode_under_vmap_and_reverse_mode_is_told_of_the_rule():
    f = px.custom_vjp(lambda x: jnp.sum(x * x))
    f.defvjp(lambda x: (jnp.sum(x * x), x), lambda x, ct: (3.0 * ct * x,))
    x = jnp.ones((3, 2))
    pushed = lambda x: px.jvp(px.vmap(f), (x,), (x,))[1].sum()
    with pytest.raises(ForwardRuleMissingError):
        px.grad(lambda x: px.grad(pushed)(x).sum())(x)
