"""jax.nn: laws that hold for activations, softmax and attention; derivatives against differences; what errors say."""
from __future__ import annotations

import inspect
from typing import Any

import numpy as np
import pytest

import perspicax as jax
import perspicax.numpy as jnp
from perspicax import nn
from perspicax.core.printer import check_jaxpr
from perspicax.nn.errors import AttentionOperandError, GatedSizeError, InitializerError
from perspicax.numpy.errors import ArgumentValueError, AxisError, BroadcastError, NotArrayLikeError
from perspicax.test_util import check_grads

ELEMENTWISE = [n for n in nn.__all__ if n not in ("dot_product_attention", "get_scaled_dot_general_config", "glu",
                                                  "initializers", "log_softmax", "logmeanexp", "logsumexp", "one_hot",
                                                  "scaled_dot_general", "scaled_matmul", "softmax", "standardize")]
AWAY_FROM_KINKS = np.array([-4.3, -2.2, -0.7, 0.4, 0.8, 2.5, 4.7])
X = np.random.default_rng(0).standard_normal((3, 4)).astype(np.float32)


@pytest.mark.parametrize("name", ELEMENTWISE)
def test_derivatives_agree_with_differences(name: str) -> None:
    points = np.abs(AWAY_FROM_KINKS) if name == "log1mexp" else AWAY_FROM_KINKS
    with jax.enable_x64(True):
        check_grads(getattr(nn, name), (jnp.asarray(points),), order=2, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("name", ELEMENTWISE)
def test_an_activation_works_element_by_element(name: str) -> None:
    f, points = getattr(nn, name), AWAY_FROM_KINKS.astype(np.float32)
    whole = np.asarray(f(points))
    np.testing.assert_allclose([np.asarray(f(x)) for x in points], whole, rtol=1e-6)
    np.testing.assert_allclose(np.asarray(jax.vmap(f)(points)), whole, rtol=1e-6)
    np.testing.assert_allclose(np.asarray(jax.jit(f)(points)), whole, rtol=1e-6)
    check_jaxpr(jax.make_jaxpr(f)(points).jaxpr)
    assert inspect.getdoc(f)


def test_slopes_at_kinks() -> None:
    slopes = {name: float(jax.grad(getattr(nn, name))(at)) for name, at in (
        ("relu", 0.), ("relu6", 0.), ("relu6", 6.), ("leaky_relu", 0.), ("hard_tanh", 1.), ("elu", 0.))}
    assert slopes == {"relu": 0., "relu6": 0., "leaky_relu": 1., "hard_tanh": 1., "elu": 1.}


def test_softmax_adds_up_and_does_not_overflow() -> None:
    mask = X > -0.5
    for axis in (0, -1, (0, 1), None):
        np.testing.assert_allclose(np.asarray(nn.softmax(X * 1e4, axis=axis).sum(axis)), 1, rtol=1e-5)
        np.testing.assert_allclose(np.exp(np.asarray(nn.log_softmax(X, axis=axis))), np.asarray(nn.softmax(X, axis=axis)),
                                   rtol=1e-5)
        masked = np.asarray(nn.softmax(X, axis=axis, where=mask))
        assert not masked[~mask].any()
    np.testing.assert_allclose(np.asarray(nn.softmax(X + 5, axis=0)), np.asarray(nn.softmax(X, axis=0)), rtol=1e-5)


def test_sums_in_log_space() -> None:
    np.testing.assert_allclose(nn.logsumexp(X, axis=1), np.log(np.exp(X).sum(1)), rtol=1e-5)
    np.testing.assert_allclose(nn.logmeanexp(X), np.log(np.exp(X).mean()), rtol=1e-5)
    value, sign = nn.logsumexp(np.array([0., 1.]), b=np.array([1., -1.]), return_sign=True)
    np.testing.assert_allclose(sign * np.exp(value), 1 - np.e, rtol=1e-5)
    assert float(nn.logsumexp(jnp.array([1000., 1000.]))) == pytest.approx(1000 + np.log(2))


@pytest.mark.parametrize("algorithm", ["fast", "stable"])
def test_standardize_has_mean_0_and_variance_1(algorithm: str) -> None:
    y = np.asarray(nn.standardize(X, axis=1, epsilon=0., algorithm=algorithm))
    np.testing.assert_allclose(y.mean(1), 0, atol=1e-6)
    np.testing.assert_allclose(y.var(1), 1, rtol=1e-5)


def test_attention_is_softmax_of_products() -> None:
    rng = np.random.default_rng(1)
    q, k, v = [rng.standard_normal(s).astype(np.float32) for s in ((1, 2, 4, 3), (1, 5, 2, 3), (1, 5, 2, 3))]
    wide_k, wide_v = np.repeat(k, 2, axis=2), np.repeat(v, 2, axis=2)
    logits = np.einsum("btnh,bsnh->bnts", q, wide_k) / np.sqrt(3)
    weights = np.exp(logits) / np.exp(logits).sum(-1, keepdims=True)
    wanted = np.einsum("bnts,bsnh->btnh", weights, wide_v)
    out, sums = nn.dot_product_attention(q, k, v, return_residual=True)
    np.testing.assert_allclose(out, wanted, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(sums, np.log(np.exp(logits).sum(-1)).transpose(0, 2, 1), rtol=1e-5)
    check_jaxpr(jax.make_jaxpr(nn.dot_product_attention)(q, k, v).jaxpr)


def test_initializers_have_the_variance_they_promise() -> None:
    shape, init = (200, 300), nn.initializers
    for mode, n in (("fan_in", 200), ("fan_out", 300), ("fan_avg", 250)):
        for kind in ("normal", "truncated_normal", "uniform"):
            x = np.asarray(init.variance_scaling(2., mode, kind)(jax.random.key(0), shape))
            assert x.var() == pytest.approx(2 / n, rel=0.03) and abs(x.mean()) < 1e-3
    q = np.asarray(init.orthogonal(3.)(jax.random.key(1), (5, 2, 3)))
    np.testing.assert_allclose(q.reshape(10, 3).T @ q.reshape(10, 3), 9 * np.eye(3), atol=1e-5)


def test_errors_carry_their_facts() -> None:
    with pytest.raises(GatedSizeError) as glu:
        nn.glu(jnp.ones((2, 3)))
    assert (glu.value.axis, glu.value.size, glu.value.type_text) == (1, 3, "float32[2,3]")
    with pytest.raises(AxisError) as axis:
        nn.log_softmax(X, axis=4)
    assert (axis.value.function, axis.value.axis, axis.value.ndim) == ("log_softmax", 4, 2)
    with pytest.raises(NotArrayLikeError) as text:
        nn.softmax("a")
    assert text.value.function == "softmax"
    for call, wanted in ((lambda: nn.softmax(X, where=jnp.ones(3, bool)), BroadcastError),
                         (lambda: nn.standardize(X, algorithm="q"), ArgumentValueError),
                         (lambda: nn.dot_product_attention(X, X, X, implementation="q"), ArgumentValueError),
                         (lambda: nn.initializers.orthogonal()(jax.random.key(0), (3,)), InitializerError),
                         (lambda: nn.dot_product_attention(X[None], X[None, :2], X[None]), AttentionOperandError)):
        with pytest.raises(wanted) as caught:
            call()
        assert caught.value.position is not None and caught.value.position.code.co_filename == __file__


def test_an_activation_told_what_it_cannot_take_does_not_speak_of_jit() -> None:
    for bad in ("a", object()):
        with pytest.raises(TypeError) as caught:
            nn.relu(bad)
        report = caught.value.report
        assert "`relu`" in report.says and "jit" not in report.says + report.why and not report.fixes


@pytest.mark.filterwarnings("ignore:.*64-bit types are off")
def test_one_hot_has_the_dtype_of_the_compiled_function() -> None:
    for dtype in (int, float, complex, "int64", "bool"):
        compiled = jax.jit(nn.one_hot, static_argnums=1, static_argnames="dtype")(jnp.arange(3), 3, dtype=dtype)
        assert nn.one_hot(jnp.arange(3), 3, dtype=dtype).dtype == compiled.dtype


def test_one_hot_names_the_argument_that_is_traced() -> None:
    with pytest.raises(jax.errors.ConcretizationTypeError, match="num_classes"):
        jax.jit(nn.one_hot)(jnp.arange(3), 3)
    found: Any = jax.vmap(lambda i: nn.one_hot(i, 3, axis="i"), axis_name="i", out_axes=0)(jnp.array([2, 2, 2]))
    assert list(np.asarray(found)) == [0., 0., 1.]
