"""Functions with a forward-mode rule of the user's."""
from __future__ import annotations

import functools

import numpy as np
import pytest

import perspicax as px
import perspicax.numpy as jnp
from perspicax import lax
from perspicax.core.printer import check_jaxpr
from perspicax.transform.custom import SymbolicZero
from perspicax.transform.errors import CustomRuleError

XS = np.array([0.3, 0.7, -1.1], np.float32)


def scaled_sine(factor=3.0):
    """sin with a derivative that is wrong by `factor`, so that it tells whether the rule was used."""
    @px.custom_jvp
    def f(x):
        return jnp.sin(x)

    @f.defjvp
    def rule(primals, tangents):
        return f(*primals), factor * jnp.cos(primals[0]) * tangents[0]

    return f


@pytest.mark.parametrize("wrap", [lambda f: f, px.jit], ids=["eager", "jit"])
class TestRuleIsUsed:
    def test_by_forward_and_reverse_mode(self, wrap):
        f = wrap(scaled_sine())
        np.testing.assert_allclose(f(2.0), np.sin(2), rtol=1e-6)
        np.testing.assert_allclose(px.grad(f)(2.0), 3 * np.cos(2), rtol=1e-6)
        np.testing.assert_allclose(px.jvp(f, (2.0,), (1.0,))[1], 3 * np.cos(2), rtol=1e-6)
        np.testing.assert_allclose(px.linearize(f, 2.0)[1](2.0), 6 * np.cos(2), rtol=1e-6)

    def test_by_the_derivative_of_the_derivative(self, wrap):
        f = wrap(scaled_sine())
        np.testing.assert_allclose(px.grad(px.grad(f))(2.0), -3 * np.sin(2), rtol=1e-6)
        np.testing.assert_allclose(px.grad(px.jit(px.grad(px.grad(f))))(2.0), -3 * np.cos(2), rtol=1e-6)

    def test_under_vmap_in_every_order(self, wrap):
        f = wrap(scaled_sine())
        np.testing.assert_allclose(px.vmap(f)(XS), np.sin(XS), rtol=1e-6)
        for gradient in (px.vmap(px.grad(f)), px.grad(lambda x: px.vmap(f)(x).sum()), px.jit(px.vmap(px.grad(f))),
                         px.grad(px.jit(lambda x: px.vmap(f)(x).sum()))):
            np.testing.assert_allclose(gradient(XS), 3 * np.cos(XS), rtol=1e-6)

    def test_in_a_loop(self, wrap):
        f = wrap(scaled_sine(2.0))
        looped = lambda x: lax.scan(lambda c, _: (f(c), None), x, None, length=2)[0]
        expected = 4 * np.cos(np.sin(0.5)) * np.cos(0.5)
        np.testing.assert_allclose(px.grad(looped)(0.5), expected, rtol=1e-6)
        np.testing.assert_allclose(px.vmap(px.grad(looped))(XS), 4 * np.cos(np.sin(XS)) * np.cos(XS), rtol=1e-5)


class TestDefjvps:
    def product(self, *rules):
        @px.custom_jvp
        def f(x, y):
            return x * y

        f.defjvps(*rules)
        return f

    def test_terms_are_added(self):
        f = self.product(lambda t, out, x, y: 2 * t * y, lambda t, out, x, y: 3 * t * x)
        assert px.grad(f, (0, 1))(2.0, 5.0) == (10.0, 6.0)

    def test_none_is_zero(self):
        assert px.grad(self.product(None, lambda t, out, x, y: 3 * t * x), (0, 1))(2.0, 5.0) == (0.0, 6.0)
        assert px.grad(self.product(None, None), (0, 1))(2.0, 5.0) == (0.0, 0.0)

    def test_one_rule_for_each_argument(self):
        with pytest.raises(CustomRuleError) as caught:
            px.grad(self.product(None))(2.0, 5.0)
        assert (caught.value.kind, caught.value.got, caught.value.expected) == ("rules", "1", "2")


