"""`grad` and `value_and_grad`: laws, reports, what is handed through."""
from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import perspicax as px
import perspicax.numpy as jnp
from perspicax import lax
from perspicax.core.printer import check_jaxpr
from perspicax.errors import ConcretizationTypeError
from perspicax.transform.errors import (
    AuxiliaryResultError,
    DifferentiationInputError,
    NonScalarGradError,
    ReturnedTypeError,
)

XS = np.array([0.3, 0.7, -1.1], np.float32)


def wave(x):
    return jnp.sin(x) * x**2


def central(f, x, h=1e-5):
    return (f(x + h) - f(x - h)) / (2 * h)


@pytest.mark.parametrize("function", [
    wave, lambda x: jnp.exp(-x) / (1 + x * x), lambda x: lax.scan(lambda c, _: (jnp.sin(c) * x, None), x, None, length=4)[0],
    lambda x: px.jit(wave)(px.jit(wave)(x)), lambda x: px.vmap(lambda y: wave(x * y))(jnp.arange(3.0)).sum(),
    lambda x: px.grad(wave)(x), lambda x: px.jvp(wave, (x,), (x,))[1],
])
def test_agrees_with_central_differences_to_third_order(function):
    with px.enable_x64(True):
        point = np.float64(0.7)
        for f in (function, px.grad(function), px.grad(px.grad(function))):
            expected = central(lambda x: float(f(x)), point)
            for gradient in (px.grad(f), px.jit(px.grad(f)), px.grad(px.jit(f)), lambda x, f=f: px.jvp(f, (x,), (1.0,))[1]):
                np.testing.assert_allclose(gradient(point), expected, rtol=1e-6)


class TestPerturbations:
    """Derivatives with respect to different variables are not confused, however they are nested."""

    def test_nested(self):
        assert px.grad(lambda x: x * px.grad(lambda y: x + y)(1.0))(1.0) == 1.0
        assert px.grad(lambda x: x * px.grad(lambda y: x * y * y)(2.0))(3.0) == 24.0

    @pytest.mark.parametrize("inner", [lambda f: f, px.jit], ids=["eager", "jit"])
    @pytest.mark.parametrize("outer", [lambda f: f, px.jit], ids=["eager", "jit"])
    def test_forward_and_reverse(self, inner, outer):
        f = lambda x: x * px.jvp(inner(lambda y: x * y * y), (x,), (1.0,))[1]  # 2 x³
        assert px.grad(outer(f))(3.0) == 54.0
        assert px.jvp(outer(f), (3.0,), (1.0,))[1] == 54.0
        np.testing.assert_allclose(px.vmap(px.grad(outer(f)))(XS), 6 * XS**2, rtol=1e-5)

    def test_three_levels(self):
        f = lambda x: px.grad(lambda y: px.grad(lambda z: x * y * z * z)(y))(x)  # d/dy 2 x y² = 4 x y = 4 x²
        assert px.grad(f)(3.0) == 24.0


class TestArguments:
    def test_argnums(self):
        f = lambda x, y, z: x * y + z
        assert px.grad(f, (0, 1))(2.0, 3.0, 4.0) == (3.0, 2.0)
        assert px.grad(f, -2)(2.0, 3.0, 4.0) == 2.0
        assert px.grad(f, [2])(2.0, 3.0, 4.0) == (1.0,)
        assert px.value_and_grad(f, 1)(2.0, 3.0, z=4.0) == (10.0, 2.0)

    def test_argnums_that_name_no_argument(self):
        with pytest.raises(DifferentiationInputError) as caught:
            px.grad(lambda x: x, 1)(1.0)
        assert (caught.value.kind, caught.value.name) == ("argnums", "1")

    def test_integers_are_named_by_path(self):
        with pytest.raises(DifferentiationInputError) as caught:
            px.grad(lambda x, params: x, 1)(1.0, {"layers": [1.0, 2]})
        assert (caught.value.kind, caught.value.name) == ("integer", "params['layers'][1]")

    def test_a_question_to_a_later_argument_names_it(self):
        with pytest.raises(px.errors.ConcretizationTypeError, match=r"argument `y`"):
            px.jit(px.grad(lambda x, y: x if y > 0 else y, 1))(1.0, 2.0)

    def test_gradients_are_arrays_of_the_arguments_types(self):
        for x in (3.0, np.float16(3.0), jnp.bfloat16(3.0), np.float32(3.0)):
            for f in (lambda v: v, lambda v: v * 2, lambda v: v * 0 + 1, lambda v: jnp.float32(1.0)):
                found = px.grad(f)(x)
                assert isinstance(found, px.Array) and found.aval is px.typeof(x)

    def test_float0(self):
        found = px.grad(lambda x, n: x * n, argnums=(0, 1), allow_int=True)(2.0, np.arange(3).sum())
        assert found[0] == 3.0
        assert (found[1].dtype, found[1].shape) == (px.float0, ())

    def test_holomorphic(self):
        np.testing.assert_allclose(px.grad(lambda z: z * z, holomorphic=True)(1 + 2j), 2 + 4j)
        for kind, x in (("holomorphic", 1.0),):
            with pytest.raises(DifferentiationInputError) as caught:
                px.grad(lambda z: z * z, holomorphic=True)(x)
            assert caught.value.kind == kind


