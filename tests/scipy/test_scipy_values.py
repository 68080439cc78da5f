"""SciPy's functions by the laws that they obey, and where they are better than JAX's."""
from __future__ import annotations

import math

import numpy as np
import pytest
import scipy.special

import perspicax as px
import perspicax.numpy as jnp
from perspicax.scipy import optimize, special
from perspicax.scipy.sparse import linalg
from perspicax.scipy.spatial.transform import Rotation, Slerp
from perspicax.scipy.stats import gaussian_kde, norm


def test_log_ndtr_is_accurate_in_the_far_tail():
    # DLMF 7.12.1 for x = -100, in double precision
    wanted = -5000 - math.log(100 * math.sqrt(2 * math.pi)) + math.log1p(-1e-4 + 3e-8)
    np.testing.assert_allclose(special.log_ndtr(jnp.float32(-100)), wanted, rtol=1e-6)


def test_hyp1f1_of_large_negative_arguments():
    # M(1, 2, x) = (exp(x) - 1) / x
    np.testing.assert_allclose(special.hyp1f1(1., 2., -100.), .01, rtol=1e-5)


@pytest.mark.parametrize(("a", "b", "c"), [
    (1.5, .5, 2.),      # c - a - b is 0: a logarithm
    (1.5, .5, 4.),      # 2: a sum, and a logarithm
    (1.5, 2.5, 2.),     # -2: Euler's transformation first
    (.3, .4, 1.5),      # no whole number
    (2., -3., 2.),      # (1 - x)^3
    (2., -1., 5.),      # a polynomial
    (-2.2, 3., .8),
])
def test_hyp2f1_next_to_one(a, b, c):
    x = np.array([.89, .95, .9991, .999995], np.float32)
    truth = scipy.special.hyp2f1(a, b, c, x.astype(np.float64))
    np.testing.assert_allclose(special.hyp2f1(a, b, c, x), truth, rtol=1e-5)


def test_loggamma_of_complex_numbers_is_continuous_off_the_negative_axis():
    re, im = np.meshgrid([-7.3, -2.5, -1e-3, .2, .5, 1., 4., 30.], [-20., -1., -1e-3, 0., 1e-4, .7, 9.])
    z = re + 1j * im
    z = z[(im != 0) | (re > 0)]
    np.testing.assert_allclose(special.loggamma(z.astype(np.complex64)),
                               scipy.special.loggamma(z.astype(np.complex64).astype(complex)), rtol=2e-5, atol=3e-5)
    with px.enable_x64(True):
        np.testing.assert_allclose(special.loggamma(z), scipy.special.loggamma(z), rtol=1e-13, atol=5e-13)


def test_loggamma_of_real_numbers_that_are_not_positive():
    assert np.isnan(np.asarray(special.loggamma(np.float32([-1.5, -1., 0.])))).all()
    np.testing.assert_allclose(special.loggamma(np.float32([.5, 10.])), scipy.special.gammaln([.5, 10.]), rtol=1e-6)


def test_hyp2f1_below_minus_one():
    # F(1, 1; 2; x) = -log(1 - x) / x
    np.testing.assert_allclose(special.hyp2f1(1., 1., 2., -3.), math.log(4) / 3, rtol=1e-5)


def test_quantiles_invert_distributions():
    q = jnp.array([1e-6, .2, .5, .9])
    np.testing.assert_allclose(norm.cdf(norm.ppf(q, 1., 2.), 1., 2.), q, rtol=1e-5)


def test_density_is_the_derivative_of_the_distribution():
    np.testing.assert_allclose(px.grad(norm.cdf)(.7, .2, 1.5), norm.pdf(.7, .2, 1.5), rtol=1e-6)


@pytest.mark.parametrize("method", ["BFGS", "l-bfgs-experimental-do-not-rely-on-this"])
def test_minimize_finds_the_minimum_of_rosenbrock(method):
    found = optimize.minimize(lambda x: jnp.sum(100 * (x[1:] - x[:-1] ** 2) ** 2 + (1 - x[:-1]) ** 2), jnp.zeros(3),
                              method=method)
    assert found.success
    assert found.status == 0
    np.testing.assert_allclose(found.x, 1, atol=1e-3)


def test_solvers_take_pytrees():
    found, _ = linalg.cg(lambda t: {"a": 2 * t["a"], "b": 4 * t["b"]}, {"a": jnp.ones(2), "b": jnp.ones(())})
    np.testing.assert_allclose(found["a"], .5, rtol=1e-6)
    np.testing.assert_allclose(found["b"], .25, rtol=1e-6)


def test_rotations_compose_and_interpolate():
    quarter = Rotation.from_euler("z", 90., degrees=True)
    np.testing.assert_allclose((quarter * quarter).apply(jnp.array([1., 0., 0.])), [-1, 0, 0], atol=1e-6)
    path = Slerp.init(jnp.array([0., 2.]), Rotation.concatenate([Rotation.identity(), quarter]))
    np.testing.assert_allclose(path(1.).magnitude(), math.pi / 4, rtol=1e-5)


def test_kernel_density_has_the_integral_one():
    density = gaussian_kde(jnp.array([0., 1., 3.]))
    np.testing.assert_allclose(density.integrate_box_1d(-100., 100.), 1, rtol=1e-6)
    assert density.resample(px.random.key(0), (5,)).shape == (1, 5)