class TestArguments:
    def applied(self):
        @functools.partial(px.custom_jvp, nondiff_argnums=(0, 2))
        def apply(f, x, n):
            return f(x) * n

        @apply.defjvp
        def rule(f, n, primals, tangents):
            return apply(f, primals[0], n), tangents[0] * n * 5.0

        return apply

    def test_not_differentiated(self):
        apply = self.applied()
        assert px.grad(apply, 1)(jnp.sin, 2.0, 3) == 15.0
        assert px.jit(lambda x: px.grad(apply, 1)(jnp.sin, x, 3))(2.0) == 15.0
        np.testing.assert_allclose(px.vmap(lambda x: px.grad(apply, 1)(jnp.sin, x, 3))(XS), [15.0] * 3)

    def test_not_differentiated_but_traced(self):
        """A batched or staged value is fine; a differentiated one counts as constant."""
        apply = self.applied()
        by_n = px.vmap(lambda x, n: px.grad(apply, 1)(jnp.sin, x, n))(XS, XS)
        np.testing.assert_allclose(by_n, 5 * XS, rtol=1e-6)
        assert px.jit(lambda x, n: px.grad(apply, 1)(jnp.sin, x, n))(2.0, 3.0) == 15.0
        assert px.grad(lambda n: apply(jnp.sin, 2.0, n))(3.0) == 0.0

    def test_defaults_and_keywords(self):
        @px.custom_jvp
        def f(x, y=2.0, *, z=1.0):
            return x * y * z

        f.defjvp(lambda primals, tangents: (f(*primals), 7 * tangents[0] + tangents[1]))
        assert (f(1.0), f(1.0, y=3.0)) == (2.0, 3.0)
        assert px.grad(f)(1.0, y=3.0) == 7.0
        with pytest.raises(CustomRuleError, match="`z`"):
            f(1.0, z=2.0)

    def test_integers(self):
        @px.custom_jvp
        def f(x, n):
            return x * n

        f.defjvp(lambda primals, tangents: (f(*primals), 2 * tangents[0] * primals[1]))
        assert px.grad(f)(2.0, 3) == 6.0
        np.testing.assert_allclose(px.jit(px.vmap(px.grad(f)))(XS, np.arange(3)), [0.0, 2.0, 4.0])

    def test_method(self):
        class Model:
            scale = 3.0

            @functools.partial(px.custom_jvp, nondiff_argnums=(0,))
            def apply(self, x):
                return self.scale * x

            @apply.defjvp
            def rule(self, primals, tangents):
                return self.apply(*primals), 100 * self.scale * tangents[0]

        assert (Model().apply(2.0), px.grad(Model().apply)(2.0)) == (6.0, 300.0)


class TestSymbolicZeros:
    def test_known_zeros_come_as_objects_and_may_be_returned(self):
        seen = []

        @px.custom_jvp
        def f(x, y):
            return x * y, x + y

        def rule(primals, tangents):
            seen.append([type(t) is SymbolicZero for t in tangents])
            out = f(*primals)
            return out, (tangents[0] * primals[1], SymbolicZero(px.typeof(out[1])))

        f.defjvp(rule, symbolic_zeros=True)
        assert px.grad(lambda x: f(x, 3.0)[0])(2.0) == 3.0
        assert px.grad(lambda x: f(x, 3.0)[1])(2.0) == 0.0
        np.testing.assert_allclose(px.vmap(px.grad(lambda x: f(x, 3.0)[0]))(XS), [3.0] * 3)
        assert px.jit(px.grad(lambda x: f(x, 3.0)[0]))(2.0) == 3.0
        assert seen == [[False, True]] * 4

    def test_without_them_zeros_are_arrays(self):
        seen = []

        @px.custom_jvp
        def f(x, y):
            return x * y

        @f.defjvp
        def rule(primals, tangents):
            seen.append([isinstance(t, px.Array) for t in tangents])
            return f(*primals), tangents[0] + tangents[1]

        assert px.grad(lambda x: f(x, 3.0))(2.0) == 1.0
        assert seen == [[True, True]]