class TestResults:
    @pytest.mark.parametrize(("result", "kind"), [
        (lambda x: jnp.ones(3) * x, "shape"), (lambda x: (x, x), "pair"), (lambda x: {"a": x}, "tree"),
        (lambda x: None, "none"), (lambda x: (x * jnp.ones(2), x), "tree"),
        (lambda x: x.astype(jnp.int32), "integer"), (lambda x: x * 1j, "complex"),
    ])
    def test_no_scalar(self, result, kind):
        with pytest.raises(NonScalarGradError) as caught:
            px.grad(result)(jnp.float32(1.0))
        assert caught.value.kind == kind

    def test_no_array(self):
        with pytest.raises(ReturnedTypeError) as caught:
            px.grad(lambda x: "text")(1.0)
        assert (caught.value.function, caught.value.value_type) == ("<lambda>", "str")

    def test_aux_may_be_anything(self):
        token = object()
        gradient, aux = px.grad(lambda x: (x * x, {"x": x, "token": token, "twice": 2 * x}), has_aux=True)(3.0)
        assert gradient == 6.0 and aux["token"] is token
        assert (float(aux["x"]), float(aux["twice"])) == (3.0, 6.0)

    def test_aux_under_other_transformations(self):
        f = px.value_and_grad(lambda x: (x * x, x + 1), has_aux=True)
        for run in (f, px.jit(f)):
            assert run(3.0) == ((9.0, 4.0), 6.0)
        (values, aux), gradients = px.vmap(f)(XS)
        np.testing.assert_allclose(values, XS**2, rtol=1e-6)
        np.testing.assert_allclose(aux, XS + 1)
        np.testing.assert_allclose(gradients, 2 * XS)
        assert px.grad(lambda x: f(x)[0][1])(3.0) == 1.0

    @pytest.mark.parametrize("result", [lambda x: x, lambda x: (x, x, x), lambda x: {"a": x}])
    def test_aux_that_is_missing(self, result):
        with pytest.raises(AuxiliaryResultError):
            px.grad(result, has_aux=True)(1.0)


def test_stop_gradient():
    f = lambda x: lax.stop_gradient(x * x) * x
    assert (f(3.0), px.grad(f)(3.0), px.grad(px.jit(f))(3.0)) == (27.0, 9.0, 9.0)
    assert px.jvp(f, (3.0,), (1.0,))[1] == 9.0
    np.testing.assert_allclose(px.vmap(px.grad(f))(XS), XS**2, rtol=1e-6)
    assert px.grad(px.grad(f))(3.0) == 0.0


def test_the_jaxpr_of_a_gradient_has_no_needless_equations():
    jaxpr = px.make_jaxpr(px.grad(lambda x: jnp.sin(x)))(1.0)
    assert [e.primitive.name for e in jaxpr.eqns] == ["sin", "cos", "mul"]
    check_jaxpr(jaxpr.jaxpr)


def test_residuals_are_computed_once():
    calls = []

    def f(x):
        calls.append(1)
        return jnp.sin(x).sum()

    px.grad(f)(XS)
    px.value_and_grad(f)(XS)
    assert len(calls) == 2


@pytest.mark.parametrize("argnums", [(0, 0), (0, -2), (0, 1, 0)])
def test_an_argument_is_differentiated_once(argnums: tuple[int, ...]) -> None:
    for transform in (px.grad, px.jacrev, px.jacfwd):
        with pytest.raises(TypeError, match="twice"):
            transform(lambda x, y: x * y, argnums)(3.0, 1.0)


@pytest.mark.parametrize("taken", [float, complex, lambda x: x.tolist(), lambda x: round(float(x), 1)])
def test_a_number_taken_out_of_what_is_differentiated_is_refused_and_not_a_zero_derivative(taken: Any) -> None:
    with pytest.raises(ConcretizationTypeError):
        px.grad(lambda w: w * taken(w))(2.0)
    with pytest.raises(ConcretizationTypeError):
        px.jvp(lambda w: w * taken(w), (2.0,), (1.0,))
