"""`check_grads`, `check_jvp`, `check_vjp`, `fwd_and_bwd`, and what tells about the machine."""
from __future__ import annotations

import functools

import numpy as np
import pytest

import perspicax as px
from perspicax import numpy as jnp
from perspicax.api.argument_errors import LocalShapeError
from perspicax.api.derivative_errors import DerivativeCheckError
from perspicax.api.errors import ArgumentNumberError, NotCallableError
from perspicax.test_util import check_grads, check_jvp, check_vjp
from perspicax.transform.errors import TangentError

XS = np.array([0.5, 1.0, 2.0], np.float32)


def wrong():
    """sin with a derivative that is twice too large."""
    f = px.custom_jvp(jnp.sin)
    f.defjvp(lambda primals, tangents: (jnp.sin(*primals), 2 * jnp.cos(primals[0]) * tangents[0]))
    return f


class TestChecks:
    @pytest.mark.parametrize("function", [jnp.sin, lambda x: x**3, lambda x: {"a": x * 2, "n": 3}, lambda x: jnp.exp(-x).sum()])
    def test_right_derivatives_pass(self, function):
        check_grads(function, (XS,), order=2)

    def test_arguments_of_several_kinds(self):
        check_grads(lambda d, n: d["x"] * n, ({"x": 1.5}, 3), order=2)
        check_grads(jnp.sin, (1.0 + 0.5j,), order=1)
        check_grads(lambda z: z.real * z.imag, (1.0 + 0.5j,), order=1)
        check_grads(jnp.sin, (jnp.float16(0.7),), order=1)
        check_grads(jnp.sin, (jnp.bfloat16(0.7),), order=1)

    @pytest.mark.parametrize(("mode", "check"), [("fwd", "JVP tangent"), ("rev", "VJP cotangent projection")])
    def test_wrong_derivatives_do_not(self, mode, check):
        with pytest.raises(AssertionError) as caught:
            check_grads(wrong(), (XS,), order=1, modes=[mode])
        error = caught.value
        assert type(error) is DerivativeCheckError and error.check == check
        assert (error.count, error.size) == ((3, 3) if mode == "fwd" else (1, 1))
        with pytest.raises(DerivativeCheckError):
            check_grads(wrong(), (XS,), order=1, modes=[mode], eps=1e-2)

    def test_of_second_order_are_found_by_the_second_order_alone(self):
        f = px.custom_jvp(jnp.sin)
        f.defjvp(lambda primals, tangents: (jnp.sin(*primals), wrong()(primals[0] + np.pi / 2) * tangents[0]))
        check_grads(f, (XS,), order=1)
        with pytest.raises(DerivativeCheckError) as caught:
            check_grads(f, (XS,), order=2)
        assert "forward, then" in caught.value.message

    def test_wide_tolerances(self):
        check_grads(wrong(), (XS,), order=1, atol=10.0)

    def test_the_rules_themselves(self):
        check_jvp(jnp.sin, functools.partial(px.jvp, jnp.sin), (XS,), eps=1e-2)
        check_vjp(jnp.sin, functools.partial(px.vjp, jnp.sin), (XS,), eps=1e-2)
        wrong_value = lambda primals, tangents: (primals[0], jnp.cos(primals[0]) * tangents[0])
        with pytest.raises(DerivativeCheckError, match="while training") as caught:
            check_jvp(jnp.sin, wrong_value, (XS,), err_msg="while training")
        assert caught.value.check == "JVP primal" and caught.value.rows[0][0] == "result[0]"
        with pytest.raises(DerivativeCheckError) as caught:
            check_vjp(jnp.sin, lambda x: (jnp.sin(x), lambda ct: (ct,)), (XS,), eps=1e-2)
        assert caught.value.check == "VJP cotangent projection"

    def test_another_structure(self):
        with pytest.raises(DerivativeCheckError) as caught:
            check_jvp(lambda x: x, lambda p, t: ((p[0], p[0]), t[0]), (1.0,))
        assert caught.value.mismatch
        with pytest.raises(NotCallableError):
            check_grads(3.0, (1.0,), 1)


class TestForwardAndBackward:
    @pytest.mark.parametrize("jitted", [True, False])
    def test_they_are_value_and_pull_back(self, jitted):
        fwd, bwd = px.fwd_and_bwd(lambda x, w: x * w, argnums=(0, 1), jitted=jitted)
        for scale in (1.0, 2.0):
            value, residuals = fwd(XS * scale, XS)
            np.testing.assert_allclose(value, XS * XS * scale)
            np.testing.assert_allclose(bwd(residuals, np.ones(3, np.float32)), (XS, XS * scale))

    def test_they_are_compiled_once(self):
        traced = []
        fwd, bwd = px.fwd_and_bwd(lambda x: traced.append(1) or jnp.sin(x), argnums=0)
        for _ in range(3):
            _, residuals = fwd(1.0)
            assert bwd(residuals, 1.0) == jnp.cos(1.0)
        assert traced == [1] and bwd._cache_size() == 1

    def test_auxiliary_results_and_one_argument(self):
        fwd, bwd = px.fwd_and_bwd(lambda x, w, scale=1.0: (x * w * scale, {"note": x}), argnums=-1, has_aux=True)
        value, residuals, aux = fwd(2.0, 3.0, scale=4.0)
        assert (value, aux, bwd(residuals, 1.0)) == (24.0, {"note": 2.0}, 8.0)

    def test_mistakes(self):
        with pytest.raises(NotCallableError):
            px.fwd_and_bwd(3.0, 0)
        with pytest.raises(ArgumentNumberError):
            px.fwd_and_bwd(lambda x: x, 1)[0](1.0)
        fwd, bwd = px.fwd_and_bwd(lambda x: x, 0)
        with pytest.raises(TangentError):
            bwd(fwd(1.0)[1], XS)


def test_gradients_of_functions_with_donated_arguments():
    f = px.jit(lambda x, y: (x * y).sum(), donate_argnums=0)
    x, y = jnp.asarray(XS), jnp.asarray(XS)
    np.testing.assert_allclose(px.grad(f)(x, y), XS)
    np.testing.assert_allclose(x, XS)
    _, pull = px.vjp(f, x, y)
    np.testing.assert_allclose(pull(1.0)[1], XS)
    np.testing.assert_allclose(px.jvp(f, (x, y), (y, x))[1], 2 * (XS * XS).sum(), rtol=1e-6)


def test_what_the_machine_is(capsys):
    text = px.print_environment_info(return_string=True)
    assert [line.split(":")[0] for line in text.splitlines()] == [
        "perspicax", "jaxlib", "numpy", "python", "devices", "process_count", "platform"]
    assert px.print_environment_info() is None and capsys.readouterr().out == text + "\n"


def test_the_part_of_the_only_process_is_the_whole():
    place = px.sharding.SingleDeviceSharding(px.devices()[0])
    found = px.make_array_from_process_local_data(place, {"a": XS, "b": XS[:2]}, {"a": (3,), "b": None})
    np.testing.assert_array_equal(found["a"], XS)
    assert found["b"].sharding == place
    with pytest.raises(LocalShapeError) as caught:
        px.make_array_from_process_local_data(place, XS, (6,))
    assert (caught.value.expected, caught.value.got) == ((3,), (6,))