class TestClosures:
    """A function with a rule of its own sees the values of enclosing traces, unless they are being differentiated."""

    def closing_over(self, y):
        @px.custom_jvp
        def f(x):
            return x * y

        f.defjvp(lambda primals, tangents: (f(*primals), tangents[0] * y * 7.0))
        return f

    @pytest.mark.parametrize("inner", [lambda f: f, px.jit], ids=["eager", "jit"])
    def test_over_batched_and_staged_values(self, inner):
        gradient = lambda y: px.grad(inner(self.closing_over(y)))(2.0)
        np.testing.assert_allclose(px.vmap(gradient)(XS), 7 * XS, rtol=1e-6)
        np.testing.assert_allclose(px.jit(gradient)(3.0), 21.0)
        np.testing.assert_allclose(px.jit(px.vmap(gradient))(XS), 7 * XS, rtol=1e-6)
        value = lambda y: inner(self.closing_over(y))(2.0)
        np.testing.assert_allclose(px.vmap(value)(XS), 2 * XS, rtol=1e-6)

    @pytest.mark.parametrize("inner", [lambda f: f, px.jit], ids=["eager", "jit"])
    @pytest.mark.parametrize("argument", [lambda y: 2.0, lambda y: y], ids=["constant", "moving"])
    def test_over_differentiated_values_is_reported(self, inner, argument):
        with pytest.raises(CustomRuleError) as caught:
            px.grad(inner(lambda y: self.closing_over(y)(argument(y))))(3.0)
        assert caught.value.kind == "closure"

    def test_over_a_differentiated_value_that_does_not_matter(self):
        def f(y):
            @px.custom_jvp
            def g(x):
                assert y is not None
                return x * 2.0

            g.defjvp(lambda primals, tangents: (g(*primals), tangents[0] * 7.0))
            return g(y)

        assert px.grad(f)(3.0) == 7.0


def rule_returning(result):
    @px.custom_jvp
    def f(x):
        return x * 1.0

    f.defjvp(lambda primals, tangents: result(primals[0], tangents[0]))
    return f


@pytest.mark.parametrize(("result", "kind"), [
    (lambda x, t: t, "pair"), (lambda x, t: (x, t, t), "pair"), (lambda x, t: (x, (t,)), "structure"),
    (lambda x, t: (x, t * XS), "tangent type"), (lambda x, t: (x, t.astype(jnp.float16)), "tangent type"),
    (lambda x, t: (x, None), "structure"),
])
@pytest.mark.parametrize("wrap", [lambda f: f, px.jit], ids=["eager", "jit"])
def test_what_a_rule_must_not_return(result, kind, wrap):
    with pytest.raises(CustomRuleError) as caught:
        px.grad(wrap(rule_returning(result)))(1.0)
    assert caught.value.kind == kind


def test_a_function_without_a_rule():
    with pytest.raises(AttributeError, match="no custom derivative rule"):
        px.custom_jvp(lambda x: x)(1.0)


def test_the_equation_names_its_parts_as_jax_does():
    jaxpr = px.make_jaxpr(px.vmap(scaled_sine()))(XS)
    equation = next(e for e in jaxpr.eqns if e.primitive.name == "custom_jvp_call")
    assert equation.params["call_jaxpr"].out_avals[0].shape == (3,)
    assert equation.params["num_consts"] == 0
    check_jaxpr(jaxpr.jaxpr)


def test_linear_function_can_be_transposed():
    @px.custom_jvp
    def double(x):
        return 2 * x

    double.defjvp(lambda primals, tangents: (double(*primals), 7 * tangents[0]))
    assert px.linear_transpose(double, 1.0)(5.0) == (10.0,)


def test_rule_and_function_get_arrays_where_grad_is_given_numbers():
    @px.custom_jvp
    def scaled(x, y):
        return (x * y).astype(x.dtype)

    @scaled.defjvp
    def _rule(primals, tangents):
        (x, y), (dx, dy) = primals, tangents
        return scaled(x, y), dx * y.astype(x.dtype) + dy * x

    assert float(px.grad(scaled)(2.0, 3.0)) == 3.0
    assert float(px.grad(scaled, 1)(2.0, 3.0)) == 2.0
