"""Distributions made of several draws: moments, ranges, derivatives, and reports of what does not fit."""
from __future__ import annotations

import numpy as np
import pytest

import perspicax as jax
import perspicax.numpy as jnp
from perspicax import random
from perspicax.core.errors import ShapeError
from perspicax.extend.random import define_prng_impl
from perspicax.random.errors import (
    GeneratorError,
    GeneratorResultError,
    KeyBatchError,
    KeySeedError,
    KeyTypeError,
    KeyWordsError,
    ParameterTypeError,
    SampleDTypeError,
    SampleShapeError,
    SamplingError,
)

N = 4000
KEY = random.key(7)

# mean and variance, from the textbooks
MOMENTS = {
    "gamma": (lambda: random.gamma(KEY, 2.5, (N,)), 2.5, 2.5),
    "gamma below 1": (lambda: random.gamma(KEY, 0.5, (N,)), 0.5, 0.5),
    "beta": (lambda: random.beta(KEY, 2.0, 3.0, (N,)), 0.4, 0.04),
    "chisquare": (lambda: random.chisquare(KEY, 3.0, (N,)), 3, 6),
    "pareto": (lambda: random.pareto(KEY, 5.0, (N,)), 5 / 4, 5 / 48),
    "rayleigh": (lambda: random.rayleigh(KEY, 2.0, (N,)), 2 * np.sqrt(np.pi / 2), (4 - np.pi) / 2 * 4),
    "triangular": (lambda: random.triangular(KEY, 0.0, 0.3, 1.0, (N,)), 1.3 / 3, (0.09 + 1 - 0.3) / 18),
    "wald": (lambda: random.wald(KEY, 1.5, (N,)), 1.5, 1.5 ** 3),
    "maxwell": (lambda: random.maxwell(KEY, (N,)), 2 * np.sqrt(2 / np.pi), 3 - 8 / np.pi),
    "rademacher": (lambda: random.rademacher(KEY, (N,)), 0, 1),
    "geometric": (lambda: random.geometric(KEY, 0.2, (N,)), 5, 20),
    "poisson of few": (lambda: random.poisson(KEY, 3.0, (N,)), 3, 3),
    "poisson of many": (lambda: random.poisson(KEY, 300.0, (N,)), 300, 300),
    "binomial of few": (lambda: random.binomial(KEY, 10, 0.2, (N,)), 2, 1.6),
    "binomial of many": (lambda: random.binomial(KEY, 1000, 0.7, (N,)), 700, 210),
}


@pytest.mark.parametrize("name", MOMENTS)
def test_moments(name):
    """The mean of N samples is within five of its standard deviations; the variance within a quarter."""
    draw, mean, variance = MOMENTS[name]
    x = np.asarray(draw(), np.float64)
    assert abs(x.mean() - mean) < 5 * np.sqrt(variance / N)
    assert 0.75 * variance < x.var() < 1.3 * variance


def test_dirichlet_weights_sum_to_one():
    x = np.asarray(random.dirichlet(KEY, jnp.array([1.0, 2.0, 3.0]), (200,)))
    np.testing.assert_allclose(x.sum(-1), 1, rtol=1e-5)
    assert abs(x[:, 2].mean() - 0.5) < 0.06


def test_multinomial_counts_sum_to_the_trials():
    x = np.asarray(random.multinomial(KEY, 20, jnp.array([0.2, 0.3, 0.5]), shape=(50, 3)))
    assert (x.sum(-1) == 20).all() and (x >= 0).all()


def test_points_of_a_ball_are_inside():
    x = np.asarray(random.ball(KEY, 3, shape=(200,)))
    assert x.shape == (200, 3)
    radius = np.linalg.norm(x, axis=-1)
    assert radius.max() <= 1 and abs((radius ** 3).mean() - 0.5) < 0.1  # the cube of the radius is uniform


def test_orthogonal_matrices_are_orthogonal():
    q = np.asarray(random.orthogonal(KEY, 3, (4,)))
    np.testing.assert_allclose(q @ q.swapaxes(-1, -2), np.broadcast_to(np.eye(3), (4, 3, 3)), atol=1e-5)


@pytest.mark.parametrize("method", ["cholesky", "eigh", "svd"])
def test_covariance_of_multivariate_normal(method):
    cov = np.float32([[2, .5], [.5, 1]])
    x = np.asarray(random.multivariate_normal(KEY, jnp.array([1.0, -1.0]), cov, (N,), method=method))
    np.testing.assert_allclose(x.mean(0), [1, -1], atol=0.12)
    np.testing.assert_allclose(np.cov(x.T), cov, atol=0.2)


