"""`gaussian_kde` of `jax.scipy.stats`; it stands here since it draws random numbers."""
from __future__ import annotations

import math
from typing import Any

import perspicax.numpy as jnp
from perspicax.core.array import Array
from perspicax.core.tree_register import register_pytree_node_class
from perspicax.diagnose.boundary import public_methods
from perspicax.numpy.construct import asarray
from perspicax.numpy.errors import ArgumentValueError, UnsupportedArgumentError
from perspicax.numpy.log_sums import logsumexp
from perspicax.numpy.promote import to_inexact
from perspicax.random import choice, multivariate_normal, split
from perspicax.scipy.special.normal import normal_cdf


def _gaussian(distance: Any, factor: Any) -> Any:
    """The logarithm of the normal density with the covariance L Lᵀ at distances `[d, ...]`."""
    d = factor.shape[0]
    solved = jnp.linalg.solve(factor, distance.reshape(d, -1)).reshape(distance.shape)
    volume = jnp.sum(jnp.log(jnp.diagonal(factor)))
    return -.5 * jnp.sum(solved * solved, axis=0) - volume - .5 * d * math.log(2 * math.pi)


@register_pytree_node_class
@public_methods("__init__", "evaluate", "integrate_box_1d", "integrate_gaussian", "integrate_kde", "logpdf", "resample")
class gaussian_kde:
    """The density that a sample was drawn from, estimated as a mean of normal densities around its points.

    Args:
        dataset: real array `[n]`, or `[d, n]` for `n` points of `d` dimensions.
        bw_method: the width of the densities: `"scott"` (also `None`), `"silverman"`, a number, or a function of the
            estimate that returns one.
        weights: `[n]`, equal by default.

    Attributes:
        dataset: `[d, n]`.
        weights: `[n]`, with the sum 1.
        neff: the effective number of points.
        covariance: of the normal densities, `[d, d]`.
        inv_cov: its inverse.

    Raises:
        ArgumentValueError: there are less than two points, weights that do not fit, or no such method.
        UnsupportedArgumentError: `dataset` is complex.

    Scott, Multivariate Density Estimation, 1992; Silverman, Density Estimation, 1986.
    """

    def __init__(self, dataset: Any, bw_method: Any = None, weights: Any = None) -> None:
        points = jnp.atleast_2d(asarray(dataset))
        if points.dtype.kind == "c":
            raise UnsupportedArgumentError(function="gaussian_kde", argument="dataset", why="it is real")
        if points.size <= 1:
            raise ArgumentValueError(says=f"`gaussian_kde` was given {points.aval.str_short()}.",
                                     why="it takes two points at least")
        points = points.astype(to_inexact(points.dtype))
        n = points.shape[1]
        w = jnp.full(n, 1 / n, points.dtype) if weights is None else jnp.atleast_1d(asarray(weights)).astype(points.dtype)
        if w.shape != (n,):
            raise ArgumentValueError(says=f"`gaussian_kde` was given weights {w.aval.str_short()} for {n} points.",
                                     why="there is one for each point")
        self.dataset, self.weights = points, w / jnp.sum(w)
        self.neff = 1 / jnp.sum(self.weights * self.weights)
        factor = self._factor(bw_method)
        covariance = jnp.atleast_2d(jnp.cov(points, rowvar=True, bias=False, aweights=self.weights))
        self.covariance = covariance * factor ** 2
        self.inv_cov = jnp.linalg.inv(covariance) / factor ** 2

    def _factor(self, bw_method: Any) -> Any:
        power = -1 / (self.d + 4)
        if bw_method is None or bw_method == "scott":
            return self.neff ** power
        if isinstance(bw_method, str):
            if bw_method != "silverman":
                raise ArgumentValueError(says=f"`gaussian_kde` was given bw_method={bw_method!r}.",
                                         why="it is 'scott', 'silverman', a number, or a function")
            return (self.neff * (self.d + 2) / 4) ** power
        if callable(bw_method):
            return bw_method(self)
        width = asarray(bw_method)
        if width.ndim:
            raise ArgumentValueError(says=f"`gaussian_kde` was given bw_method of type {width.aval.str_short()}.",
                                     why="it is 'scott', 'silverman', a number, or a function")
        return width

    @property
    def d(self) -> int:
        """How many dimensions."""
        return int(self.dataset.shape[0])

    @property
    def n(self) -> int:
        """How many points."""
        return int(self.dataset.shape[1])

    def tree_flatten(self) -> tuple[tuple, None]:
        """All is data."""
        return (self.dataset, self.weights, self.covariance, self.inv_cov, self.neff), None

    @classmethod
    def tree_unflatten(cls, aux_data: None, children: tuple) -> gaussian_kde:
        """The inverse of `tree_flatten`."""
        made = object.__new__(cls)
        made.dataset, made.weights, made.covariance, made.inv_cov, made.neff = children
        return made

    def _points(self, points: Any, function: str) -> Any:
        x = asarray(points)
        x = x.reshape(self.d, -1) if x.ndim < 2 and (x.ndim == 0 or self.d == 1 or x.shape[0] == self.d) else x
        if x.ndim != 2 or x.shape[0] != self.d:
            raise ArgumentValueError(says=f"`{function}` of a density of {self.d} dimensions was given {x.aval.str_short()}.",
                                     why=f"points are [{self.d}, m]")
        return x.astype(jnp.promote_types(x.dtype, self.dataset.dtype))

    def logpdf(self, x: Any) -> Array:
        """The logarithm of the density at points `[d, m]`, or one point `[d]`."""
        points = self._points(x, "gaussian_kde.logpdf")
        factor = jnp.linalg.cholesky(self.covariance)
        return logsumexp(_gaussian(points[:, :, None] - self.dataset[:, None, :], factor), axis=1, b=self.weights[None, :])

    def evaluate(self, points: Any) -> Array:
        """The density at points `[d, m]`, or one point `[d]`."""
        return jnp.exp(self.logpdf(points))

    def __call__(self, points: Any) -> Array:
        """The density at points; see `evaluate`."""
        return self.evaluate(points)

    def pdf(self, x: Any) -> Array:
        """The density at points; see `evaluate`."""
        return self.evaluate(x)

    def integrate_gaussian(self, mean: Any, cov: Any) -> Array:
        """The integral of the density times a normal density.

        Args:
            mean: `[d]`.
            cov: `[d, d]`.
        """
        centre, spread = jnp.atleast_1d(asarray(mean)), jnp.atleast_2d(asarray(cov))
        if centre.shape != (self.d,) or spread.shape != (self.d, self.d):
            raise ArgumentValueError(
                says=f"`gaussian_kde.integrate_gaussian` was given {centre.aval.str_short()} and {spread.aval.str_short()}.",
                why=f"the density has {self.d} dimensions: a mean [{self.d}] and a covariance [{self.d}, {self.d}]")
        factor = jnp.linalg.cholesky(self.covariance + spread)
        return jnp.exp(logsumexp(_gaussian(self.dataset - centre[:, None], factor), b=self.weights))

    def integrate_box_1d(self, low: Any, high: Any) -> Array:
        """The integral of a density of one dimension between limits."""
        if self.d != 1:
            raise ArgumentValueError(says=f"`gaussian_kde.integrate_box_1d` was called for {self.d} dimensions.",
                                     why="it is for one")
        width = jnp.sqrt(self.covariance[0, 0])
        parts = normal_cdf((high - self.dataset[0]) / width) - normal_cdf((low - self.dataset[0]) / width)
        return jnp.sum(self.weights * parts)

    def integrate_kde(self, other: Any) -> Array:
        """The integral of the product of two such densities."""
        if other.d != self.d:
            raise ArgumentValueError(
                says=f"`gaussian_kde.integrate_kde` was given densities of {self.d} and {other.d} dimensions.",
                why="both have the same")
        factor = jnp.linalg.cholesky(self.covariance + other.covariance)
        logs = _gaussian(self.dataset[:, :, None] - other.dataset[:, None, :], factor)
        return jnp.exp(logsumexp(logs, b=self.weights[:, None] * other.weights[None, :]))

    def resample(self, key: Any, shape: tuple[int, ...] = ()) -> Array:
        """Samples of the density, `[d, *shape]`."""
        which, where = split(key)
        chosen = choice(which, self.n, shape=shape, p=self.weights)
        noise = multivariate_normal(where, jnp.zeros(self.d, self.covariance.dtype), self.covariance, shape=shape)
        return self.dataset[:, chosen] + jnp.moveaxis(noise, -1, 0).astype(self.dataset.dtype)

    def integrate_box(self, low_bounds: Any, high_bounds: Any, maxpts: Any = None) -> Array:
        """Is not there, as in JAX: raises `UnsupportedArgumentError`."""
        raise UnsupportedArgumentError(function="gaussian_kde.integrate_box", argument="low_bounds",
                                       why="only boxes of one dimension are there: `integrate_box_1d`")

    def set_bandwidth(self, bw_method: Any = None) -> None:
        """Is not there, as in JAX: raises `UnsupportedArgumentError`."""
        raise UnsupportedArgumentError(function="gaussian_kde.set_bandwidth", argument="bw_method",
                                       why="a density does not change; make another with `bw_method`")


__all__ = ["gaussian_kde"]
