"""`closure_convert`, `custom_gradient`, `linear_call`, `linear_transpose`, and helpers of rules."""
from __future__ import annotations

import functools

import numpy as np
import pytest

import perspicax as px
from perspicax import custom_derivatives
from perspicax import numpy as jnp
from perspicax.core.errors import NotAnArrayError
from perspicax.transform.custom_errors import (
    CustomGradientError,
    LinearCallError,
    LinearTypesError,
    NotLinearError,
    StructureError,
)
from perspicax.transform.errors import CustomRuleError, TangentError
from perspicax.transform.symbolic_zeros import NotPerturbedPairError

XS = np.array([0.5, 1.0, 2.0], np.float32)


class TestClosureConvert:
    def test_traced_inexact_values_are_hoisted_and_no_others(self):
        seen = []

        def program(z, n):
            converted, values = px.closure_convert(lambda x: x * z + n + XS.sum(), 2.0)
            seen.append([px.typeof(v).str_short() for v in values])
            return converted(2.0, *values)

        assert program(3.0, 4) == 13.5 and px.jit(program)(3.0, 4) == 13.5
        assert px.grad(program)(3.0, 4) == 2.0
        assert seen == [[], ["float32[]"], ["float32[]"]]

    def test_a_rule_that_takes_a_function(self):
        @functools.partial(px.custom_vjp, nondiff_argnums=(0,))
        def twice(f, x, *values):
            return f(f(x, *values), *values)

        def forward(f, x, *values):
            return twice(f, x, *values), (x, values)

        def backward(f, residuals, ct):
            x, values = residuals
            return px.vjp(lambda x, *values: f(f(x, *values), *values), x, *values)[1](ct)

        twice.defvjp(forward, backward)

        def program(x, z):
            converted, values = px.closure_convert(lambda t: jnp.sin(t) * z, x)
            return twice(converted, x, *values)

        plain = lambda x, z: jnp.sin(jnp.sin(x) * z) * z
        np.testing.assert_allclose(px.grad(program, (0, 1))(0.7, 1.5), px.grad(plain, (0, 1))(0.7, 1.5), rtol=1e-5)

    def test_pytrees(self):
        converted, values = px.closure_convert(lambda d: {"o": d["a"] * 2}, {"a": 1.0})
        assert converted({"a": 4.0}, *values) == {"o": 8.0}

    def test_calls_that_do_not_fit(self):
        converted, _ = px.closure_convert(lambda x: x, 1.0)
        for args in (((1.0, 2.0),), (1.0, 2.0), ()):
            with pytest.raises(StructureError) as caught:
                converted(*args)
            assert isinstance(caught.value, TypeError) and "`closure_convert`" in caught.value.report.says


class TestCustomGradient:
    def test_the_pull_back_is_used(self):
        f = px.custom_gradient(lambda x, y: (x * y, lambda ct: (ct * x, ct * 10)))
        assert f(3.0, 4.0) == 12.0 and px.jit(f)(3.0, 4.0) == 12.0
        for wrap in (lambda f: f, px.jit):
            assert px.grad(wrap(f), (0, 1))(3.0, 4.0) == (3.0, 10.0)

    @pytest.mark.parametrize("back", [lambda ct: ct * 5, lambda ct: (ct * 5,), lambda ct: [ct * 5]])
    def test_one_argument(self, back):
        assert px.grad(px.custom_gradient(lambda x: (x**2, back)))(3.0) == 5.0

    def test_pytrees_and_vmap(self):
        f = px.custom_gradient(lambda d: ({"u": d["a"] ** 2}, lambda ct: ({"a": ct["u"] * d["a"]},)))
        found = px.vmap(lambda x: px.vjp(f, {"a": x})[1]({"u": 2.0}))(XS)
        np.testing.assert_allclose(found[0]["a"], 2 * XS)

    @pytest.mark.parametrize(("result", "kind"), [(lambda x: x, "pair"), (lambda x: (x, x, x), "pair"),
                                                  (lambda x: (x, 3.0), "pull-back")])
    def test_what_it_must_not_return(self, result, kind):
        for call in (px.custom_gradient(result), px.grad(px.custom_gradient(result))):
            with pytest.raises(CustomGradientError) as caught:
                call(3.0)
            assert caught.value.kind == kind

    def test_cotangents_that_do_not_fit(self):
        short = px.custom_gradient(lambda x, y: (x * y, lambda ct: (ct,)))
        with pytest.raises(CustomRuleError) as caught:
            px.grad(short)(1.0, 2.0)
        assert (caught.value.kind, caught.value.rule, caught.value.expected) == ("count", "pull_back", "2")
        wide = px.custom_gradient(lambda x: (x**2, lambda ct: (jnp.ones(3),)))
        with pytest.raises(ValueError, match=r"float32\[3\] as the cotangent of `x`"):
            px.grad(wide)(1.0)


def scaled(r, x):
    """x / r, with ten times its transposition."""
    return custom_derivatives.linear_call(lambda r, x: x / r, lambda r, ct: ct / r * 10, r, x)