def test_samples_do_not_depend_on_the_shape_or_on_what_is_beside_them():
    """An element's gamma sample depends on the key, its index and its parameter: pieces of fixed size change nothing."""
    many = np.asarray(random.gamma(KEY, 2.5, (1500,)))
    assert np.array_equal(many, np.asarray(jax.jit(lambda k, a: random.gamma(k, a, (1500,)))(KEY, jnp.float32(2.5))))
    assert np.array_equal(np.asarray(random.gamma(KEY, jnp.full(3, 2.5)))[:3], many[:3])


def test_the_derivative_of_gamma_is_that_of_its_quantile():
    """Along the derivative the cumulative distribution stays the same: dF/da + F' dx/da = 0."""
    from scipy import special

    a = np.array([0.7, 3.0])
    x, dx = [np.asarray(v, np.float64) for v in jax.jvp(lambda a: random.gamma(KEY, a), (jnp.float32(a),), (jnp.ones(2),))]
    h = 1e-5
    moved = special.gammainc(a + h, x + h * dx) - special.gammainc(a - h, x - h * dx)
    assert np.abs(moved / (2 * h)).max() < 1e-4


def test_loggamma_of_tiny_shapes_is_finite():
    x = np.asarray(random.loggamma(KEY, 1e-3, (50,)))
    assert np.isfinite(x).all() and x.min() < np.log(np.finfo(np.float32).tiny)


# -- reports

def test_poisson_of_another_generator():
    with pytest.raises(GeneratorError) as caught:
        random.poisson(random.key(0, impl="rbg"), 3.0)
    assert (caught.value.generator, caught.value.known) == ("rbg", "threefry2x32")
    assert 'jax.random.key(0, impl="threefry2x32")' in str(caught.value)


def test_parameters_that_do_not_broadcast():
    alpha = jnp.ones(3)
    for draw in (lambda: random.beta(KEY, alpha, 1.0, (2,)), lambda: random.gamma(KEY, alpha, (2,)),
                 lambda: random.poisson(KEY, alpha, (2,)), lambda: random.multinomial(KEY, 3, alpha, shape=(2,))):
        with pytest.raises(SampleShapeError) as caught:
            draw()
        assert caught.value.shape == (2,)
    assert "`p` has shape (3,)" in str(caught.value)


def test_dtypes_that_a_distribution_does_not_have():
    for draw in (lambda: random.gamma(KEY, 1.0, dtype="int32"), lambda: random.geometric(KEY, 0.5, dtype="float32"),
                 lambda: random.binomial(KEY, 3, 0.5, dtype="int32"), lambda: random.orthogonal(KEY, 2, dtype="int32")):
        with pytest.raises(SampleDTypeError):
            draw()


def test_parameters_that_are_no_arrays():
    with pytest.raises(ParameterTypeError) as caught:
        random.dirichlet(KEY, [1.0, 2.0])
    assert caught.value.argument == "alpha"
    for draw in (lambda: random.dirichlet(KEY, 1.0), lambda: random.multinomial(KEY, 3, 0.5),
                 lambda: random.multivariate_normal(KEY, 1.0, jnp.eye(2)),
                 lambda: random.multivariate_normal(KEY, jnp.ones(2), jnp.eye(3)),
                 lambda: random.multivariate_normal(KEY, jnp.ones(2), jnp.eye(2), method="qr")):
        with pytest.raises(SamplingError):
            draw()


def test_shapes_that_are_none():
    with pytest.raises(ShapeError):
        random.gamma(KEY, 1.0, (-1,))
    for draw, words in ((lambda: random.orthogonal(KEY, -2), "`n` of `orthogonal` is -2"),
                        (lambda: random.ball(KEY, -1), "`d` of `ball` is -1")):
        with pytest.raises(SamplingError, match=words):
            draw()


def test_keys_that_are_none():
    with pytest.raises(KeyTypeError):
        random.poisson(0, 3.0)
    with pytest.raises(KeyBatchError):
        random.gamma(random.split(KEY), 3.0)
    with pytest.raises(KeyWordsError):
        random.gamma(jnp.zeros(3, "uint32"), 3.0)
    with pytest.raises(KeySeedError):
        random.key(1.5, impl="rbg")


def test_a_generator_that_returns_another_type():
    generator = define_prng_impl(
        key_shape=(1,), name="counter", tag="cnt", seed=lambda seed: seed.reshape(1),
        split=lambda key, shape: jnp.broadcast_to(key, (*shape, 1)),
        random_bits=lambda key, width, shape: jnp.broadcast_to(key[0], shape), fold_in=lambda key, data: key)
    with pytest.raises(GeneratorResultError) as caught:
        random.key(0, impl=generator)
    assert (caught.value.function, caught.value.got, caught.value.wanted) == ("seed", "int32[1]", "uint32[1]")
