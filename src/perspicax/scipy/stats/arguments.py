"""The functions of distributions: how they are called, and what they say of themselves."""
from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from functools import wraps
from types import MappingProxyType
from typing import Any

import perspicax.numpy as jnp
from perspicax.core.array import Array
from perspicax.numpy.fusion import fused_call
from perspicax.scipy.special.operands import floating, strong

_SUMMARIES = {
    "cdf": "The cumulative distribution function.",
    "entropy": "The differential entropy, in nats.",
    "isf": "The inverse of the survival function.",
    "logcdf": "The logarithm of the cumulative distribution function.",
    "logpdf": "The logarithm of the probability density.",
    "logpmf": "The logarithm of the probability.",
    "logsf": "The logarithm of the survival function.",
    "pdf": "The probability density.",
    "pmf": "The probability.",
    "ppf": "The quantile function, the inverse of `cdf`.",
    "sf": "The survival function, `1 - cdf`.",
}
_PARAMETERS = {
    "k": "array of whole numbers, of any shape.",
    "loc": "where the distribution is moved to.",
    "q": "real array of probabilities.",
    "scale": "by how much it is stretched.",
    "x": "real array of any shape.",
}
_DEFAULTS = {"loc": 0, "scale": 1}

# JAX's operations on arrays and scalars of floats give up weak types where they bring them to one number of axes; whether
# that shows in the result depends on the formula. It shows in these (integers with Python numbers as parameters).
_STRONG_OF_ARRAYS = {
    "bernoulli": "cdf logpmf pmf ppf", "beta": "cdf logcdf logpdf logsf pdf sf", "betabinom": "logpmf pmf",
    "cauchy": "cdf isf logcdf logpdf logsf pdf ppf sf", "chi2": "cdf logcdf logpdf logsf pdf sf",
    "gamma": "cdf logcdf logpdf pdf", "geom": "logpmf pmf", "gumbel_r": "sf", "laplace": "cdf logpdf pdf",
    "logistic": "isf logpdf pdf ppf", "nbinom": "logpmf pmf", "norm": "logpdf pdf", "pareto": "cdf logpdf logsf pdf ppf sf",
    "poisson": "cdf", "t": "logpdf pdf",
}


def member(distribution: str, name: str, formula: Callable[..., Any],
           about: Mapping[str, str] = MappingProxyType({})) -> Callable[..., Array]:
    """A public function of a distribution.

    Args:
        distribution: its module, `norm`.
        name: what the function gives, `pdf`; one of `_SUMMARIES`.
        formula: a function at module level, of the operands as arrays of their common floating dtype, whose shapes
            broadcast. Its parameters are those of the public function, where `loc` is 0 and `scale` 1 by default.
        about: what each of its own parameters is; `_PARAMETERS` tells of those that most distributions have.

    The public function raises ArgumentValueError for complex operands, BroadcastError where they do not broadcast, and
    NotArrayLikeError for a list, None, ….
    """
    asked = f"jsp.stats.{distribution}.{name}"
    loses_weakness = name in _STRONG_OF_ARRAYS.get(distribution, "").split()
    names = list(inspect.signature(formula).parameters)
    signature = inspect.Signature(
        [inspect.Parameter(n, inspect.Parameter.POSITIONAL_OR_KEYWORD, default=_DEFAULTS.get(n, inspect.Parameter.empty),
                           annotation=Any) for n in names], return_annotation=Array)

    def call(*args: Any, **kwargs: Any) -> Array:
        if kwargs or len(args) != len(names):
            try:
                bound = signature.bind(*args, **kwargs)
            except TypeError as error:
                raise TypeError(f"{asked}: {error}") from None
            bound.apply_defaults()
            args = bound.args
        operands = floating(asked, *args)
        found = fused_call(formula, tuple(operands))
        return strong(found) if loses_weakness and len({x.ndim for x in operands}) > 1 else found

    lines = [f"    {n}: {about.get(n) or _PARAMETERS[n]}" for n in names]
    call.__doc__ = "\n".join([_SUMMARIES[name], "", "Args:", *lines, "", "Returns:",
                              "    Floating array of the shape that all broadcast to."])
    call.__name__ = call.__qualname__ = name
    call.__module__ = f"{__package__}.{distribution}"
    call.__signature__ = signature  # type: ignore[attr-defined]
    return call


def exponential(f: Callable[..., Any]) -> Callable[..., Any]:
    """The function whose logarithm `f` is."""
    @wraps(f)
    def call(*operands: Any) -> Any:
        return jnp.exp(f(*operands))

    return call

__all__ = ["exponential", "member"]