class TestLinearCall:
    def test_value_and_transposition(self):
        assert scaled(3.0, 9.0) == 3.0 and px.jit(scaled)(3.0, 9.0) == 3.0
        assert px.jvp(lambda x: scaled(2.0, x), (1.0,), (3.0,)) == (0.5, 1.5)
        for wrap in (lambda f: f, px.jit):
            assert px.grad(wrap(scaled), 1)(2.0, 1.0) == 5.0

    def test_the_transposition_of_the_transposition_is_the_function(self):
        custom = lambda x: custom_derivatives.linear_call(lambda _, x: x, lambda _, ct: ct * 7.0, (), x)
        transposed = lambda f: lambda y: px.linear_transpose(f, 1.0)(y)[0]
        assert [f(1.0) for f in (transposed(custom), transposed(transposed(custom)),
                                 transposed(transposed(transposed(custom))))] == [7.0, 1.0, 7.0]

    def test_residuals_have_a_derivative(self):
        np.testing.assert_allclose(px.jvp(lambda r: scaled(r, 3.0), (2.0,), (1.0,))[1], -0.75)
        np.testing.assert_allclose(px.grad(scaled)(2.0, 3.0), -0.75)

    @pytest.mark.parametrize("axes", [(0, 0), (0, None), (None, 0)])
    def test_vmap(self, axes):
        r, x = [XS if a == 0 else np.float32(2.0) for a in axes]
        np.testing.assert_allclose(px.vmap(scaled, axes)(r, x), np.broadcast_to(x / r, 3), rtol=1e-6)
        found = px.vmap(px.grad(scaled, 1), axes)(r, x)
        np.testing.assert_allclose(found, np.broadcast_to(10 / r, 3), rtol=1e-6)
        total = px.grad(lambda x: px.vmap(scaled, axes)(r, x).sum())(x)
        expected = np.broadcast_to(10 / r, 3)
        np.testing.assert_allclose(total, expected if axes[1] == 0 else expected.sum(), rtol=1e-6)

    @pytest.mark.parametrize("back", [lambda r, ct: (ct, ct), lambda r, ct: ct * XS])
    def test_a_transposition_that_does_not_fit(self, back):
        with pytest.raises(LinearCallError):
            px.grad(lambda x: custom_derivatives.linear_call(lambda r, x: x, back, (), x))(1.0)


class TestLinearTranspose:
    def test_what_is_not_linear_is_told_with_its_line(self):
        def curve(x):
            y = x * 2
            return jnp.sin(y) + x

        with pytest.raises(NotLinearError) as caught:
            px.linear_transpose(curve, 1.0)(1.0)
        error = caught.value
        assert (error.primitive, error.function, error.arguments) == ("sin", "curve", ("x",))
        assert error.position.span().line == curve.__code__.co_firstlineno + 2

    def test_kinds_of_numbers(self):
        assert px.linear_transpose(lambda x: 2 * x, 3)(5)[0] == 10
        assert px.linear_transpose(lambda x: x * 2j, 1j)(1.0 + 0j)[0] == 2j
        with pytest.raises(LinearTypesError):
            px.linear_transpose(lambda x, y: x + y, 3, 2.0)

    def test_types_instead_of_values(self):
        found = px.linear_transpose(lambda x: x.sum(), px.ShapeDtypeStruct((3,), np.float32))(2.0)[0]
        np.testing.assert_array_equal(found, [2.0, 2.0, 2.0])

    @pytest.mark.parametrize(("ct", "kind"), [((1.0,), "cotangent tree"), (XS, "cotangent type"), (1, "cotangent type")])
    def test_cotangents_that_do_not_fit(self, ct, kind):
        with pytest.raises(TangentError) as caught:
            px.linear_transpose(lambda x: 2 * x, 1.0)(ct)
        assert caught.value.kind == kind

    def test_reduce_axes_is_retired(self):
        for program in (lambda: px.linear_transpose(lambda x: x, 1.0, reduce_axes=("i",)),
                        lambda: px.vjp(lambda x: x, 1.0, reduce_axes=("i",)),
                        lambda: px.grad(lambda x: x, reduce_axes=("i",))):
            with pytest.raises(NotImplementedError):
                program()


class TestSymbolicZeros:
    def test_of_values(self):
        zero = custom_derivatives.zero_from_primal(XS)
        np.testing.assert_array_equal(zero, np.zeros(3))
        assert zero.dtype == np.float32 and custom_derivatives.zero_from_primal(3).dtype == px.float0
        symbolic = custom_derivatives.zero_from_primal(XS, symbolic_zeros=True)
        assert (symbolic.shape, symbolic.dtype, symbolic.ndim, symbolic.size) == ((3,), np.float32, 1, 3)
        assert symbolic == custom_derivatives.SymbolicZero.from_primal_value(XS)
        with pytest.raises(NotAnArrayError):
            custom_derivatives.zero_from_primal("text")

    def test_primals_of_fwd(self):
        f = px.custom_vjp(lambda d, y: d["a"] * y)
        seen = []

        def forward(d, y):
            values = custom_derivatives.custom_vjp_primal_tree_values((d, y))
            seen.append((d["a"].perturbed, y.perturbed))
            return values[0]["a"] * values[1], values[1]

        f.defvjp(forward, lambda y, ct: ({"a": ct * y}, None), symbolic_zeros=True)
        assert px.grad(f)({"a": 2.0}, 3.0) == {"a": 3.0} and seen == [(True, False)]
        with pytest.raises(NotPerturbedPairError) as caught:
            custom_derivatives.custom_vjp_primal_tree_values({"a": 1.0})
        assert caught.value.path == "tree['a']"
